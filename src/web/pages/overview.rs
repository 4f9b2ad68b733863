//! Overview: every app and environment as it stands now and what is left to do about it, and the runs, newest first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::super::App;
use super::super::api::unreadable;
use super::super::extract::Asked;
use super::super::problem::Problem;
use super::{Frame, RunRow, render, run};
use crate::config::Config;
use crate::domain::{AppKey, Commit, Deployment, DeploymentState, Timestamp, Verdict};
use crate::store::{self, AppView, PauseView, RunFilter};

/// What a run can conclude, as the filter offers it.
const VERDICTS: [&str; 4] = [
    Verdict::Healthy.as_str(),
    Verdict::Degraded.as_str(),
    Verdict::Unhealthy.as_str(),
    Verdict::Inconclusive.as_str(),
];
/// Runs on a page.
const RUNS_SHOWN: usize = 50;
/// Characters of a filter.
const FILTER_CHARS_MAX: usize = 300;

/// Which runs.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::web) struct RunsWanted {
    app: String,
    environment: String,
    verdict: String,
    before: String,
}

impl RunsWanted {
    /// Everything, from the newest on.
    fn is_all(&self) -> bool {
        self.before.is_empty() && !self.is_filtered()
    }

    fn is_filtered(&self) -> bool {
        [&self.app, &self.environment, &self.verdict]
            .iter()
            .any(|word| !word.is_empty())
    }

    fn is_verdict(&self, word: &str) -> bool {
        self.verdict == word
    }

    fn filter(&self) -> Result<RunFilter, Problem> {
        let word = |word: &str| match word.trim() {
            "" => Ok(None),
            word if word.chars().count() <= FILTER_CHARS_MAX => Ok(Some(word.to_owned())),
            _ => Err(Problem::bad_request(format!(
                "a filter has at most {FILTER_CHARS_MAX} characters"
            ))),
        };
        Ok(RunFilter {
            app: word(&self.app)?,
            environment: word(&self.environment)?,
            verdict: word(&self.verdict)?,
            before: word(&self.before)?,
            limit: RUNS_SHOWN,
        })
    }

    /// The address of the page that begins after `before`.
    fn next(&self, before: &str) -> String {
        let words = [
            ("app", self.app.as_str()),
            ("environment", &self.environment),
            ("verdict", &self.verdict),
            ("before", before),
        ];
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(words.iter().filter(|(_, word)| !word.is_empty()));
        format!("/?{}", query.finish())
    }
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    wanted: RunsWanted,
    apps: Vec<AppRow>,
    troubles: Vec<(String, String, Timestamp)>,
    pauses: Vec<PauseView>,
    runs: Vec<RunRow>,
    next: Option<String>,
}

impl Page {
    /// Whether a person has something to do.
    fn has_left(&self) -> bool {
        self.apps.iter().any(|app| app.left.is_some())
    }
}

/// An app in an environment.
struct AppRow {
    app: String,
    environment: String,
    last_good: Option<String>,
    last: RunRow,
    mode: &'static str,
    paused_until: Option<Timestamp>,
    /// What a person has to do; none where nothing is.
    left: Option<&'static str>,
}

/// The page.
pub(in crate::web) async fn page(
    State(app): State<Arc<App>>,
    mut frame: Frame,
    Asked(wanted): Asked<RunsWanted>,
) -> Result<Response, Problem> {
    let filter = wanted.filter()?;
    let now = app.clock.now();
    let read = async {
        let runs = app.store.list_runs(filter).await?;
        let pauses = app.store.pauses(now).await?;
        let (apps, troubles) = if wanted.is_all() {
            (app.store.apps().await?, app.store.troubles().await?)
        } else {
            (Vec::new(), Vec::new())
        };
        Ok::<_, store::Error>((runs, pauses, apps, troubles))
    };
    let (page, pauses, apps, troubles) = read.await.map_err(|error| unreadable(&error))?;
    let config = app.config.load();
    let runs: Vec<RunRow> = page.items.into_iter().map(|view| RunRow::of(view, now)).collect();
    frame.under_way = runs.iter().any(|run| run.view.ended_at.is_none());
    render(&Page {
        frame,
        apps: apps
            .into_iter()
            .map(|app| AppRow::of(app, &pauses, &config, now))
            .collect(),
        troubles,
        pauses,
        next: page.next.map(|before| wanted.next(&before)),
        runs,
        wanted,
    })
}

impl AppRow {
    fn of(view: AppView, pauses: &[PauseView], config: &Config, now: Timestamp) -> Self {
        let left = run::left(&view.last_run);
        Self {
            mode: config.settings_for(&deployed(&view)).mode.as_str(),
            paused_until: pauses
                .iter()
                .find(|pause| pause.app == view.app)
                .map(|pause| pause.until),
            left: (!left.starts_with("Nothing")).then_some(left),
            app: view.app,
            environment: view.environment,
            last_good: view.last_good,
            last: RunRow::of(view.last_run, now),
        }
    }
}

/// What the config is asked about: the newest deployment, as far as policies look at it.
fn deployed(view: &AppView) -> Deployment {
    Deployment {
        key: AppKey {
            platform: view.platform.as_str().into(),
            project: "".into(),
            environment: "".into(),
        },
        id: view.last_run.deployment.as_str().into(),
        app: view.app.clone(),
        environment: view.environment.clone(),
        preview: false,
        state: DeploymentState::Good,
        state_word: String::new(),
        current: true,
        rollback: false,
        rolled_back_from: None,
        commit: Commit::default(),
        url: None,
        own_url: None,
        created_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_the_filter() {
        let wanted = RunsWanted {
            app: "a&b=c".to_owned(),
            verdict: "unhealthy".to_owned(),
            ..RunsWanted::default()
        };
        assert_eq!(wanted.next("run_1"), "/?app=a%26b%3Dc&verdict=unhealthy&before=run_1");
        assert_eq!(RunsWanted::default().next("run_1"), "/?before=run_1");
        let long = RunsWanted {
            app: "x".repeat(301),
            ..RunsWanted::default()
        };
        assert!(long.filter().is_err());
        assert_eq!(RunsWanted::default().filter().unwrap().app, None);
    }
}
