//! Overview: what is left to do, apps and environments as they stand now, and the runs, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::super::App;
use super::super::api::runs::RunsAsked;
use super::super::api::unreadable;
use super::super::extract::Asked;
use super::super::filters::{Filters, Onward};
use super::super::problem::Problem;
use super::apps::{self, AppRow};
use super::{Frame, RunRow, render, room, shown};
use crate::domain::Timestamp;
use crate::store::{self, PauseView};

/// Runs on a page.
const RUNS_SHOWN: usize = 50;
/// Bytes for the runs where they are alone, and where they share the page.
const RUNS_ROOM: usize = 44_000;
const RUNS_ROOM_SHARED: usize = 24_000;
/// Bytes for the apps, for what is left to do, for what stands in the way of a rollback, and for pauses.
const APPS_ROOM: usize = 16_000;
const LEFT_ROOM: usize = 8_000;
const TROUBLES_ROOM: usize = 3_000;
const PAUSES_ROOM: usize = 3_000;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    filters: Filters,
    todo: Vec<Left>,
    todo_left_out: usize,
    apps: Vec<AppRow>,
    apps_in_all: usize,
    /// Where the page of all apps goes on, if they are not all here.
    more_apps: Option<String>,
    troubles: Vec<(String, String, Timestamp)>,
    pauses: Vec<PauseView>,
    pauses_left_out: usize,
    runs: Vec<RunRow>,
    onward: Onward,
}

/// What a person has to do about an app.
struct Left {
    app: String,
    environment: String,
    run: String,
    standing: &'static str,
    word: String,
    left: &'static str,
}

/// The page.
pub(in crate::web) async fn page(
    State(app): State<Arc<App>>,
    mut frame: Frame,
    Asked(asked): Asked<RunsAsked>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let filters = asked.shown();
    let filter = asked.filter(shown(asked.limit, RUNS_SHOWN), now)?;
    let read = async {
        let runs = app.store.list_runs(filter).await?;
        let pauses = app.store.pauses(now).await?;
        let (apps, troubles) = if filters.is_all() {
            (app.store.apps().await?, app.store.troubles().await?)
        } else {
            (Vec::new(), Vec::new())
        };
        Ok::<_, store::Error>((runs, pauses, apps, troubles))
    };
    let (page, mut pauses, apps, mut troubles) = read.await.map_err(|error| unreadable(&error))?;
    let config = app.config.load();
    let apps = apps.into_iter().map(|app| AppRow::of(app, &pauses, &config, now));
    let mut apps: Vec<AppRow> = apps.collect();
    let (todo, todo_left_out) = todo(&apps);
    let apps_in_all = apps.len();
    let more_apps = apps::cut(&mut apps, APPS_ROOM);
    let pauses_left_out = cut_pauses(&mut pauses);
    for (about, reason, _) in &mut troubles {
        room::clip(about);
        room::clip_to(reason, 500);
    }
    let weigh = |(about, reason, _): &(String, String, Timestamp)| 200 + room::bytes([about.as_str(), reason]);
    troubles.truncate(room::fitting(&troubles, TROUBLES_ROOM, weigh));
    let room = if apps.is_empty() { RUNS_ROOM } else { RUNS_ROOM_SHARED };
    let page = store::Page {
        items: page.items.into_iter().map(|view| RunRow::listed(view, now)).collect(),
        next: page.next,
        looked: page.looked,
    };
    let page = room::fit(page, room, RunRow::weigh, |run| run.view.id.clone());
    frame.under_way = page.items.iter().any(|run| run.view.ended_at.is_none());
    render(&Page {
        frame,
        onward: filters.onward(&page),
        filters,
        todo,
        todo_left_out,
        apps,
        apps_in_all,
        more_apps,
        troubles,
        pauses,
        pauses_left_out,
        runs: page.items,
    })
}

/// What is left to do, as much of it as fits, and how much does not.
fn todo(apps: &[AppRow]) -> (Vec<Left>, usize) {
    let of: Vec<&AppRow> = apps.iter().filter(|app| app.left.is_some()).collect();
    let kept = room::fitting(&of, LEFT_ROOM, |app| app.weigh_left());
    let left = |app: &&AppRow| {
        Some(Left {
            app: app.app.clone(),
            environment: app.environment.clone(),
            run: app.last.view.id.clone(),
            standing: app.last.standing,
            word: app.last.word().to_owned(),
            left: app.left?,
        })
    };
    (of.iter().take(kept).filter_map(left).collect(), of.len() - kept)
}

/// Cuts the pauses to what fits; how many do not.
fn cut_pauses(pauses: &mut Vec<PauseView>) -> usize {
    pauses.iter_mut().for_each(|pause| room::clip(&mut pause.app));
    let kept = room::fitting(pauses, PAUSES_ROOM, |pause| 150 + room::bytes([pause.app.as_str()]));
    let left_out = pauses.len() - kept;
    pauses.truncate(kept);
    left_out
}
