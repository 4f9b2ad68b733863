//! `/api/v1/messages`: what was sent, and sending it again.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::openapi::{Object, ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use super::super::App;
use super::super::extract::{Asked, Segment};
use super::super::filters;
use super::super::problem::Problem;
use super::super::redact;
use super::{Answer, Done, change, limit, unreadable};
use crate::domain::{EndpointName, MessageId, Timestamp};
use crate::store::{MessageView, Page, ReplayFilter};

/// The most messages that one request queues again.
const REPLAY_MAX: usize = 1_000;
/// The most messages that one request names.
const IDS_MAX: usize = 100;
/// How far back a replay may reach.
const SINCE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

const REPLAY_SHAPE: &str = r#"send `{"ids": ["whk_…"]}`, or which: `{"endpoint": "ops", "failed": true, "since": "2h", "until": "1h", "limit": 1000}`; name the endpoint unless only what failed is wanted"#;

/// Which messages, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct MessagesAsked {
    /// Only what was told of this run.
    #[param(max_length = 300)]
    pub(in crate::web) run: Option<String>,
    /// Only to this endpoint.
    #[param(max_length = 300)]
    pub(in crate::web) endpoint: Option<String>,
    /// Only of this event.
    #[param(max_length = 300)]
    pub(in crate::web) event: Option<String>,
    /// Only those that stand so.
    #[param(schema_with = filters::states)]
    pub(in crate::web) state: Option<String>,
    /// Only those decided then or later: a moment, a day (`2026-03-12`), or how long ago (`2h`).
    #[param(pattern = r"^(|[1-9][0-9]{0,2}[smhd]|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")]
    pub(in crate::web) since: Option<String>,
    /// Only those decided before: the same.
    #[param(pattern = r"^(|[1-9][0-9]{0,2}[smhd]|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")]
    pub(in crate::web) until: Option<String>,
    /// The last page's `next`.
    #[param(pattern = r"^(|[0-9]{1,15}-[^\n]{0,200})$")]
    pub(in crate::web) before: Option<String>,
    /// At most so many rows.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(in crate::web) limit: Option<usize>,
}

/// Messages to endpoints, newest first.
#[utoipa::path(get, path = "/api/v1/messages", operation_id = "list_messages", tag = "messages", params(MessagesAsked),
    responses((status = 200, description = "A page of messages", body = Page<MessageView>)))]
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<MessagesAsked>,
) -> Answer<Page<MessageView>> {
    let filter = asked.filter(limit(asked.limit)?, app.clock.now())?;
    let page = app.store.list_messages(filter).await;
    page.map(Json).map_err(|error| unreadable(&error))
}

/// One message, with its body and its attempts.
#[utoipa::path(get, path = "/api/v1/messages/{id}", operation_id = "get_message", tag = "messages",
    params(("id" = String, Path, description = "The message")),
    responses((status = 200, description = "The message", body = MessageView)))]
pub(in crate::web) async fn one(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<MessageView> {
    match app.store.message(&MessageId::new(id)).await {
        Ok(Some(message)) => Ok(Json(masked(message))),
        Ok(None) => Err(Problem::not_found("there is no such message")),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Without the links that let whoever has them approve a rollback.
fn masked(mut message: MessageView) -> MessageView {
    message.body = message.body.map(|body| redact::approvals(&body));
    for attempt in message.attempt_log.iter_mut().flatten() {
        attempt.response = redact::approvals(&attempt.response);
    }
    message
}

/// Sends one message again: the same bytes, under the same id.
#[utoipa::path(post, path = "/api/v1/messages/{id}/replay", operation_id = "replay_message", tag = "messages",
    params(("id" = String, Path, description = "The message")),
    responses((status = 200, description = "It is queued", body = Done)))]
pub(in crate::web) async fn replay(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<Done> {
    match app.store.replay(&MessageId::new(id), app.clock.now()).await {
        Ok(true) => {
            app.handle.outbox_changed();
            Ok(Json(Done { status: "queued" }))
        }
        Ok(false) => Err(Problem::not_found("there is no such message to send again")),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Which messages to send again: these, those to one endpoint, or all that were given up.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::web) enum ReplayAsked {
    These(TheseAsked),
    Endpoint(EndpointAsked),
    Failed(FailedAsked),
}

/// These messages.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct TheseAsked {
    /// Their ids.
    #[schema(min_items = 1, max_items = 100)]
    ids: Vec<String>,
}

/// The messages to one endpoint.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct EndpointAsked {
    /// Its name.
    endpoint: String,
    /// Only those that were given up.
    #[serde(default)]
    failed: bool,
    /// Only those decided since so long ago, as `2h`; at most 366 days.
    #[schema(pattern = r"^([1-9][0-9]{0,2}[smh]|[1-9][0-9]?d)$")]
    since: Option<String>,
    /// Only those decided until so long ago.
    #[schema(pattern = r"^([1-9][0-9]{0,2}[smh]|[1-9][0-9]?d)$")]
    until: Option<String>,
    /// At most so many.
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<usize>,
}

/// The messages that were given up, to whichever endpoint.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct FailedAsked {
    /// `true`: everything that was ever sent is not sent again at once.
    #[schema(schema_with = only_true)]
    failed: bool,
    /// Only those decided since so long ago, as `2h`; at most 366 days.
    #[schema(pattern = r"^([1-9][0-9]{0,2}[smh]|[1-9][0-9]?d)$")]
    since: Option<String>,
    /// Only those decided until so long ago.
    #[schema(pattern = r"^([1-9][0-9]{0,2}[smh]|[1-9][0-9]?d)$")]
    until: Option<String>,
    /// At most so many.
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<usize>,
}

fn only_true() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([true]))
        .build()
}

/// What was queued again.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct ReplayAnswer {
    /// So many messages.
    queued: u64,
    /// More of them are left; ask again.
    more: bool,
}

/// Sends many messages again.
#[utoipa::path(post, path = "/api/v1/messages/replay", operation_id = "replay_messages", tag = "messages",
    request_body = ReplayAsked,
    responses((status = 200, description = "So many are queued", body = ReplayAnswer)))]
pub(in crate::web) async fn replay_many(State(app): State<Arc<App>>, body: Body) -> Answer<ReplayAnswer> {
    let asked = change(body, REPLAY_SHAPE).await?;
    replay_asked(&app, asked).await.map(Json)
}

impl ReplayAsked {
    /// What an endpoint missed: all that was given up.
    pub(in crate::web) fn given_up(endpoint: String) -> Self {
        Self::Endpoint(EndpointAsked {
            endpoint,
            failed: true,
            ..EndpointAsked::default()
        })
    }
}

/// Queues again what was asked for.
///
/// # Errors
/// When that is nothing that can be.
pub(in crate::web) async fn replay_asked(app: &App, asked: ReplayAsked) -> Result<ReplayAnswer, Problem> {
    let now = app.clock.now();
    let answer = match asked {
        ReplayAsked::These(TheseAsked { ids }) => replay_ids(app, &ids).await?,
        ReplayAsked::Endpoint(asked) => {
            let filter = ReplayFilter {
                endpoint: Some(EndpointName::new(asked.endpoint)),
                failed: asked.failed,
                since: ago(asked.since.as_deref(), now)?,
                until: ago(asked.until.as_deref(), now)?,
                limit: replay_limit(asked.limit)?,
            };
            replay_fitting(app, filter, now).await?
        }
        ReplayAsked::Failed(FailedAsked { failed: false, .. }) => return Err(Problem::bad_request(REPLAY_SHAPE)),
        ReplayAsked::Failed(asked) => {
            let filter = ReplayFilter {
                endpoint: None,
                failed: true,
                since: ago(asked.since.as_deref(), now)?,
                until: ago(asked.until.as_deref(), now)?,
                limit: replay_limit(asked.limit)?,
            };
            replay_fitting(app, filter, now).await?
        }
    };
    tracing::info!(queued = answer.queued, "messages are sent again");
    app.handle.outbox_changed();
    Ok(answer)
}

async fn replay_fitting(app: &App, filter: ReplayFilter, now: Timestamp) -> Result<ReplayAnswer, Problem> {
    let done = app.store.replay_all(filter, now).await;
    let done = done.map_err(|error| unreadable(&error))?;
    Ok(ReplayAnswer {
        queued: done.count,
        more: done.more,
    })
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

/// The moment so long before `now`, if one was named.
fn ago(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let ago = filters::ago(text, SINCE_MAX)
        .ok_or_else(|| Problem::bad_request("`since` and `until` are times such as `2h`, at most 366 days"))?;
    Ok(Some(now.minus(ago)))
}

fn replay_limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(REPLAY_MAX) {
        limit @ 1..=REPLAY_MAX => Ok(limit),
        _ => Err(Problem::bad_request("`limit` is from 1 to 1000")),
    }
}
