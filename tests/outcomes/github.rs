//! Deployment statuses, sent to a pretend GitHub.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use backstop::domain::{EndpointName, MessageId};
use backstop::http::{Client, Network};
use backstop::outcome::{Address, Attempted, Endpoint, Format, Next, attempt, judge_attempt};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::WALL;

const TOKEN: &str = "github_pat_a-token-that-must-not-be-kept";

/// What GitHub has, and what it was asked.
#[derive(Default)]
struct Repository {
    deployments: Vec<Value>,
    statuses: Vec<(u64, Value)>,
    asked: Vec<String>,
    /// Statuses are refused with this, once each.
    refuse: Vec<StatusCode>,
}

type Shared = Arc<Mutex<Repository>>;

fn is_let_in(headers: &HeaderMap) -> bool {
    headers["authorization"] == format!("Bearer {TOKEN}") && headers.contains_key("user-agent")
}

async fn list(
    State(shared): State<Shared>,
    Query(asked): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let mut shared = shared.lock().expect("lock");
    shared.asked.push(format!("list {asked:?}"));
    if !is_let_in(&headers) {
        let said = format!("Bad credentials: {}", headers["authorization"].to_str().expect("text"));
        return (StatusCode::UNAUTHORIZED, said).into_response();
    }
    let value = |name: &str| {
        asked
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    let is_same = |one: &&Value| {
        one["ref"] == value("sha").unwrap_or("") && one["environment"] == value("environment").unwrap_or("")
    };
    let found: Vec<&Value> = shared.deployments.iter().filter(is_same).collect();
    Json(json!(found)).into_response()
}

async fn create(State(shared): State<Shared>, Json(mut wanted): Json<Value>) -> Response {
    let mut shared = shared.lock().expect("lock");
    shared.asked.push("create".to_owned());
    if wanted["auto_merge"] != false || wanted["required_contexts"] != json!([]) {
        return StatusCode::CONFLICT.into_response();
    }
    wanted["id"] = json!(41 + shared.deployments.len());
    shared.deployments.push(wanted.clone());
    (StatusCode::CREATED, Json(wanted)).into_response()
}

async fn status(State(shared): State<Shared>, Path(id): Path<u64>, Json(said): Json<Value>) -> Response {
    let mut shared = shared.lock().expect("lock");
    shared.asked.push(format!("status {id}"));
    if !shared.refuse.is_empty() {
        return shared.refuse.remove(0).into_response();
    }
    shared.statuses.push((id, said.clone()));
    (StatusCode::CREATED, Json(said)).into_response()
}

async fn github() -> (Endpoint, Shared) {
    let shared = Shared::default();
    let router = Router::new()
        .route("/api/v3/repos/acme/shop/deployments", get(list).post(create))
        .route("/api/v3/repos/acme/shop/deployments/{id}/statuses", post(status))
        .with_state(Arc::clone(&shared));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let address = Address::parse(&format!("http://{address}/api/v3/repos/acme/shop")).expect("an address");
    let endpoint = Endpoint {
        credential: Some(TOKEN.into()),
        ..Endpoint::new(EndpointName::new("commit"), Format::GitHub, address)
    };
    (endpoint, shared)
}

async fn told(endpoint: &Endpoint, sha: &str, environment: &str, state: &str) -> Attempted {
    let client = Client::new(Network::default()).expect("a client");
    let message = json!({
        "sha": sha, "environment": environment, "state": state, "description": "Said.", "log_url": "https://b.example/runs/1",
    });
    let id = MessageId::new("whk_1");
    attempt(
        &client,
        endpoint,
        &id,
        message.to_string().as_bytes(),
        "application/json",
        WALL,
    )
    .await
}

#[tokio::test]
async fn a_deployment_is_made_once_and_each_message_is_a_status_of_it() {
    let (endpoint, shared) = github().await;
    for state in ["in_progress", "failure"] {
        let attempted = told(&endpoint, "f4c8e2a", "production", state).await;
        assert_eq!(judge_attempt(&attempted, 1, 0), Next::Delivered, "{attempted:?}");
    }
    let seen = shared.lock().expect("lock");
    assert_eq!(seen.deployments.len(), 1);
    let states: Vec<(u64, &str)> = seen
        .statuses
        .iter()
        .map(|(id, said)| (*id, said["state"].as_str().expect("a state")))
        .collect();
    assert_eq!(states, [(41, "in_progress"), (41, "failure")]);
    assert_eq!(seen.statuses[0].1["log_url"], "https://b.example/runs/1");
    assert_eq!(seen.statuses[0].1["auto_inactive"], false);
}

#[tokio::test]
async fn the_platforms_own_deployment_gets_the_status() {
    let (endpoint, shared) = github().await;
    let own = json!({"id": 7, "ref": "f4c8e2a", "environment": "production"});
    shared.lock().expect("lock").deployments.push(own);
    told(&endpoint, "f4c8e2a", "production", "success").await;
    told(&endpoint, "f4c8e2a", "staging", "success").await;
    let seen = shared.lock().expect("lock");
    let ids: Vec<u64> = seen.statuses.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [7, 42]);
}

#[tokio::test]
async fn a_message_that_is_sent_again_makes_no_second_deployment() {
    let (endpoint, shared) = github().await;
    shared.lock().expect("lock").refuse = vec![StatusCode::BAD_GATEWAY];
    let first = told(&endpoint, "f4c8e2a", "production", "failure").await;
    assert!(matches!(judge_attempt(&first, 1, 0), Next::Retry(_)), "{first:?}");
    let second = told(&endpoint, "f4c8e2a", "production", "failure").await;
    assert_eq!(judge_attempt(&second, 2, 0), Next::Delivered);
    let seen = shared.lock().expect("lock");
    assert_eq!((seen.deployments.len(), seen.statuses.len()), (1, 1));
}

/// The token is wrong: no step follows, and what is kept of the answer does not have it.
#[tokio::test]
async fn a_refusal_ends_the_attempt_and_keeps_no_token() {
    let (endpoint, shared) = github().await;
    let wrong = Endpoint {
        credential: Some("github_pat_another-token".into()),
        ..endpoint
    };
    let attempted = told(&wrong, "f4c8e2a", "production", "success").await;
    assert_eq!(attempted.status, Some(401));
    assert!(attempted.response_excerpt.contains("Bad credentials"), "{attempted:?}");
    assert!(!format!("{attempted:?}").contains("another-token"), "{attempted:?}");
    assert_eq!(shared.lock().expect("lock").asked.len(), 1, "nothing follows");
}

/// What a platform wrote stays a value: it is no other path, parameter or member.
#[tokio::test]
async fn a_hostile_name_is_a_name() {
    let (endpoint, shared) = github().await;
    let environment = "prod&sha=other/../../x?y#z\",\"state\":\"success{{ token }}";
    let attempted = told(&endpoint, "a/../b?c=d&e", environment, "failure").await;
    assert_eq!(judge_attempt(&attempted, 1, 0), Next::Delivered, "{attempted:?}");
    let seen = shared.lock().expect("lock");
    assert_eq!(seen.deployments[0]["ref"], "a/../b?c=d&e");
    assert_eq!(seen.deployments[0]["environment"], environment);
    assert_eq!(seen.statuses[0].1["state"], "failure");
    assert_eq!(seen.statuses[0].1["environment"], environment);
}
