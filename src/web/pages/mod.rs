//! The pages. Text from platforms and apps is escaped by the templates; they carry no script and no style of their own.

pub(super) mod apps;
pub(super) mod config;
pub(super) mod deliveries;
pub(super) mod endpoints;
pub(super) mod messages;
pub(super) mod overview;
pub(super) mod pauses;
mod plot;
pub(super) mod room;
pub(super) mod run;
pub(super) mod weeks;

use std::convert::Infallible;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::gate::{self, Pass, Role};
use super::problem::Problem;
use crate::domain::Timestamp;
use crate::store::RunView;

const STYLE: &str = include_str!("../../../templates/style.css");
const SCRIPT: &str = include_str!("../../../templates/live.js");

/// The style sheet.
pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// The script, which keeps a page up to date.
pub(super) async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT).into_response()
}

/// The pages that the navigation leads to: address and name.
const PLACES: [(&str, &str); 7] = [
    ("/", "Overview"),
    ("/deliveries", "Deliveries"),
    ("/messages", "Messages"),
    ("/endpoints", "Endpoints"),
    ("/pauses", "Pauses"),
    ("/trust", "Trust"),
    ("/config", "Config"),
];

/// What is around every page: who looks at it, where it stands in the navigation, and how it stays up to date.
pub(super) struct Frame {
    pass: Option<Pass>,
    here: &'static str,
    /// What the page shows will change soon: without script it loads itself again.
    pub(super) under_way: bool,
}

impl Frame {
    /// Around a page that needs no sign-in and so leads nowhere.
    pub(super) const fn bare() -> Self {
        Self {
            pass: None,
            here: "",
            under_way: false,
        }
    }

    /// Whether the person may change something.
    pub(super) fn may_act(&self) -> bool {
        self.pass.is_some_and(|pass| pass.role == Role::Admin)
    }

    /// Whether there is a session to end.
    pub(super) fn may_sign_out(&self) -> bool {
        self.pass.is_some_and(Pass::is_session)
    }

    /// The pages to go to, and whether this is the one.
    pub(super) fn places(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let shown = if self.pass.is_some() { &PLACES[..] } else { &[] };
        shown
            .iter()
            .map(|(address, name)| (*address, *name, *address == self.here))
    }
}

/// From a request that the gate let through.
impl<S: Send + Sync> FromRequestParts<S> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let path = parts.uri.path();
        let here = PLACES.iter().find(|(address, _)| *address == path);
        Ok(Self {
            pass: parts.extensions.get::<Pass>().copied(),
            here: here.map_or("", |(address, _)| address),
            under_way: false,
        })
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    title: String,
    detail: String,
}

/// The most bytes of a problem.
const PROBLEM_BYTES_MAX: usize = 16 * 1024;

/// Shows a problem as a page to whoever asked for one; programs get it as it is.
pub(super) async fn problems(request: Request, next: Next) -> Response {
    let is_asked = gate::wants_page(request.uri().path(), request.headers());
    let response = next.run(request).await;
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/problem+json");
    if !is_asked || !is_problem || response.status() == StatusCode::UNAUTHORIZED {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, PROBLEM_BYTES_MAX).await.unwrap_or_default();
    let told: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let word = |name: &str| {
        told.get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let page = ProblemPage {
        frame: Frame::bare(),
        title: word("title"),
        detail: word("detail"),
    };
    let Ok(html) = page.render() else {
        return Response::from_parts(parts, Body::from(bytes));
    };
    parts.headers.remove(CONTENT_LENGTH);
    parts
        .headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Response::from_parts(parts, Body::from(html))
}

/// The most bytes that a page shows of a payload, raw and laid out each.
const PAYLOAD_BYTES_MAX: usize = 6 * 1024;

/// A payload as a page shows it: laid out where it is JSON, and its beginning where it is long.
struct Payload {
    pretty: Option<String>,
    raw: String,
    is_cut: bool,
}

impl Payload {
    fn of(text: &str) -> Self {
        let json = serde_json::from_str::<serde_json::Value>(text);
        let pretty = json.and_then(|json| serde_json::to_string_pretty(&json)).ok();
        let is_long = |text: &str| text.len() > PAYLOAD_BYTES_MAX;
        Self {
            is_cut: is_long(text) || pretty.as_deref().is_some_and(is_long),
            pretty: pretty.as_deref().map(beginning),
            raw: beginning(text),
        }
    }
}

fn beginning(text: &str) -> String {
    let fits = |(at, c): &(usize, char)| at + c.len_utf8() <= PAYLOAD_BYTES_MAX;
    text.char_indices().take_while(fits).map(|(_, c)| c).collect()
}

/// Back to the page of `id` below `path`, once something was done about it.
fn back_to(path: &str, id: &str) -> Redirect {
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    // A form's way to write a blank, which a path has not.
    Redirect::to(&format!("{path}/{}", id.replace('+', "%20")))
}

/// Rows on a page that has `max` unless fewer are asked for.
fn shown(asked: Option<usize>, max: usize) -> usize {
    asked.unwrap_or(max).clamp(1, max)
}

/// A page as an answer.
///
/// # Errors
/// When the template fails, which the log explains.
pub(super) fn render(page: &impl Template) -> Result<Response, Problem> {
    match page.render() {
        Ok(html) => Ok(Html(html).into_response()),
        Err(error) => {
            tracing::error!(error = %error, "a page could not be made");
            Err(Problem::unavailable("the page could not be made; the log says why", 5))
        }
    }
}

/// A moment as a page shows it: nobody reads its milliseconds.
pub(super) fn to_the_second(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.')
        .map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}

/// A run as a page shows it.
struct RunRow {
    view: RunView,
    /// One word that says how it stands, also its colour.
    standing: &'static str,
    started: String,
    took: String,
}

impl RunRow {
    /// Where it stands in a word or two: what was done, or what was found, or what it is about.
    fn word(&self) -> &str {
        let (action, verdict) = (self.view.action.as_deref(), self.view.verdict.as_deref());
        let action = action.filter(|action| *action != "none");
        action.or(verdict).unwrap_or(&self.view.phase)
    }

    /// As a list shows it.
    fn listed(mut view: RunView, now: Timestamp) -> Self {
        for text in [&mut view.app, &mut view.environment, &mut view.deployment] {
            room::clip(text);
        }
        Self::of(view, now)
    }

    /// The bytes it takes in a list.
    fn weigh(&self) -> usize {
        let view = &self.view;
        // A list's markup around a row, with the words that are ours.
        420 + room::bytes([view.app.as_str(), &view.environment, &view.deployment, &view.id])
    }

    fn of(view: RunView, now: Timestamp) -> Self {
        let standing = match (view.action.as_deref(), view.verdict.as_deref()) {
            (Some("rolled back"), _) => "restored",
            (Some(_), Some("unhealthy")) => "bad",
            (None, Some("unhealthy")) => "acting",
            (_, Some("healthy")) => "good",
            (_, Some("degraded")) => "warned",
            (_, Some("inconclusive")) => "unknown",
            _ => "running",
        };
        let seconds = view.ended_at.unwrap_or(now).ms_since(view.started_at) / 1_000;
        Self {
            standing,
            started: to_the_second(view.started_at),
            took: humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string(),
            view,
        }
    }
}
