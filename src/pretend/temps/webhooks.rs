//! Webhooks: making and changing them, and what they sent.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State as With};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value as Json, json};

use super::api::{answer, no_project, problem};
use super::state::State;
use super::{PROJECT, Shared};
use crate::domain::Timestamp;

/// What tells of deployments.
pub(super) const DEPLOYMENTS: [&str; 4] = [
    "deployment_created",
    "deployment_succeeded",
    "deployment_failed",
    "deployment_cancelled",
];
/// Every event that there is, as far as it matters here.
const KNOWN: [&str; 6] = [
    "deployment_created",
    "deployment_succeeded",
    "deployment_failed",
    "deployment_cancelled",
    "deployment_ready",
    "domain_created",
];

/// One webhook.
#[derive(Clone, Debug)]
pub(super) struct Webhook {
    pub(super) id: u64,
    pub(super) project: u64,
    pub(super) url: String,
    pub(super) secret: Option<String>,
    pub(super) events: Vec<String>,
    pub(super) enabled: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Webhook {
    /// As the API shows it: never with its secret.
    pub(super) fn shown(&self) -> Json {
        json!({
            "id": self.id, "project_id": self.project, "url": self.url, "events": self.events, "enabled": self.enabled,
            "has_secret": self.secret.is_some(), "created_at": self.created_at.to_string(),
            "updated_at": self.updated_at.to_string(),
        })
    }
}

/// What a webhook sent once, and how that ended.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) webhook: u64,
    pub(super) event: String,
    pub(super) status: Option<u16>,
    pub(super) at: Timestamp,
}

impl State {
    pub(super) fn add_webhook(
        &mut self,
        project: u64,
        url: &str,
        secret: Option<&str>,
        events: Vec<String>,
        at: Timestamp,
    ) -> Webhook {
        let id = self.webhooks.iter().map(|webhook| webhook.id).max().unwrap_or(0) + 1;
        let webhook = Webhook {
            id,
            project,
            url: url.to_owned(),
            secret: secret.map(str::to_owned),
            events,
            enabled: true,
            created_at: at,
            updated_at: at,
        };
        self.webhooks.push(webhook.clone());
        webhook
    }

    fn has_project(&self, id: &str) -> Option<u64> {
        let id = id.parse().ok()?;
        let known = id == PROJECT || self.more_projects.iter().any(|(other, _)| *other == id);
        known.then_some(id)
    }

    /// What the token lacks, as the platform says it.
    fn denial(&self, permission: &str) -> Option<Response> {
        if !self.denied.iter().any(|denied| denied == permission) {
            return None;
        }
        let body = json!({
            "detail": format!("This operation requires the {permission} permission"), "instance": "",
            "required_permission": permission, "title": "Insufficient Permissions",
            "type": "https://temps.sh/probs/insufficient-permissions", "user_role": "custom",
        });
        let headers = [(CONTENT_TYPE, "application/problem+json")];
        Some((StatusCode::FORBIDDEN, headers, body.to_string()).into_response())
    }
}

/// The events asked for, in the form they come back in; unknown ones are left out without a word.
fn known_events(asked: &Json) -> Option<Vec<String>> {
    let asked = asked.get("events")?.as_array()?.iter().filter_map(Json::as_str);
    let asked = asked.map(|event| event.replace('.', "_"));
    Some(asked.filter(|event| KNOWN.contains(&event.as_str())).collect())
}

fn text<'j>(asked: &'j Json, name: &str) -> Option<&'j str> {
    asked.get(name).and_then(Json::as_str)
}

pub(super) async fn list(With(shared): With<Arc<Shared>>, Path(project): Path<String>) -> Response {
    let state = shared.state();
    if let Some(denial) = state.denial("webhooks:read") {
        return denial;
    }
    let of = state.has_project(&project);
    let shown = state
        .webhooks
        .iter()
        .rev()
        .filter(|webhook| Some(webhook.project) == of);
    answer(&Json::Array(shown.map(Webhook::shown).collect()))
}

pub(super) async fn create(With(shared): With<Arc<Shared>>, Path(project): Path<String>, body: Bytes) -> Response {
    let mut state = shared.state();
    if let Some(denial) = state.denial("webhooks:create") {
        return denial;
    }
    let Some(project) = state.has_project(&project) else {
        return no_project();
    };
    let asked: Json = serde_json::from_slice(&body).unwrap_or_default();
    let events = known_events(&asked).unwrap_or_default();
    if events.is_empty() {
        return problem(StatusCode::BAD_REQUEST, "Invalid event types", "No valid event types");
    }
    let Some(url) = text(&asked, "url") else {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let made = state.add_webhook(project, url, text(&asked, "secret"), events, shared.clock.wall());
    state.webhook_changes += 1;
    (StatusCode::CREATED, answer(&made.shown())).into_response()
}

pub(super) async fn update(
    With(shared): With<Arc<Shared>>,
    Path((project, id)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let mut state = shared.state();
    if let Some(denial) = state.denial("webhooks:write") {
        return denial;
    }
    let asked: Json = serde_json::from_slice(&body).unwrap_or_default();
    let wall = shared.clock.wall();
    let project = state.has_project(&project);
    let ours = |webhook: &&mut Webhook| Some(webhook.project) == project && webhook.id.to_string() == id;
    let Some(webhook) = state.webhooks.iter_mut().find(ours) else {
        return problem(StatusCode::NOT_FOUND, "Webhook Not Found", "Webhook not found");
    };
    if let Some(url) = text(&asked, "url") {
        webhook.url = url.to_owned();
    }
    if let Some(secret) = text(&asked, "secret") {
        webhook.secret = Some(secret.to_owned());
    }
    if let Some(events) = known_events(&asked) {
        webhook.events = events;
    }
    if let Some(enabled) = asked.get("enabled").and_then(Json::as_bool) {
        webhook.enabled = enabled;
    }
    webhook.updated_at = wall;
    let shown = webhook.shown();
    state.webhook_changes += 1;
    answer(&shown)
}

/// How many of them are asked for.
#[derive(serde::Deserialize)]
pub(super) struct Asked {
    limit: Option<usize>,
}

pub(super) async fn deliveries(
    With(shared): With<Arc<Shared>>,
    Path((_, id)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Response {
    let state = shared.state();
    if let Some(denial) = state.denial("webhooks:read") {
        return denial;
    }
    let of = |sent: &&Sent| sent.webhook.to_string() == id;
    let newest = state
        .sent
        .iter()
        .rev()
        .filter(of)
        .take(asked.limit.unwrap_or(50).min(100));
    let shown = newest.map(|sent| {
        let success = sent.status.is_some_and(|status| (200..300).contains(&status));
        json!({
            "webhook_id": sent.webhook, "event_type": sent.event, "success": success, "status_code": sent.status,
            "error_message": sent.status.is_none().then_some("error sending request"), "attempt_number": 1,
            "created_at": sent.at.to_string(), "delivered_at": success.then(|| sent.at.to_string()),
        })
    });
    answer(&Json::Array(shown.collect()))
}
