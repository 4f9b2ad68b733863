//! The API: the same paths in every generation, and the console's page on every other.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, Request, State as With};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post, put};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::state::{Generation, RollbackCall, RollbackFault, State};
use super::{APP, ENVIRONMENT, PROJECT, Shared, deliver, webhooks};
use crate::pretend::app::CONSOLE;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/api/projects", get(projects))
        .route("/api/projects/by-slug/{slug}", get(by_slug))
        .route("/api/projects/{project}", get(project))
        .route(
            "/api/projects/{project}/webhooks",
            get(webhooks::list).post(webhooks::create),
        )
        .route("/api/projects/{project}/webhooks/{webhook}", put(webhooks::update))
        .route(
            "/api/projects/{project}/webhooks/{webhook}/deliveries",
            get(webhooks::deliveries),
        )
        .route("/api/projects/{project}/environments", get(environments))
        .route("/api/projects/{project}/environments/{environment}", get(environment))
        .route("/api/projects/{project}/deployments", get(deployments))
        .route("/api/projects/{project}/deployments/{deployment}", get(deployment))
        .route(
            "/api/projects/{project}/deployments/{deployment}/rollback",
            post(rollback),
        )
        .route_layer(from_fn_with_state(Arc::clone(&shared), authenticate));
    api.fallback(async || Html(CONSOLE)).with_state(shared)
}

/// Problem details as the code writes them: without `status`.
pub(super) fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let body = json!({"detail": detail, "title": title}).to_string();
    let mut response = (status, body).into_response();
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

pub(super) fn answer(json: &Json) -> Response {
    ([(CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

async fn authenticate(With(shared): With<Arc<Shared>>, request: Request, next: Next) -> Response {
    shared.state().api_traced += u64::from(super::traceparent(request.headers()).is_some());
    let expected = format!("Bearer {}", shared.token());
    let shown = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if shown == Some(expected.as_bytes()) {
        return next.run(request).await;
    }
    problem(
        StatusCode::UNAUTHORIZED,
        "Authentication Required",
        "You must be authenticated to access this resource",
    )
}

fn shown_project() -> Json {
    json!({"id": PROJECT, "slug": APP, "name": "Shop"})
}

async fn projects(With(shared): With<Arc<Shared>>, Query(asked): Query<Page>) -> Response {
    let state = shared.state();
    let more = state.more_projects.iter();
    let more = more.map(|(id, slug)| json!({"id": id, "slug": slug, "name": slug}));
    let all = std::iter::once(shown_project()).chain(more);
    let shown: Vec<Json> = all.filter(|_| asked.page <= 1).collect();
    answer(&json!({"total": shown.len(), "projects": shown, "page": asked.page, "per_page": 100}))
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    page: u32,
}

async fn by_slug(Path(slug): Path<String>) -> Response {
    if slug == APP {
        answer(&shown_project())
    } else {
        no_project()
    }
}

async fn project(Path(id): Path<String>) -> Response {
    if id == PROJECT.to_string() {
        answer(&shown_project())
    } else {
        no_project()
    }
}

pub(super) fn no_project() -> Response {
    problem(StatusCode::NOT_FOUND, "Project Not Found", "Project not found")
}

async fn environments(With(shared): With<Arc<Shared>>, Path(project): Path<String>) -> Response {
    let ours = (project == PROJECT.to_string()).then(|| shared.state().environment());
    answer(&Json::Array(ours.into_iter().collect()))
}

async fn environment(With(shared): With<Arc<Shared>>, Path((project, id)): Path<(String, String)>) -> Response {
    if project != PROJECT.to_string() || id != ENVIRONMENT.to_string() {
        return problem(StatusCode::NOT_FOUND, "Environment Not Found", "Environment not found");
    }
    answer(&shared.state().environment())
}

/// Newest first; of another project an empty list, as the real one answers.
async fn deployments(With(shared): With<Arc<Shared>>, Path(project): Path<String>) -> Response {
    let state = shared.state();
    let rows = state.rows.iter().rev().filter(|_| project == PROJECT.to_string());
    let listed: Vec<Json> = rows.map(|row| state.deployment(row)).collect();
    answer(&json!({"total": listed.len(), "deployments": listed, "page": 1, "per_page": 100}))
}

async fn deployment(With(shared): With<Arc<Shared>>, Path((project, id)): Path<(String, String)>) -> Response {
    let state = shared.state();
    let ours = project == PROJECT.to_string();
    match state.find(&id).filter(|_| ours).and_then(|id| state.row(id)) {
        Some(row) => answer(&state.deployment(row)),
        None => problem(StatusCode::NOT_FOUND, "Deployment Not Found", "Deployment not found"),
    }
}

async fn rollback(With(shared): With<Arc<Shared>>, Path((project, target)): Path<(String, String)>) -> Response {
    let fault = shared.state().fault;
    if let RollbackFault::Takes(time) = fault {
        tokio::time::sleep(time).await;
    }
    let (response, payloads) = {
        let mut state = shared.state();
        let found = state.find(&target).filter(|_| project == PROJECT.to_string());
        let done = match refusal(&state, found) {
            Some(refusal) => (refusal, Vec::new()),
            None => go_back(&mut state, &shared, found.unwrap_or_default()),
        };
        let status = done.0.status().as_u16();
        state.calls.push(RollbackCall { target, status });
        done
    };
    // The real one tells before it answers; a receiver must not mind either order.
    for payload in payloads {
        deliver::send(&shared, payload).await;
    }
    response
}

/// Why this target is refused, as the generation says it.
fn refusal(state: &State, target: Option<u64>) -> Option<Response> {
    let Some(row) = target.and_then(|target| state.row(target)) else {
        let detail = "Target deployment not found";
        return Some(problem(StatusCode::NOT_FOUND, "Deployment Not Found", detail));
    };
    let accepted: &[&str] = match state.generation {
        Generation::G1 | Generation::G2 => &["deployed", "completed"],
        Generation::G3 | Generation::Guide => &["deployed", "completed", "stopped"],
    };
    if !accepted.contains(&row.status.as_str()) {
        let detail = format!(
            "Cannot rollback to deployment in '{}' state. Only deployed or completed deployments can be rolled back to.",
            row.status
        );
        return Some(problem(StatusCode::BAD_REQUEST, "Invalid Deployment State", &detail));
    }
    if !row.has_image {
        let detail = format!(
            "Cannot rollback: Docker image 'shop:{}' no longer exists locally",
            row.id
        );
        return Some(problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal Server Error",
            &detail,
        ));
    }
    None
}

/// Goes back to `target`: the answer, and what is told.
fn go_back(state: &mut State, shared: &Shared, target: u64) -> (Response, Vec<Json>) {
    let shown = |state: &State, id| answer(&state.row(id).map(|row| state.deployment(row)).unwrap_or_default());
    if state.fault == RollbackFault::DoesNothing {
        return (shown(state, target), Vec::new());
    }
    let (bad, release) = (state.current, state.row(target).map(|row| row.release.clone()));
    let wall = shared.clock.wall();
    let mut payloads = Vec::new();
    let id = match release {
        Some(release) if state.generation != Generation::G1 => {
            let id = state.create(release, Some(target), wall);
            payloads.push(state.payload(id, "live", wall));
            id
        }
        _ => target,
    };
    state.make_current(id, shared.clock.now());
    if state.generation == Generation::Guide {
        payloads.extend(bad.map(|bad| state.payload(bad, "rolled_back", wall)));
    }
    if state.fault == RollbackFault::LosesTheAnswer {
        let detail = "connection to the worker was lost";
        let lost = problem(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error", detail);
        return (lost, payloads);
    }
    (shown(state, id), payloads)
}
