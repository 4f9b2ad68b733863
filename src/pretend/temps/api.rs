//! The API: the same paths in every generation, and the console's page on every other.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State as With};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value as Json, json};

use super::state::{Generation, RollbackCall, RollbackFault, State};
use super::{APP, ENVIRONMENT, PROJECT, Shared, deliver};
use crate::pretend::app::CONSOLE;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    let api = Router::new()
        .route("/api/projects", get(projects))
        .route("/api/projects/by-slug/{slug}", get(by_slug))
        .route("/api/projects/{project}", get(project))
        .route("/api/projects/{project}/webhooks", get(webhooks))
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
fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let body = json!({"detail": detail, "title": title}).to_string();
    let mut response = (status, body).into_response();
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn answer(json: &Json) -> Response {
    ([(CONTENT_TYPE, "application/json")], json.to_string()).into_response()
}

async fn authenticate(With(shared): With<Arc<Shared>>, request: Request, next: Next) -> Response {
    let expected = format!("Bearer {}", shared.token);
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

async fn projects() -> Response {
    answer(&json!({"projects": [shown_project()], "total": 1, "page": 1, "per_page": 100}))
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

fn no_project() -> Response {
    problem(StatusCode::NOT_FOUND, "Project Not Found", "Project not found")
}

async fn webhooks(With(shared): With<Arc<Shared>>, Path(_): Path<String>) -> Response {
    let webhook = shared.state().webhook.clone();
    let shown = webhook.map(|(url, _)| {
        json!({"id": 1, "project_id": PROJECT, "url": url, "enabled": true, "has_secret": true,
               "events": ["deployment_created", "deployment_succeeded", "deployment_failed"]})
    });
    answer(&Json::Array(shown.into_iter().collect()))
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
    let done = {
        let mut state = shared.state();
        let found = state.find(&target).filter(|_| project == PROJECT.to_string());
        let done = match found {
            None => Err(problem(
                StatusCode::NOT_FOUND,
                "Deployment Not Found",
                "Target deployment not found",
            )),
            Some(id) => go_back(&mut state, &shared, id),
        };
        let status = done
            .as_ref()
            .map_or_else(|response| response.status(), |_| StatusCode::OK)
            .as_u16();
        state.calls.push(RollbackCall { target, status });
        done
    };
    match done {
        Err(response) => response,
        Ok((response, payloads)) => {
            // The real one tells before it answers; a receiver must not mind either order.
            for payload in payloads {
                deliver::send(&shared, payload).await;
            }
            response
        }
    }
}

type Done = Result<(Response, Vec<Json>), Response>;

fn go_back(state: &mut State, shared: &Shared, target: u64) -> Done {
    let (status, has_image, release) = match state.row(target) {
        Some(row) => (row.status.clone(), row.has_image, row.release.clone()),
        None => {
            return Err(problem(
                StatusCode::NOT_FOUND,
                "Deployment Not Found",
                "Target deployment not found",
            ));
        }
    };
    let accepts_stopped = matches!(state.generation, Generation::G3 | Generation::Guide);
    if !matches!(status.as_str(), "deployed" | "completed") && !(accepts_stopped && status == "stopped") {
        let detail = format!(
            "Cannot rollback to deployment in '{status}' state. Only deployed or completed deployments can be rolled back to."
        );
        return Err(problem(StatusCode::BAD_REQUEST, "Invalid Deployment State", &detail));
    }
    if !has_image {
        let detail = format!("Cannot rollback: Docker image 'shop:{target}' no longer exists locally");
        return Err(problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal Server Error",
            &detail,
        ));
    }
    if state.fault == RollbackFault::DoesNothing {
        let shown = state.row(target).map(|row| state.deployment(row)).unwrap_or_default();
        return Ok((answer(&shown), Vec::new()));
    }
    let bad = state.current;
    let (now, wall) = (shared.clock.now(), shared.clock.wall());
    let (id, mut payloads) = if state.generation == Generation::G1 {
        (target, Vec::new())
    } else {
        let id = state.create(release, Some(target), wall);
        (id, vec![state.payload(id, "live", wall)])
    };
    state.make_current(id, now);
    if state.generation == Generation::Guide {
        payloads.extend(bad.map(|bad| state.payload(bad, "rolled_back", wall)));
    }
    if state.fault == RollbackFault::LosesTheAnswer {
        let lost = problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Internal Server Error",
            "connection to the worker was lost",
        );
        return Ok((lost, payloads));
    }
    let shown = state.row(id).map(|row| state.deployment(row)).unwrap_or_default();
    Ok((answer(&shown), payloads))
}
