//! `/api/v1/messages` and `/api/v1/endpoints`: what is sent again, who is tried, and how the endpoints fare.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::App;
use super::api::{All, Answer, Done, change, unreadable};
use super::extract::Segment;
use super::problem::Problem;
use crate::domain::{EndpointName, MessageId, Timestamp};
use crate::runtime::test_message;
use crate::store::{EndpointView, ReplayFilter};

/// The most messages that one request queues again.
const REPLAY_MAX: usize = 1_000;
/// The most messages that one request names.
const IDS_MAX: usize = 100;
/// How far back a replay may reach.
const SINCE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const REPLAY_SHAPE: &str = r#"send `{"ids": ["whk_…"]}`, or which: `{"endpoint": "ops", "failed": true, "since": "2h", "until": "1h", "limit": 1000}`; name the endpoint unless only what failed is wanted"#;

/// Which messages to send again.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplayAsked {
    ids: Option<Vec<String>>,
    endpoint: Option<String>,
    #[serde(default)]
    failed: bool,
    since: Option<String>,
    until: Option<String>,
    limit: Option<usize>,
}

/// What was queued again.
#[derive(Serialize)]
pub(super) struct ReplayAnswer {
    /// So many messages.
    queued: u64,
    /// More of them are left; ask again.
    more: bool,
}

pub(super) async fn replay(State(app): State<Arc<App>>, body: Body) -> Answer<ReplayAnswer> {
    let asked = change(body, REPLAY_SHAPE).await?;
    replay_asked(&app, asked).await.map(Json)
}

impl ReplayAsked {
    /// What an endpoint missed: all that was given up.
    pub(super) fn given_up(endpoint: String) -> Self {
        Self {
            endpoint: Some(endpoint),
            failed: true,
            ..Self::default()
        }
    }
}

/// Queues again what was asked for.
///
/// # Errors
/// When that is nothing that can be.
pub(super) async fn replay_asked(app: &App, asked: ReplayAsked) -> Result<ReplayAnswer, Problem> {
    let answer = match &asked.ids {
        Some(ids) => replay_ids(app, ids).await?,
        None => {
            let filter = filter(&asked, app.clock.now())?;
            let done = app.store.replay_all(filter, app.clock.now()).await;
            let done = done.map_err(|error| unreadable(&error))?;
            ReplayAnswer {
                queued: done.count,
                more: done.more,
            }
        }
    };
    tracing::info!(queued = answer.queued, "messages are sent again");
    app.handle.outbox_changed();
    Ok(answer)
}

async fn replay_ids(app: &App, ids: &[String]) -> Result<ReplayAnswer, Problem> {
    if !(1..=IDS_MAX).contains(&ids.len()) {
        return Err(Problem::bad_request("name from 1 to 100 messages"));
    }
    let mut queued = 0;
    for id in ids {
        let found = app.store.replay(&MessageId::new(id.as_str()), app.clock.now()).await;
        queued += u64::from(found.map_err(|error| unreadable(&error))?);
    }
    if queued == 0 {
        return Err(Problem::not_found("there is no such message to send again"));
    }
    Ok(ReplayAnswer { queued, more: false })
}

fn filter(asked: &ReplayAsked, now: Timestamp) -> Result<ReplayFilter, Problem> {
    let wrong = || Problem::bad_request(REPLAY_SHAPE);
    if asked.endpoint.is_none() && !asked.failed {
        return Err(wrong());
    }
    let moment = |ago: &Option<String>| -> Result<Option<Timestamp>, Problem> {
        let Some(ago) = ago else { return Ok(None) };
        let ago = humantime::parse_duration(ago).ok().filter(|ago| *ago <= SINCE_MAX);
        let ms = ago
            .and_then(|ago| i64::try_from(ago.as_millis()).ok())
            .ok_or_else(wrong)?;
        Ok(Some(Timestamp::from_millis(now.as_millis() - ms)))
    };
    let limit = asked.limit.unwrap_or(REPLAY_MAX);
    if !(1..=REPLAY_MAX).contains(&limit) {
        return Err(Problem::bad_request("`limit` is from 1 to 1000"));
    }
    Ok(ReplayFilter {
        endpoint: asked.endpoint.as_deref().map(EndpointName::new),
        failed: asked.failed,
        since: moment(&asked.since)?,
        until: moment(&asked.until)?,
        limit,
    })
}

/// An endpoint, with what the config says of it. Neither its address nor its secrets are shown.
#[derive(Serialize)]
pub(super) struct EndpointAnswer {
    /// It is in the config now.
    pub(super) configured: bool,
    pub(super) format: Option<&'static str>,
    pub(super) host: Option<String>,
    pub(super) events: Vec<String>,
    #[serde(flatten)]
    pub(super) faring: EndpointView,
}

impl EndpointAnswer {
    /// How it stands, in a word or two.
    pub(super) fn standing(&self) -> &'static str {
        match &self.faring {
            _ if !self.configured => "not in the config any more",
            faring if faring.off_reason.is_some() => "off",
            faring if faring.failures > 0 => "failing",
            _ => "ok",
        }
    }
}

pub(super) async fn endpoints(State(app): State<Arc<App>>) -> Answer<All<EndpointAnswer>> {
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
#[derive(Serialize)]
pub(super) struct Queued {
    pub(super) message: String,
}

pub(super) async fn test(State(app): State<Arc<App>>, Segment(name): Segment) -> Answer<Queued> {
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

pub(super) async fn enable(State(app): State<Arc<App>>, Segment(name): Segment) -> Answer<Done> {
    let is_known = app
        .config
        .load()
        .endpoints
        .iter()
        .any(|endpoint| endpoint.name.as_str() == name);
    if !is_known {
        return Err(no_endpoint());
    }
    let changed = app.store.endpoint_on(EndpointName::new(name.as_str())).await;
    let changed = changed.map_err(|error| unreadable(&error))?;
    if changed {
        tracing::info!(endpoint = name, "the endpoint is switched on");
        app.handle.outbox_changed();
    }
    let status = if changed { "enabled" } else { "already on" };
    Ok(Json(Done { status }))
}

fn no_endpoint() -> Problem {
    Problem::not_found("the config has no such [outcome.NAME]; `backstop outcomes` lists those there are")
}
