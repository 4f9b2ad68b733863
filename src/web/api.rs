//! `/api/v1`: what the command line and scripts ask.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::App;
use super::extract::{Asked, Segment};
use super::problem::Problem;
use super::redact;
use crate::domain::{DeliveryId, MessageId, RunId};
use crate::runtime::{ApprovalError, Approver, CancelError, OrderError, StartRunError};
use crate::store::{
    self, AppView, DeliveryView, EntryView, MessageView, PAGE_MAX, Page, PauseView, RunFilter, RunView,
};
use crate::telemetry::traces::TraceId;

/// Rows in a page unless asked otherwise.
const PAGE_DEFAULT: usize = 50;
/// When to ask again after the store could not be read.
const AGAIN_S: u64 = 5;
/// The most that a request to change something may carry.
const CHANGE_BYTES_MAX: usize = 16 * 1024;
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Characters of an app's name.
const APP_CHARS_MAX: usize = 200;

pub(super) type Answer<T> = Result<Json<T>, Problem>;

/// Which runs, and which page of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RunsAsked {
    app: Option<String>,
    environment: Option<String>,
    verdict: Option<String>,
    before: Option<String>,
    limit: Option<usize>,
}

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PageAsked {
    before: Option<String>,
    limit: Option<usize>,
}

/// Which messages, and which page of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MessagesAsked {
    run: Option<String>,
    before: Option<String>,
    limit: Option<usize>,
}

/// Which page of a story.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct JournalAsked {
    after: Option<i64>,
    limit: Option<usize>,
}

/// A run with the start of its story.
#[derive(Serialize)]
pub(super) struct RunAnswer {
    run: RunView,
    /// Its trace, where traces are exported.
    trace_id: Option<String>,
    journal: Page<EntryView>,
    messages: Vec<MessageView>,
}

/// Rows that are few enough for one page.
#[derive(Serialize)]
pub(super) struct All<T> {
    pub(super) items: Vec<T>,
}

/// A pause to begin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PauseAsked {
    app: String,
    r#for: String,
}

/// What was done.
#[derive(Serialize)]
pub(super) struct Done {
    pub(super) status: &'static str,
}

fn limit(asked: Option<usize>) -> Result<usize, Problem> {
    match asked.unwrap_or(PAGE_DEFAULT) {
        limit @ 1..=PAGE_MAX => Ok(limit),
        _ => Err(Problem::bad_request(format!("`limit` is from 1 to {PAGE_MAX}"))),
    }
}

/// The store's error is for the log; the client learns that it may ask again.
pub(super) fn unreadable(error: &store::Error) -> Problem {
    tracing::error!(error = %error, "the store could not be used for an answer");
    Problem::unavailable("the store cannot be used now; the log says why", AGAIN_S)
}

pub(super) async fn runs(State(app): State<Arc<App>>, Asked(asked): Asked<RunsAsked>) -> Answer<Page<RunView>> {
    let filter = RunFilter {
        app: asked.app,
        environment: asked.environment,
        verdict: asked.verdict,
        before: asked.before,
        limit: limit(asked.limit)?,
    };
    app.store
        .list_runs(filter)
        .await
        .map(Json)
        .map_err(|error| unreadable(&error))
}

/// The trace of a run in hex, where traces are exported.
pub(super) fn trace_id(app: &App, run: &RunId) -> Option<String> {
    let wanted = app.config.load().telemetry.is_some();
    wanted.then(|| TraceId::of(run).to_string())
}

pub(super) async fn run(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<RunAnswer> {
    let id = RunId::new(id);
    let read = async {
        let Some(run) = app.store.run(&id).await? else {
            return Ok(None);
        };
        let journal = app.store.journal(&id, 0, PAGE_MAX).await?;
        let messages = app.store.list_messages(Some(id.clone()), None, PAGE_MAX).await?.items;
        Ok(Some(RunAnswer {
            run,
            trace_id: trace_id(&app, &id),
            journal,
            messages,
        }))
    };
    match read.await {
        Ok(Some(answer)) => Ok(Json(answer)),
        Ok(None) => Err(no_run()),
        Err(error) => Err(unreadable(&error)),
    }
}

pub(super) fn no_run() -> Problem {
    Problem::not_found("there is no such run; `backstop runs` lists those there are")
}

pub(super) async fn journal(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    Asked(asked): Asked<JournalAsked>,
) -> Answer<Page<EntryView>> {
    let id = RunId::new(id);
    let page = app.store.journal(&id, asked.after.unwrap_or(0), limit(asked.limit)?);
    page.await.map(Json).map_err(|error| unreadable(&error))
}

pub(super) async fn cancel(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<Done> {
    match app.handle.cancel(&RunId::new(id)).await {
        Ok(()) => Ok(Json(Done { status: "cancelled" })),
        Err(CancelError::NotUnderWay(_)) => Err(Problem::not_found("no such run is under way")),
        Err(CancelError::CallInFlight(_)) => {
            let detail = "the platform was asked to roll back; the run ends when its answer is known";
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Err(CancelError::Stopping) => Err(Problem::unavailable("the agent is stopping", AGAIN_S)),
    }
}

/// A run to begin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartAsked {
    app: String,
    environment: Option<String>,
    #[serde(default)]
    drill: bool,
}

/// A run that began.
#[derive(Serialize)]
pub(super) struct StartedView {
    run: String,
    deployment: String,
}

pub(super) async fn start(State(app): State<Arc<App>>, body: Body) -> Answer<StartedView> {
    let asked: StartAsked = change(
        body,
        r#"send `{"app": "shop", "environment": "production", "drill": false}`"#,
    )
    .await?;
    match app.handle.start(asked.app, asked.environment, asked.drill).await {
        Ok(started) => Ok(Json(StartedView {
            run: started.run.to_string(),
            deployment: started.deployment.to_string(),
        })),
        Err(error @ StartRunError::Unknown(_)) => Err(Problem::not_found(error.to_string())),
        Err(error @ (StartRunError::Ambiguous(_) | StartRunError::UnderWay(_))) => {
            Err(Problem::new(StatusCode::CONFLICT, error.to_string()))
        }
        Err(StartRunError::Platform(why)) => {
            tracing::warn!(why, "a run could not be started");
            Err(Problem::unavailable(
                "the platform does not say what is live; the log says why",
                AGAIN_S,
            ))
        }
        Err(StartRunError::Store) => Err(Problem::unavailable(
            "the store cannot be used now; the log says why",
            AGAIN_S,
        )),
        Err(StartRunError::Stopping) => Err(Problem::unavailable("the agent is stopping", AGAIN_S)),
    }
}

/// The JSON of a request to change something; `shape` is what it should look like.
pub(super) async fn change<T: serde::de::DeserializeOwned>(body: Body, shape: &'static str) -> Result<T, Problem> {
    let bytes = to_bytes(body, CHANGE_BYTES_MAX)
        .await
        .map_err(|_| Problem::bad_request(shape))?;
    serde_json::from_slice(&bytes).map_err(|_| Problem::bad_request(shape))
}

pub(super) async fn approve(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<Done> {
    match app.handle.approval(&RunId::new(id), Approver::Admin, true).await {
        Ok(_) => Ok(Json(Done { status: "approved" })),
        Err(ApprovalError::NotAwaited) => Err(Problem::not_found("no such run waits for an approval")),
        Err(ApprovalError::Stopping) => Err(Problem::unavailable("the agent is stopping", AGAIN_S)),
    }
}

pub(super) async fn order(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<Done> {
    match app.handle.order(&RunId::new(id)).await {
        Ok(()) => Ok(Json(Done { status: "ordered" })),
        Err(OrderError::NoRun(_)) => Err(no_run()),
        Err(OrderError::TooLate(_)) => {
            let detail = "the run has made its call already, or never knew its deployment";
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Err(OrderError::Elsewhere(_)) => {
            let detail = "the run is under way at another agent; ask that one, or again when it has ended";
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Err(OrderError::Store) => Err(Problem::unavailable(
            "the store cannot be used now; the log says why",
            AGAIN_S,
        )),
        Err(OrderError::Stopping) => Err(Problem::unavailable("the agent is stopping", AGAIN_S)),
    }
}

pub(super) async fn deliveries(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<PageAsked>,
) -> Answer<Page<DeliveryView>> {
    let page = app.store.list_deliveries(asked.before, limit(asked.limit)?);
    page.await.map(Json).map_err(|error| unreadable(&error))
}

pub(super) async fn delivery(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<DeliveryView> {
    match app.store.delivery(&DeliveryId::new(id)).await {
        Ok(Some(delivery)) => Ok(Json(delivery)),
        Ok(None) => Err(Problem::not_found("there is no such delivery")),
        Err(error) => Err(unreadable(&error)),
    }
}

pub(super) async fn messages(
    State(app): State<Arc<App>>,
    Asked(asked): Asked<MessagesAsked>,
) -> Answer<Page<MessageView>> {
    let page = app
        .store
        .list_messages(asked.run.map(RunId::new), asked.before, limit(asked.limit)?);
    page.await.map(Json).map_err(|error| unreadable(&error))
}

pub(super) async fn message(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<MessageView> {
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

pub(super) async fn replay(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<Done> {
    match app.store.replay(&MessageId::new(id), app.clock.now()).await {
        Ok(true) => {
            app.handle.outbox_changed();
            Ok(Json(Done { status: "queued" }))
        }
        Ok(false) => Err(Problem::not_found("there is no such message to send again")),
        Err(error) => Err(unreadable(&error)),
    }
}

pub(super) async fn apps(State(app): State<Arc<App>>) -> Answer<All<AppView>> {
    let items = app.store.apps().await.map_err(|error| unreadable(&error))?;
    Ok(Json(All { items }))
}

pub(super) async fn pauses(State(app): State<Arc<App>>) -> Answer<All<PauseView>> {
    let read = app.store.pauses(app.clock.now()).await;
    let items = read.map_err(|error| unreadable(&error))?;
    Ok(Json(All { items }))
}

pub(super) async fn pause(State(app): State<Arc<App>>, body: Body) -> Answer<PauseView> {
    let asked: PauseAsked = change(body, r#"send `{"app": "shop", "for": "2h"}`"#).await?;
    begin_pause(&app, &asked.app, &asked.r#for).await.map(Json)
}

/// Pauses rollbacks of `name` for a time such as `2h`.
///
/// # Errors
/// When either is out of bounds, or the store cannot be used.
pub(super) async fn begin_pause(app: &App, name: &str, duration: &str) -> Result<PauseView, Problem> {
    let name_fits = !name.is_empty() && name.chars().count() <= APP_CHARS_MAX;
    let duration = humantime::parse_duration(duration).ok();
    let Some(duration) = duration.filter(|duration| name_fits && !duration.is_zero() && *duration <= PAUSE_MAX) else {
        return Err(Problem::bad_request(
            "a pause names an app and takes from `1s` to `30d`",
        ));
    };
    let until = app.clock.now().plus(duration);
    app.store.pause(name, until).await.map_err(|error| unreadable(&error))?;
    tracing::info!(app = name, until = %until, "rollbacks are paused");
    Ok(PauseView {
        app: name.to_owned(),
        until,
    })
}

pub(super) async fn resume(State(app): State<Arc<App>>, Segment(name): Segment) -> Answer<Done> {
    match app.store.resume(&name).await {
        Ok(true) => {
            tracing::info!(app = name, "the pause is over");
            Ok(Json(Done { status: "resumed" }))
        }
        Ok(false) => Err(Problem::not_found("this app is not paused")),
        Err(error) => Err(unreadable(&error)),
    }
}
