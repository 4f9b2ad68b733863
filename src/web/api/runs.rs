//! `/api/v1/runs`: what was verified, its story, and a person's hand on it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::App;
use super::super::extract::{Asked, Segment};
use super::super::filters;
use super::super::problem::Problem;
use super::{AGAIN_S, Answer, Done, change, limit, stopping, unreadable};
use crate::domain::RunId;
use crate::runtime::{ApprovalError, Approver, CancelError, OrderError, StartRunError};
use crate::store::{EntryView, MessageFilter, MessageView, PAGE_MAX, Page, RunView};
use crate::telemetry::traces::TraceId;

/// Which runs, and which page of them.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct RunsAsked {
    /// Only of this app.
    #[param(max_length = 300)]
    pub(in crate::web) app: Option<String>,
    /// Only in this environment, by name.
    #[param(max_length = 300)]
    pub(in crate::web) environment: Option<String>,
    /// Only with this verdict.
    #[param(schema_with = filters::verdicts)]
    pub(in crate::web) verdict: Option<String>,
    /// Only where this was done.
    #[param(schema_with = filters::actions)]
    pub(in crate::web) action: Option<String>,
    /// Only those begun then or later: a moment, a day (`2026-03-12`), or how long ago (`2h`).
    #[param(pattern = r"^(|[1-9][0-9]{0,2}[smhd]|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")]
    pub(in crate::web) since: Option<String>,
    /// Only those begun before: the same.
    #[param(pattern = r"^(|[1-9][0-9]{0,2}[smhd]|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")]
    pub(in crate::web) until: Option<String>,
    /// The last page's `next`.
    #[param(max_length = 300)]
    pub(in crate::web) before: Option<String>,
    /// At most so many rows.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(in crate::web) limit: Option<usize>,
}

/// Which page of a story.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in crate::web) struct JournalAsked {
    /// Only entries after this number: the last page's `next`.
    after: Option<i64>,
    /// At most so many rows.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
}

/// A run with the start of its story.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct RunAnswer {
    run: RunView,
    /// Its trace, where traces are exported.
    trace_id: Option<String>,
    /// The first page of its story.
    journal: Page<EntryView>,
    /// The newest of what was told of it.
    messages: Vec<MessageView>,
}

/// A run to begin.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct StartAsked {
    /// The app, as it was last deployed.
    app: String,
    /// The environment; may be left out where the app has one.
    environment: Option<String>,
    /// Ask the platform whether it would roll back, and judge nothing.
    #[serde(default)]
    drill: bool,
}

/// A run that began.
#[derive(Serialize, ToSchema)]
pub(in crate::web) struct StartedView {
    /// The run.
    run: String,
    /// The deployment that is judged.
    deployment: String,
}

/// Runs, newest first.
#[utoipa::path(get, path = "/api/v1/runs", operation_id = "list_runs", tag = "runs", params(RunsAsked),
    responses((status = 200, description = "A page of runs", body = Page<RunView>)))]
pub(in crate::web) async fn list(State(app): State<Arc<App>>, Asked(asked): Asked<RunsAsked>) -> Answer<Page<RunView>> {
    let filter = asked.filter(limit(asked.limit)?, app.clock.now())?;
    app.store
        .list_runs(filter)
        .await
        .map(Json)
        .map_err(|error| unreadable(&error))
}

/// The trace of a run in hex, where traces are exported.
pub(in crate::web) fn trace_id(app: &App, run: &RunId) -> Option<String> {
    let wanted = app.config.load().telemetry.is_some();
    wanted.then(|| TraceId::of(run).to_string())
}

/// One run, with the start of its story and what was told of it.
#[utoipa::path(get, path = "/api/v1/runs/{id}", operation_id = "get_run", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run", body = RunAnswer)))]
pub(in crate::web) async fn one(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<RunAnswer> {
    let id = RunId::new(id);
    let read = async {
        let Some(run) = app.store.run(&id).await? else {
            return Ok(None);
        };
        let journal = app.store.journal(&id, 0, PAGE_MAX).await?;
        let told = MessageFilter {
            run: Some(id.to_string()),
            limit: PAGE_MAX,
            ..MessageFilter::default()
        };
        let messages = app.store.list_messages(told).await?.items;
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

/// That there is no such run, and where to look.
pub(in crate::web) fn no_run() -> Problem {
    Problem::not_found("there is no such run; `backstop runs` lists those there are")
}

/// A run's story, oldest first. Of a run that does not exist there is none.
#[utoipa::path(get, path = "/api/v1/runs/{id}/journal", operation_id = "get_run_journal", tag = "runs",
    params(("id" = String, Path, description = "The run"), JournalAsked),
    responses((status = 200, description = "A page of its story", body = Page<EntryView>)))]
pub(in crate::web) async fn journal(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    Asked(asked): Asked<JournalAsked>,
) -> Answer<Page<EntryView>> {
    let id = RunId::new(id);
    let page = app.store.journal(&id, asked.after.unwrap_or(0), limit(asked.limit)?);
    page.await.map(Json).map_err(|error| unreadable(&error))
}

/// Judges what is live now, or tries whether it could be rolled back.
#[utoipa::path(post, path = "/api/v1/runs", operation_id = "start_run", tag = "runs", request_body = StartAsked,
    responses((status = 200, description = "It began", body = StartedView)))]
pub(in crate::web) async fn start(State(app): State<Arc<App>>, body: Body) -> Answer<StartedView> {
    let shape = r#"send `{"app": "shop", "environment": "production", "drill": false}`"#;
    let asked: StartAsked = change(body, shape).await?;
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
            let detail = "the platform does not say what is live; the log says why";
            Err(Problem::unavailable(detail, AGAIN_S))
        }
        Err(StartRunError::Store) => Err(store_unusable()),
        Err(StartRunError::Stopping) => Err(stopping()),
    }
}

/// Ends a run that is under way, without a verdict.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", operation_id = "cancel_run", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "It ended", body = Done)))]
pub(in crate::web) async fn cancel(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<Done> {
    match app.handle.cancel(&RunId::new(id)).await {
        Ok(()) => Ok(Json(Done { status: "cancelled" })),
        Err(CancelError::NotUnderWay(_)) => Err(Problem::not_found("no such run is under way")),
        Err(CancelError::CallInFlight(_)) => {
            let detail = "the platform was asked to roll back; the run ends when its answer is known";
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Err(CancelError::Stopping) => Err(stopping()),
    }
}

/// Approves the rollback that a run waits with.
#[utoipa::path(post, path = "/api/v1/runs/{id}/approve", operation_id = "approve_run", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "It goes on", body = Done)))]
pub(in crate::web) async fn approve(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<Done> {
    match app.handle.approval(&RunId::new(id), Approver::Admin, true).await {
        Ok(_) => Ok(Json(Done { status: "approved" })),
        Err(ApprovalError::NotAwaited) => Err(Problem::not_found("no such run waits for an approval")),
        Err(ApprovalError::Stopping) => Err(stopping()),
    }
}

/// Rolls a run's deployment back by hand: past mode, budget and pauses, not past what would make it wrong.
#[utoipa::path(post, path = "/api/v1/runs/{id}/rollback", operation_id = "roll_back_run", tag = "runs",
    params(("id" = String, Path, description = "The run")),
    responses((status = 200, description = "The run decides it", body = Done)))]
pub(in crate::web) async fn roll_back(State(app): State<Arc<App>>, Segment(id): Segment) -> Answer<Done> {
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
        Err(OrderError::Store) => Err(store_unusable()),
        Err(OrderError::Stopping) => Err(stopping()),
    }
}

/// The dispatcher could not use the store, and has logged why.
fn store_unusable() -> Problem {
    Problem::unavailable("the store cannot be used now; the log says why", AGAIN_S)
}
