//! The pages: runs, and the story of one. Text from platforms and apps is escaped by the templates; there is no script.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::App;
use super::api::{no_run, unreadable};
use super::extract::Segment;
use super::problem::Problem;
use crate::domain::{RunId, Timestamp};
use crate::store::{EntryView, MessageView, PAGE_MAX, PauseView, RunFilter, RunView};

const STYLE: &str = include_str!("../../templates/style.css");
/// Runs on the first page.
const RUNS_SHOWN: usize = 50;
/// Lines of a story on its page; the API has the rest.
const ENTRIES_MAX: usize = 2_000;

/// The style sheet.
pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    runs: Vec<RunRow>,
    pauses: Vec<PauseView>,
    more: bool,
    under_way: bool,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    run: RunRow,
    entries: Vec<EntryRow>,
    messages: Vec<MessageView>,
    cut: bool,
    under_way: bool,
}

/// A run as a page shows it.
struct RunRow {
    view: RunView,
    /// One word that says how it stands, also its colour.
    standing: &'static str,
    started: String,
    took: String,
}

/// A line of a story as a page shows it.
struct EntryRow {
    after: String,
    kind: String,
    text: String,
    probe: Option<ProbeRow>,
}

/// A probe's facts.
struct ProbeRow {
    class: String,
    latency_ms: u64,
    budget_percent: u64,
}

/// The runs, newest first.
pub(super) async fn overview(State(app): State<Arc<App>>) -> Result<Response, Problem> {
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
    let under_way = runs.iter().any(|run| run.view.ended_at.is_none());
    render(&Overview {
        runs,
        pauses,
        more: page.next.is_some(),
        under_way,
    })
}

/// One run's story.
pub(super) async fn run(State(app): State<Arc<App>>, Segment(id): Segment) -> Result<Response, Problem> {
    let id = RunId::new(id);
    let view = app
        .store
        .run(&id)
        .await
        .map_err(|error| unreadable(&error))?
        .ok_or_else(no_run)?;
    let (entries, cut) = story(&app, &id).await?;
    let messages = app
        .store
        .list_messages(Some(id), None, PAGE_MAX)
        .await
        .map_err(|error| unreadable(&error))?
        .items;
    let entries = entries
        .iter()
        .map(|entry| EntryRow::of(entry, view.started_at))
        .collect();
    render(&RunPage {
        entries,
        messages,
        cut,
        under_way: view.ended_at.is_none(),
        run: RunRow::of(view, app.clock.now()),
    })
}

/// The story up to a bound, and whether it goes on.
async fn story(app: &App, id: &RunId) -> Result<(Vec<EntryView>, bool), Problem> {
    let mut entries: Vec<EntryView> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.number);
        let page = app
            .store
            .journal(id, after, PAGE_MAX)
            .await
            .map_err(|error| unreadable(&error))?;
        let more = page.next.is_some();
        entries.extend(page.items);
        if !more || entries.len() >= ENTRIES_MAX {
            return Ok((entries, more));
        }
    }
}

fn render(page: &impl Template) -> Result<Response, Problem> {
    match page.render() {
        Ok(html) => Ok(Html(html).into_response()),
        Err(error) => {
            tracing::error!(error = %error, "a page could not be rendered");
            Err(Problem::unavailable("the page could not be made; the log says why", 5))
        }
    }
}

impl RunRow {
    fn of(view: RunView, now: Timestamp) -> Self {
        let standing = match (view.action.as_deref(), view.verdict.as_deref()) {
            (Some("rolled back"), _) => "restored",
            (Some(_), Some("unhealthy")) => "bad",
            (None, Some("unhealthy")) => "acting",
            (_, Some("healthy")) => "good",
            (_, Some("degraded")) => "warned",
            (_, Some("inconclusive")) => "unknown",
            _ => "running",
        };
        let seconds = view.ended_at.unwrap_or(now).ms_since(view.started_at) / 1_000;
        Self {
            standing,
            started: view.started_at.to_string(),
            took: humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string(),
            view,
        }
    }
}

impl EntryRow {
    fn of(entry: &EntryView, started_at: Timestamp) -> Self {
        let tenths = entry.at.ms_since(started_at) / 100;
        Self {
            after: format!("{}.{}", tenths / 10, tenths % 10),
            kind: entry.kind.clone(),
            text: entry.text.clone(),
            probe: entry.data.as_ref().and_then(ProbeRow::of),
        }
    }
}

impl ProbeRow {
    fn of(data: &serde_json::Value) -> Option<Self> {
        let seen = data.get("seen")?;
        let number = |from: &serde_json::Value, name: &str| from.get(name).and_then(serde_json::Value::as_u64);
        let budget_max = number(data, "budget_max").filter(|max| *max > 0)?;
        Some(Self {
            class: seen.get("class")?.as_str()?.to_owned(),
            latency_ms: number(seen, "latency_ms")?,
            budget_percent: (number(data, "budget_to")? * 100 / budget_max).min(100),
        })
    }
}
