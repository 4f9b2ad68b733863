//! `/api/v1/endpoints`: who is told, how that goes, and a person's hand on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::App;
use super::super::extract::Segment;
use super::super::problem::Problem;
use super::{All, Answer, Done, unreadable};
use crate::domain::EndpointName;
use crate::runtime::test_message;
use crate::store::EndpointView;

/// Why an endpoint is off that a person switched off.
const OFF_BY_HAND: &str = "it was switched off by hand";

/// An endpoint, with what the config says of it. Neither its address nor its secrets are shown.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct EndpointAnswer {
    /// It is in the config now.
    pub(in crate::web) configured: bool,
    /// What it is sent: `plain`, `slack`, …
    pub(in crate::web) format: Option<&'static str>,
    /// The host of its address.
    pub(in crate::web) host: Option<String>,
    /// What it is told of; empty for everything that its format has words for.
    pub(in crate::web) events: Vec<String>,
    #[serde(flatten)]
    pub(in crate::web) faring: EndpointView,
}

impl EndpointAnswer {
    /// How it stands, in a word or two.
    pub(in crate::web) fn standing(&self) -> &'static str {
        match &self.faring {
            _ if !self.configured => "not in the config any more",
            faring if faring.off_reason.is_some() => "off",
            faring if faring.failures > 0 => "failing",
            _ => "ok",
        }
    }
}

/// Each endpoint of the config, and each that something was queued for.
#[utoipa::path(get, path = "/api/v1/endpoints", operation_id = "list_endpoints", tag = "endpoints",
    responses((status = 200, description = "All of them", body = All<EndpointAnswer>)))]
pub(in crate::web) async fn list(State(app): State<Arc<App>>) -> Answer<All<EndpointAnswer>> {
    let stored = app.store.endpoints().await.map_err(|error| unreadable(&error))?;
    let mut stored: BTreeMap<String, EndpointView> = stored.into_iter().map(|view| (view.name.clone(), view)).collect();
    let config = app.config.load();
    let configured = config.endpoints.iter().map(|endpoint| EndpointAnswer {
        configured: true,
        format: Some(endpoint.format.as_str()),
        host: Some(endpoint.url.host()),
        events: endpoint.events.clone(),
        faring: stored.remove(endpoint.name.as_str()).unwrap_or_else(|| EndpointView {
            name: endpoint.name.to_string(),
            ..EndpointView::default()
        }),
    });
    let mut items: Vec<EndpointAnswer> = configured.collect();
    items.extend(stored.into_values().map(|faring| EndpointAnswer {
        configured: false,
        format: None,
        host: None,
        events: Vec::new(),
        faring,
    }));
    items.sort_by(|a, b| a.faring.name.cmp(&b.faring.name));
    Ok(Json(All { items }))
}

/// A message that was queued.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct Queued {
    /// Its id.
    pub(in crate::web) message: String,
}

/// Sends an endpoint a test, signed like everything else.
#[utoipa::path(post, path = "/api/v1/endpoints/{name}/test", operation_id = "test_endpoint", tag = "endpoints",
    params(("name" = String, Path, description = "The endpoint: NAME of `[outcome.NAME]`")),
    responses((status = 200, description = "It is queued", body = Queued)))]
pub(in crate::web) async fn test(State(app): State<Arc<App>>, Segment(name): Segment) -> Answer<Queued> {
    let config = app.config.load();
    let endpoint = config.endpoints.iter().find(|endpoint| endpoint.name.as_str() == name);
    let endpoint = endpoint.ok_or_else(no_endpoint)?;
    let Some(message) = test_message(endpoint, &config, &app.ids, app.clock.now()) else {
        let detail = "what this endpoint reads has no words for a test";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    let id = message.id.to_string();
    app.store
        .queue(vec![message])
        .await
        .map_err(|error| unreadable(&error))?;
    app.handle.outbox_changed();
    Ok(Json(Queued { message: id }))
}

/// Switches an endpoint on again; what waited for it is sent.
#[utoipa::path(post, path = "/api/v1/endpoints/{name}/enable", operation_id = "enable_endpoint", tag = "endpoints",
    params(("name" = String, Path, description = "The endpoint: NAME of `[outcome.NAME]`")),
    responses((status = 200, description = "It is on", body = Done)))]
pub(in crate::web) async fn enable(State(app): State<Arc<App>>, Segment(name): Segment) -> Answer<Done> {
    let endpoint = known(&app, &name)?;
    let changed = app.store.endpoint_on(endpoint).await;
    let changed = changed.map_err(|error| unreadable(&error))?;
    if changed {
        tracing::info!(endpoint = name, "the endpoint is switched on");
        app.handle.outbox_changed();
    }
    let status = if changed { "enabled" } else { "already on" };
    Ok(Json(Done { status }))
}

/// Switches an endpoint off until a person switches it on; what waits for it is kept.
#[utoipa::path(post, path = "/api/v1/endpoints/{name}/disable", operation_id = "disable_endpoint", tag = "endpoints",
    params(("name" = String, Path, description = "The endpoint: NAME of `[outcome.NAME]`")),
    responses((status = 200, description = "It is off", body = Done)))]
pub(in crate::web) async fn disable(State(app): State<Arc<App>>, Segment(name): Segment) -> Answer<Done> {
    let endpoint = known(&app, &name)?;
    let changed = app
        .store
        .endpoint_off(endpoint, OFF_BY_HAND.to_owned(), false, Vec::new());
    let changed = changed.await.map_err(|error| unreadable(&error))?;
    if changed {
        tracing::warn!(endpoint = name, "the endpoint is switched off by hand");
    }
    let status = if changed { "disabled" } else { "already off" };
    Ok(Json(Done { status }))
}

/// The endpoint of this name in the config.
fn known(app: &App, name: &str) -> Result<EndpointName, Problem> {
    let config = app.config.load();
    let found = config.endpoints.iter().find(|endpoint| endpoint.name.as_str() == name);
    found.map(|endpoint| endpoint.name.clone()).ok_or_else(no_endpoint)
}

fn no_endpoint() -> Problem {
    Problem::not_found("the config has no such [outcome.NAME]; `backstop outcomes` lists those there are")
}
