//! Run: the story of one.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::super::App;
use super::super::api::{no_run, unreadable};
use super::super::extract::Segment;
use super::super::problem::Problem;
use super::{Frame, RunRow, render};
use crate::domain::{RunId, Timestamp};
use crate::store::{EntryView, MessageView, PAGE_MAX};

/// Lines of a story on its page; the API has the rest.
const ENTRIES_MAX: usize = 2_000;

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    run: RunRow,
    entries: Vec<EntryRow>,
    messages: Vec<MessageView>,
    cut: bool,
    frame: Frame,
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

/// One run's story.
pub(in crate::web) async fn page(
    State(app): State<Arc<App>>,
    mut frame: Frame,
    Segment(id): Segment,
) -> Result<Response, Problem> {
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
    frame.under_way = view.ended_at.is_none();
    render(&RunPage {
        entries,
        messages,
        cut,
        frame,
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
