//! Trust: what auto-rollback would have done, how often that was right, and whether an app is ready for it.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{Redirect, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::api::{All, Answer, Done, change, unreadable};
use super::extract::{Form, Segment};
use super::pages::{Frame, render};
use super::problem::Problem;
use crate::domain::{Label, RunId};
use crate::store;
use crate::trust::{Trust, trust};

/// Alarms shown of one app.
const ALARMS_SHOWN: usize = 20;

/// One app in one environment.
#[derive(Serialize, ToSchema)]
pub(super) struct AppTrust {
    platform: String,
    app: String,
    environment: String,
    #[serde(flatten)]
    trust: Trust,
}

impl AppTrust {
    /// False alarms in percent, and the interval's upper end.
    fn percent(&self) -> String {
        let share = self.trust.false_alarms;
        format!(
            "{:.1} % (95 %: at most {:.1} %)",
            share.value() * 100.0,
            share.high * 100.0
        )
    }
}

/// A person's word on an alarm.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LabelAsked {
    /// Whether the deployment was bad, as the run said.
    label: Label,
}

#[derive(Template)]
#[template(path = "trust.html")]
struct Page {
    apps: Vec<AppTrust>,
    frame: Frame,
}

async fn all(app: &App) -> Result<Vec<AppTrust>, store::Error> {
    let now = app.clock.now();
    let mut found = Vec::new();
    for place in app.store.places(store::PAGE_MAX).await? {
        let runs = app.store.judged_runs(&place.key).await?;
        let has_target = !app.store.history(&place.key, now).await?.known_good.is_empty();
        found.push(AppTrust {
            platform: place.key.platform.to_string(),
            trust: trust(&place.app, &runs, has_target, now),
            app: place.app,
            environment: place.environment,
        });
    }
    Ok(found)
}

/// Of each app in each environment: what auto-rollback did or would have done, and whether that was right.
#[utoipa::path(get, path = "/api/v1/trust", operation_id = "list_trust", tag = "trust",
    responses((status = 200, description = "All of them", body = All<AppTrust>)))]
pub(super) async fn list(State(app): State<Arc<App>>) -> Answer<All<AppTrust>> {
    let items = all(&app).await.map_err(|error| unreadable(&error))?;
    Ok(Json(All { items }))
}

pub(super) async fn page(State(app): State<Arc<App>>, frame: Frame) -> Result<Response, Problem> {
    let apps = all(&app).await.map_err(|error| unreadable(&error))?;
    render(&Page { apps, frame })
}

/// Keeps a person's word on whether a run was right to find its deployment bad.
#[utoipa::path(post, path = "/api/v1/runs/{id}/label", operation_id = "label_run", tag = "trust",
    params(("id" = String, Path, description = "The run")), request_body = LabelAsked,
    responses((status = 200, description = "It is kept", body = Done)))]
pub(super) async fn label(State(app): State<Arc<App>>, Segment(id): Segment, body: Body) -> Answer<Done> {
    let asked: LabelAsked = change(body, r#"send `{"label": "right"}` or `{"label": "wrong"}`"#).await?;
    keep(&app, &RunId::new(id), asked.label).await?;
    Ok(Json(Done { status: "labelled" }))
}

/// The same from the page's buttons.
pub(super) async fn label_by_form(State(app): State<Arc<App>>, body: Body) -> Result<Redirect, Problem> {
    let form = Form::read(body).await?;
    let unread = || Problem::bad_request("use the buttons of the page");
    let run = form.get("run").ok_or_else(unread)?;
    let label = form.get("label").and_then(Label::of_word).ok_or_else(unread)?;
    keep(&app, &RunId::new(run), label).await?;
    Ok(Redirect::to("/trust"))
}

/// Keeps a person's word on a run.
///
/// # Errors
/// When there is no such run that found its deployment bad.
pub(super) async fn keep(app: &App, run: &RunId, label: Label) -> Result<(), Problem> {
    match app.store.label(run, label).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Problem::not_found("there is no such run that found its deployment bad")),
        Err(error) => Err(unreadable(&error)),
    }
}
