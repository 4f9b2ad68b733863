//! Overview: the runs, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::super::App;
use super::super::api::unreadable;
use super::super::problem::Problem;
use super::{Frame, RunRow, render};
use crate::store::{PauseView, RunFilter};

/// Runs on the first page.
const RUNS_SHOWN: usize = 50;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    runs: Vec<RunRow>,
    pauses: Vec<PauseView>,
    more: bool,
    frame: Frame,
}

/// The runs, newest first.
pub(in crate::web) async fn page(State(app): State<Arc<App>>, mut frame: Frame) -> Result<Response, Problem> {
    let filter = RunFilter {
        limit: RUNS_SHOWN,
        ..RunFilter::default()
    };
    let page = app.store.list_runs(filter).await.map_err(|error| unreadable(&error))?;
    let pauses = app
        .store
        .pauses(app.clock.now())
        .await
        .map_err(|error| unreadable(&error))?;
    let now = app.clock.now();
    let runs: Vec<RunRow> = page.items.into_iter().map(|view| RunRow::of(view, now)).collect();
    frame.under_way = runs.iter().any(|run| run.view.ended_at.is_none());
    render(&Overview {
        runs,
        pauses,
        more: page.next.is_some(),
        frame,
    })
}
