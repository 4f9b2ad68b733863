//! Apps: every app and environment as it stands now. The overview shows the first of them.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::super::App;
use super::super::api::unreadable;
use super::super::extract::Asked;
use super::super::problem::Problem;
use super::{Frame, RunRow, render, room, run};
use crate::config::Config;
use crate::domain::{AppKey, AppPlace, Deployment, Timestamp};
use crate::store::{AppView, PauseView};

/// Bytes for the table on its own page.
const ROOM: usize = 48_000;

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::web) struct AppsAsked {
    /// The last one of the page before.
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "apps.html")]
struct Page {
    frame: Frame,
    apps: Vec<AppRow>,
    is_first: bool,
    next: Option<String>,
}

/// An app in an environment.
pub(super) struct AppRow {
    pub(super) key: String,
    pub(super) app: String,
    pub(super) environment: String,
    pub(super) last_good: Option<String>,
    pub(super) last: RunRow,
    pub(super) mode: &'static str,
    pub(super) paused_until: Option<Timestamp>,
    /// What a person has to do; none where nothing is.
    pub(super) left: Option<&'static str>,
}

/// The page.
pub(in crate::web) async fn page(
    State(app): State<Arc<App>>,
    frame: Frame,
    Asked(asked): Asked<AppsAsked>,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let mut apps = app.store.apps().await.map_err(|error| unreadable(&error))?;
    let pauses = app.store.pauses(now).await.map_err(|error| unreadable(&error))?;
    let begin = after(&apps, |app| place_of(&app.key), asked.after.as_deref());
    let config = app.config.load();
    let rest = apps.drain(begin..).map(|view| AppRow::of(view, &pauses, &config, now));
    let mut rows: Vec<AppRow> = rest.collect();
    let next = cut(&mut rows, ROOM);
    render(&Page {
        frame,
        apps: rows,
        is_first: begin == 0,
        next,
    })
}

/// Where the page after the row at the place `after` begins; at the first row, where there is no such row any more.
pub(in crate::web) fn after<T>(rows: &[T], place: impl Fn(&T) -> String, after: Option<&str>) -> usize {
    let found = after.and_then(|after| rows.iter().position(|row| place(row) == after));
    found.map_or(0, |at| at + 1)
}

/// An app's place in lists by name, as the next page is asked with.
pub(in crate::web) fn place_of(key: &AppKey) -> String {
    format!("{}/{}/{}", key.platform, key.project, key.environment)
}

/// Cuts rows to what fits; the last row's place, if there are more.
pub(super) fn cut(rows: &mut Vec<AppRow>, room: usize) -> Option<String> {
    let kept = room::fitting(rows, room, AppRow::weigh);
    let is_cut = kept < rows.len();
    rows.truncate(kept);
    rows.last().filter(|_| is_cut).map(|row| row.key.clone())
}

impl AppRow {
    pub(super) fn of(view: AppView, pauses: &[PauseView], config: &Config, now: Timestamp) -> Self {
        let left = run::left(&view.last_run);
        let mode = config.settings_for(&deployed(&view)).mode.as_str();
        let paused = pauses.iter().find(|pause| pause.app == view.app);
        let mut row = Self {
            key: place_of(&view.key),
            mode,
            paused_until: paused.map(|pause| pause.until),
            left: (!left.starts_with("Nothing")).then_some(left),
            app: view.app,
            environment: view.environment,
            last_good: view.last_good,
            last: RunRow::listed(view.last_run, now),
        };
        room::clip(&mut row.app);
        room::clip(&mut row.environment);
        room::clip_any(&mut row.last_good);
        row
    }

    /// The bytes it takes in a table.
    fn weigh(&self) -> usize {
        let last_good = self.last_good.as_deref().unwrap_or_default();
        let names = [
            self.app.as_str(),
            &self.environment,
            last_good,
            &self.last.view.deployment,
        ];
        330 + room::bytes(names) + room::bytes([self.last.view.id.as_str()])
    }

    /// The bytes it takes among what is left to do.
    pub(super) fn weigh_left(&self) -> usize {
        let names = [self.app.as_str(), &self.environment, self.left.unwrap_or_default()];
        120 + room::bytes(names) + room::bytes([self.last.view.id.as_str()])
    }
}

/// What the config is asked about: the newest deployment, as far as policies look at it.
fn deployed(view: &AppView) -> Deployment {
    let place = AppPlace {
        key: AppKey {
            platform: view.platform.as_str().into(),
            project: "".into(),
            environment: "".into(),
        },
        app: view.app.clone(),
        environment: view.environment.clone(),
    };
    Deployment::live(view.last_run.deployment.as_str(), place)
}
