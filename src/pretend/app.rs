//! The app's releases: what each answers, and for how long it is cold.

use std::time::Duration;

use http::StatusCode;
use http::header::CONTENT_TYPE;

use axum::response::{IntoResponse, Response};

/// The platform's own page, as its proxy shows it for what is not routed.
pub(super) const CONSOLE: &str = "<!doctype html><html><head><title>Temps</title></head><body>Console</body></html>";

/// One version of the app.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its commit.
    pub commit: String,
    /// The commit's message.
    pub message: String,
    /// What it does.
    pub behaviour: Behaviour,
}

impl Release {
    /// A release of `commit` that does `behaviour`.
    pub fn new(commit: &str, behaviour: Behaviour) -> Self {
        Self {
            commit: commit.to_owned(),
            message: format!("Release {commit}"),
            behaviour,
        }
    }
}

/// What a version does once traffic goes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Works at once.
    Healthy,
    /// Works after this long; until then something else answers.
    ColdFor(Duration, Cold),
    /// Never answers: the platform's proxy says 502.
    Dead,
    /// Answers 500 everywhere but at `/version`.
    Errors,
    /// Answers 500 everywhere.
    AllErrors,
    /// Answers 200 with the wrong content.
    WrongContent,
    /// The platform's console page answers in its place, with 200.
    Console,
    /// The version before it goes on answering.
    OldVersion,
    /// Fails one answer in this many, on its own.
    FailsOneIn(u64),
}

/// What answers for a version that is still cold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cold {
    /// The proxy, with 502.
    BadGateway,
    /// The proxy, with 503.
    Unavailable,
    /// The version before it.
    OldVersion,
    /// The platform's console page, with 200.
    Console,
    /// Each of them in turn, as a slow start looks from outside.
    AllInTurn,
}

/// What the app answers at `path`, `live_ms` after this version became current. `number` counts the requests.
pub(super) fn answer(release: &Release, before: Option<&Release>, live_ms: u64, number: u64, path: &str) -> Response {
    match release.behaviour {
        Behaviour::Healthy => works(&release.commit, path),
        Behaviour::ColdFor(cold, shape) if u128::from(live_ms) < cold.as_millis() => {
            answer_cold(shape, live_ms, cold, before, path)
        }
        Behaviour::ColdFor(..) => works(&release.commit, path),
        Behaviour::Dead => StatusCode::BAD_GATEWAY.into_response(),
        Behaviour::Errors if path == "/version" => works(&release.commit, path),
        Behaviour::Errors | Behaviour::AllErrors => fails(),
        Behaviour::WrongContent if path == "/version" => works(&release.commit, path),
        Behaviour::WrongContent => json(r#"{"status":"degraded","orders":[]}"#),
        Behaviour::Console => console(),
        Behaviour::OldVersion => works(before.map_or("none", |before| &before.commit), path),
        Behaviour::FailsOneIn(share) if number.is_multiple_of(share) => fails(),
        Behaviour::FailsOneIn(_) => works(&release.commit, path),
    }
}

fn answer_cold(shape: Cold, live_ms: u64, cold: Duration, before: Option<&Release>, path: &str) -> Response {
    match shape {
        Cold::BadGateway => StatusCode::BAD_GATEWAY.into_response(),
        Cold::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Cold::OldVersion => works(before.map_or("none", |before| &before.commit), path),
        Cold::Console => console(),
        Cold::AllInTurn => {
            let quarter = u128::from(live_ms) * 4 / cold.as_millis().max(1);
            let shape = match quarter {
                0 => Cold::OldVersion,
                1 => Cold::Console,
                2 => Cold::BadGateway,
                _ => Cold::Unavailable,
            };
            answer_cold(shape, live_ms, cold, before, path)
        }
    }
}

fn works(commit: &str, path: &str) -> Response {
    match path {
        "/version" => json(&format!(r#"{{"commit":"{commit}"}}"#)),
        "/healthz" => json(r#"{"status":"ok"}"#),
        "/api/orders" => json(r#"{"orders":[{"id":1}]}"#),
        "/" => ([(CONTENT_TYPE, "text/html")], "<title>Shop</title><h1>Welcome</h1>").into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn fails() -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, "cannot reach the database").into_response()
}

fn console() -> Response {
    ([(CONTENT_TYPE, "text/html")], CONSOLE).into_response()
}

fn json(text: &str) -> Response {
    ([(CONTENT_TYPE, "application/json")], text.to_owned()).into_response()
}
