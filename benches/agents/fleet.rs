//! A platform with any number of apps, all on this machine: what its API says, what its apps answer, and when they were asked.
//!
//! Each app has an address of its own in 127.0.0.0/8, so that no limit per host of the client is measured.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HOST};
use serde_json::{Value as Json, json};

/// One app.
#[derive(Default)]
pub struct App {
    /// Whether each of its deployments works, oldest first.
    deployments: Vec<bool>,
    /// When the first of them was made, in milliseconds since 1970.
    created_at_ms: u64,
    current: usize,
    /// When the last probe of a bad deployment was answered.
    pub answered_at: Option<Instant>,
    /// When a rollback was asked for.
    pub rolled_back_at: Option<Instant>,
    /// Calls of the API between the two.
    pub calls: u32,
    /// Probes answered.
    pub probes: u64,
}

/// The platform. Cheap to clone.
#[derive(Clone)]
pub struct Fleet {
    apps: Arc<Mutex<BTreeMap<u64, App>>>,
    pub port: u16,
}

/// So many deployments an app may have.
const DEPLOYMENTS: u64 = 10;

impl Fleet {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let fleet = Self {
            apps: Arc::default(),
            port,
        };
        let router = Router::new()
            .route(
                "/api/projects",
                get(async || answer(&json!({"projects": [], "total": 0}))),
            )
            .route("/api/projects/by-slug/{slug}", get(by_slug))
            .route("/api/projects/{project}", get(project))
            .route("/api/projects/{project}/webhooks", get(async || answer(&json!([]))))
            .route("/api/projects/{project}/environments/{environment}", get(environment))
            .route("/api/projects/{project}/deployments", get(deployments))
            .route("/api/projects/{project}/deployments/{deployment}", get(deployment))
            .route(
                "/api/projects/{project}/deployments/{deployment}/rollback",
                post(rollback),
            )
            .fallback(app)
            .with_state(fleet.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fleet
    }

    /// The apps, by number from 1.
    pub fn apps(&self) -> MutexGuard<'_, BTreeMap<u64, App>> {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a deployment of an app the current one: the body of the delivery that says so.
    pub fn deploy(&self, number: u64, works: bool) -> String {
        let mut apps = self.apps();
        let app = apps.entry(number).or_default();
        if app.deployments.is_empty() {
            app.created_at_ms = now_ms();
        }
        app.deployments.push(works);
        app.current = app.deployments.len() - 1;
        let id = number * DEPLOYMENTS + app.current as u64;
        json!({
            "id": format!("evt_{id}"), "event_type": "deployment_succeeded", "timestamp": "2026-03-12T14:22:01Z",
            "project_id": number,
            "payload": {
                "deployment_id": id, "project_id": number, "project_name": format!("app-{number}"),
                "environment": "production", "branch": "main", "commit_sha": commit(id), "commit_message": "Fix the cart",
                "url": self.url(number), "status": "succeeded",
            },
        })
        .to_string()
    }

    fn url(&self, number: u64) -> String {
        format!(
            "http://127.{}.{}.{}:{}",
            1 + number / 65_536,
            number / 256 % 256,
            number % 256,
            self.port
        )
    }

    fn shown(&self, number: u64, index: usize, app: &App) -> Json {
        let id = number * DEPLOYMENTS + index as u64;
        json!({
            "id": id, "project_id": number, "environment_id": number, "status": "completed", "url": self.url(number),
            "environment": {"id": number, "name": "Production", "slug": "production", "domains": [self.url(number)]},
            "commit_hash": commit(id), "commit_message": "Fix the cart", "branch": "main",
            "created_at": app.created_at_ms + index as u64, "commit_author": "Ada", "is_current": app.current == index,
        })
    }

    /// What the API answers of one project.
    fn about(&self, number: u64, say: impl FnOnce(&mut App) -> Json) -> Response {
        match self.apps().get_mut(&number) {
            Some(app) => {
                app.calls += 1;
                answer(&say(app))
            }
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(since.as_millis()).expect("fits")
}

fn commit(deployment: u64) -> String {
    format!("{deployment:07x}")
}

fn answer(json: &Json) -> Response {
    ([(CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

fn named(number: u64) -> Json {
    json!({"id": number, "slug": format!("app-{number}"), "name": format!("app-{number}")})
}

async fn by_slug(State(fleet): State<Fleet>, Path(slug): Path<String>) -> Response {
    let number = slug.trim_start_matches("app-").parse().unwrap_or(0);
    fleet.about(number, |_| named(number))
}

async fn project(State(fleet): State<Fleet>, Path(number): Path<u64>) -> Response {
    fleet.about(number, |_| named(number))
}

async fn environment(State(fleet): State<Fleet>, Path((number, _)): Path<(u64, u64)>) -> Response {
    fleet.about(number, |app| {
        json!({
            "id": number, "project_id": number, "name": "Production", "slug": "production", "is_preview": false,
            "current_deployment_id": number * DEPLOYMENTS + app.current as u64,
        })
    })
}

async fn deployments(State(fleet): State<Fleet>, Path(number): Path<u64>) -> Response {
    fleet.about(number, |app| {
        let all: Vec<Json> = (0..app.deployments.len())
            .rev()
            .map(|index| fleet.shown(number, index, app))
            .collect();
        json!({"total": all.len(), "deployments": all, "page": 1, "per_page": 100})
    })
}

async fn deployment(State(fleet): State<Fleet>, Path((number, id)): Path<(u64, u64)>) -> Response {
    let index = usize::try_from(id % DEPLOYMENTS).unwrap_or(0);
    fleet.about(number, |app| fleet.shown(number, index, app))
}

async fn rollback(State(fleet): State<Fleet>, Path((number, id)): Path<(u64, u64)>) -> Response {
    let now = Instant::now();
    let index = usize::try_from(id % DEPLOYMENTS).unwrap_or(0);
    fleet.about(number, |app| {
        app.rolled_back_at.get_or_insert(now);
        app.current = index;
        fleet.shown(number, index, app)
    })
}

/// Any app, told apart by the address it was asked at.
async fn app(State(fleet): State<Fleet>, request: Request) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let address: Option<std::net::Ipv4Addr> = host.and_then(|host| host.split(':').next()?.parse().ok());
    let [_, b, c, d] = address.map_or([0; 4], |address| address.octets()).map(u64::from);
    let number = (b.saturating_sub(1)) * 65_536 + c * 256 + d;
    let mut apps = fleet.apps();
    let Some(app) = apps.get_mut(&number) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    app.probes += 1;
    if request.uri().path() == "/version" {
        return answer(&json!({"commit": commit(number * DEPLOYMENTS + app.current as u64)}));
    }
    if app.deployments[app.current] {
        return "Welcome".into_response();
    }
    app.answered_at = Some(Instant::now());
    app.calls = 0;
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
