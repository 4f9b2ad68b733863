//! Run: the story of one, as a headline, a picture, and in full; and what a person may do about it.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::response::{Redirect, Response};

use super::super::App;
use super::super::api::runs::{self, no_run};
use super::super::api::unreadable;
use super::super::extract::{Form, Segment};
use super::super::problem::Problem;
use super::super::trust;
use super::plot::{self, Moment, Plot, Probe, Shape};
use super::{Frame, RunRow, back_to, render, room};
use crate::domain::{Label, RunId, Timestamp};
use crate::store::{EntryView, MessageFilter, MessageView, PAGE_MAX, RunView};

/// Lines of a story that are read for its page; the API has the rest.
const ENTRIES_MAX: usize = 2_000;
/// Lines of the story on the page, besides probes.
const STORY_MAX: usize = 150;
/// Probes in the table.
const PROBES_MAX: usize = 120;
/// Messages on the page.
const MESSAGES_MAX: usize = 50;
/// Bytes for what is said in the headline, the story, the tables; what is drawn is not counted.
const ROOM: usize = 53_000;
/// Of these, at most so many for messages, and for the story.
const MESSAGES_ROOM: usize = 9_000;
const STORY_ROOM: usize = 24_000;
/// Characters of a name in the headline, of a reason, of a line of the story.
const NAME_CHARS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 1_500;
const LINE_CHARS_MAX: usize = 500;
/// The check's name of a warm-up's probes, as the journal has it.
const WARM_UP: &str = "warm-up";

/// What is left to do for people, by the word for what was done and the verdict; the first that fits. An empty word fits any.
const LEFT: &[(&str, &str, &str)] = &[
    (
        "rollback failed",
        "",
        "Act now: the rollback failed, so the bad version may still be live. Look at the platform.",
    ),
    (
        "rollback unconfirmed",
        "",
        "Look at the platform now: whether the rollback happened is not known.",
    ),
    (
        "rolled back",
        "",
        "Find out what was wrong before it is deployed again. Say below whether the alarm was right.",
    ),
    (
        "withheld",
        "",
        "Decide: the bad version is still live. Roll back here, or deploy a fix. Say below whether the alarm was right.",
    ),
    (
        "cancelled",
        "unhealthy",
        "Decide: the bad version may still be live. Roll back here, or deploy a fix.",
    ),
    ("cancelled", "", "Look at the deployment yourself: nothing was decided."),
    ("superseded", "", "Nothing here: a newer deployment took its place."),
    ("dismissed", "", "Nothing."),
    (
        "drill withheld",
        "",
        "Mend what withheld the drill: a rollback would be withheld too.",
    ),
    ("drilled", "", "Nothing: the way to a rollback works."),
    ("none", "healthy", "Nothing."),
    ("none", "degraded", "Look at the failing checks; they do not roll back."),
    (
        "none",
        "inconclusive",
        "Look at the deployment yourself: whether it works is not known.",
    ),
    ("none", "", "Nothing."),
];

#[derive(Template)]
#[template(path = "run.html")]
struct Page {
    frame: Frame,
    run: RunRow,
    trace_id: Option<String>,
    may: May,
    left: &'static str,
    plot: Plot,
    story: Vec<StoryRow>,
    probes: Vec<ProbeRow>,
    probes_in_all: usize,
    messages: Vec<MessageView>,
    cut: bool,
}

/// What the person may do about the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct May {
    approve: bool,
    cancel: bool,
    order: bool,
    label: bool,
}

impl May {
    fn of(run: &RunView, may_act: bool) -> Self {
        let has_ended = run.ended_at.is_some();
        let is_unhealthy = run.verdict.as_deref() == Some("unhealthy");
        // The dispatcher has the last word; this keeps what it surely refuses off the page.
        let can_order = match run.action.as_deref() {
            None => matches!(run.phase.as_str(), "judging" | "guarding"),
            Some(action) => matches!(action, "none" | "withheld" | "cancelled"),
        };
        Self {
            approve: may_act && run.phase == "awaiting approval",
            cancel: may_act && !has_ended,
            order: may_act && can_order,
            label: may_act && has_ended && is_unhealthy,
        }
    }

    fn any(self) -> bool {
        self.approve || self.cancel || self.order || self.label
    }
}

/// A line of the story that is no probe.
struct StoryRow {
    after: String,
    kind: String,
    text: String,
}

/// A probe in the table.
struct ProbeRow {
    after: String,
    class: Shape,
    check: String,
    text: String,
    latency_ms: u64,
    budget_percent: u64,
}

/// One run's page.
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
    let told = MessageFilter {
        run: Some(id.to_string()),
        limit: MESSAGES_MAX,
        ..MessageFilter::default()
    };
    let messages = app.store.list_messages(told).await;
    let mut messages = messages.map_err(|error| unreadable(&error))?.items;
    let now = app.clock.now();
    let start = view.started_at;
    let probes: Vec<Probe> = entries.iter().filter_map(|entry| probe(entry, start)).collect();
    let end_ms = view.ended_at.unwrap_or(now).ms_since(start);
    let mut story: Vec<StoryRow> = entries.iter().filter_map(|entry| story_row(entry, start)).collect();
    let lines = story.len();
    story.truncate(STORY_MAX);
    let mut view = view;
    let mut room = ROOM.saturating_sub(clip_headline(&mut view));
    room = room.saturating_sub(cut_to(&mut messages, MESSAGES_ROOM, weigh_message));
    room = room.saturating_sub(cut_to(&mut story, STORY_ROOM.min(room), StoryRow::weigh));
    let cut = cut || story.len() < lines;
    frame.under_way = view.ended_at.is_none();
    render(&Page {
        trace_id: runs::trace_id(&app, &id),
        may: May::of(&view, frame.may_act()),
        frame,
        left: left(&view),
        // One that was watched for long ends with its last probe: an empty right half shows nothing.
        plot: plot::plot(
            &probes,
            &moments(&entries, start),
            if probes.is_empty() { end_ms } else { 0 },
        ),
        probes: probe_rows(&probes, room),
        probes_in_all: probes.len(),
        story,
        messages,
        cut,
        run: RunRow::of(view, now),
    })
}

/// What is left to do about a run, in words that begin with `Nothing` where that is so.
pub(super) fn left(run: &RunView) -> &'static str {
    if run.phase == "awaiting approval" {
        return "Decide: approve the rollback, or cancel the run. Until then the bad version stays live.";
    }
    let Some(action) = run.action.as_deref() else {
        return "Nothing: the run is under way.";
    };
    let verdict = run.verdict.as_deref().unwrap_or("");
    let fits = |row: &&(&str, &str, &str)| row.0 == action && (row.1.is_empty() || row.1 == verdict);
    LEFT.iter().find(fits).map_or("Nothing.", |row| row.2)
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

/// Cuts the texts of the headline; the bytes they take wherever they stand.
fn clip_headline(view: &mut RunView) -> usize {
    for name in [&mut view.app, &mut view.environment, &mut view.deployment] {
        room::clip_to(name, NAME_CHARS_MAX);
    }
    for (text, chars_max) in [
        (&mut view.commit_sha, NAME_CHARS_MAX),
        (&mut view.reason, REASON_CHARS_MAX),
    ] {
        if let Some(text) = text {
            room::clip_to(text, chars_max);
        }
    }
    let [commit, reason] = [&view.commit_sha, &view.reason].map(|text| text.as_deref().unwrap_or_default());
    // The app stands in title, heading and button, the others beside it.
    4 * room::bytes([view.app.as_str()])
        + 2 * room::bytes([view.environment.as_str(), &view.deployment])
        + room::bytes([commit, reason])
}

/// Cuts rows to what fits into `room`; the bytes they take.
fn cut_to<T>(rows: &mut Vec<T>, room: usize, weigh: impl Fn(&T) -> usize) -> usize {
    rows.truncate(room::fitting(rows, room, &weigh));
    rows.iter().map(weigh).sum()
}

fn weigh_message(message: &MessageView) -> usize {
    let texts = [&message.event, &message.endpoint, &message.id, &message.id];
    150 + room::bytes(texts.map(String::as_str))
}

/// The probes of the table: evenly many from everywhere, as many as fit.
fn probe_rows(probes: &[Probe], room: usize) -> Vec<ProbeRow> {
    let rows = |max| -> Vec<ProbeRow> { plot::chosen(probes, max).into_iter().map(probe_row).collect() };
    let all = rows(PROBES_MAX);
    match room::fitting(&all, room, ProbeRow::weigh) {
        fitting if fitting < all.len() => rows(fitting),
        _ => all,
    }
}

impl StoryRow {
    fn weigh(&self) -> usize {
        130 + room::bytes([self.kind.as_str(), &self.text])
    }
}

impl ProbeRow {
    fn weigh(&self) -> usize {
        210 + room::bytes([self.check.as_str(), &self.text])
    }
}

fn story_row(entry: &EntryView, start: Timestamp) -> Option<StoryRow> {
    (entry.kind != "probe").then(|| StoryRow {
        after: plot::seconds(entry.at.ms_since(start)),
        kind: entry.kind.clone(),
        text: clipped(&entry.text, LINE_CHARS_MAX),
    })
}

fn clipped(text: &str, chars_max: usize) -> String {
    let mut text = text.to_owned();
    room::clip_to(&mut text, chars_max);
    text
}

fn moments(entries: &[EntryView], start: Timestamp) -> Vec<Moment> {
    let moment = |entry: &EntryView| {
        let name = match entry.kind.as_str() {
            "verdict" => "decision",
            "call" => "rollback",
            _ => return None,
        };
        Some(Moment {
            at_ms: entry.at.ms_since(start),
            name,
            text: clipped(&entry.text, LINE_CHARS_MAX),
        })
    };
    entries.iter().filter_map(moment).collect()
}

fn probe(entry: &EntryView, start: Timestamp) -> Option<Probe> {
    let data = entry.data.as_ref()?;
    let seen = data.get("seen")?;
    let number = |from: &serde_json::Value, name: &str| from.get(name).and_then(serde_json::Value::as_u64);
    let budget_max = number(data, "budget_max").filter(|max| *max > 0)?;
    let check = data.get("check").and_then(serde_json::Value::as_str).unwrap_or("");
    let subject = data.get("subject").and_then(serde_json::Value::as_str).unwrap_or("");
    let is_last_good = subject == "last_good";
    Some(Probe {
        at_ms: entry.at.ms_since(start),
        is_warm_up: check == WARM_UP && !is_last_good,
        check: if is_last_good {
            format!("{} (last-good version)", clipped(check, NAME_CHARS_MAX))
        } else {
            clipped(check, NAME_CHARS_MAX)
        },
        is_restored: subject == "restored",
        class: Shape::of_word(seen.get("class")?.as_str()?),
        latency_ms: number(seen, "latency_ms")?,
        budget_percent: (number(data, "budget_to")?.saturating_mul(100) / budget_max).min(100),
        text: clipped(&entry.text, LINE_CHARS_MAX),
    })
}

fn probe_row(probe: &Probe) -> ProbeRow {
    ProbeRow {
        after: plot::seconds(probe.at_ms),
        class: probe.class,
        check: probe.check.clone(),
        text: probe.text.clone(),
        latency_ms: probe.latency_ms,
        budget_percent: probe.budget_percent,
    }
}

/// Approves the rollback that the run waits with.
pub(in crate::web) async fn approve(app: State<Arc<App>>, Segment(id): Segment) -> Result<Redirect, Problem> {
    let axum::Json(_) = runs::approve(app, Segment(id.clone())).await?;
    Ok(back_to("/runs", &id))
}

/// Ends the run.
pub(in crate::web) async fn cancel(app: State<Arc<App>>, Segment(id): Segment) -> Result<Redirect, Problem> {
    let axum::Json(_) = runs::cancel(app, Segment(id.clone())).await?;
    Ok(back_to("/runs", &id))
}

/// Orders a rollback.
pub(in crate::web) async fn order(app: State<Arc<App>>, Segment(id): Segment) -> Result<Redirect, Problem> {
    let axum::Json(_) = runs::roll_back(app, Segment(id.clone())).await?;
    Ok(back_to("/runs", &id))
}

/// Keeps what a person says of the alarm.
pub(in crate::web) async fn label(
    State(app): State<Arc<App>>,
    Segment(id): Segment,
    body: Body,
) -> Result<Redirect, Problem> {
    let form = Form::read(body).await?;
    let label = form.get("label").and_then(Label::of_word);
    let label = label.ok_or_else(|| Problem::bad_request("use the buttons of the page"))?;
    trust::keep(&app, &RunId::new(id.as_str()), label).await?;
    Ok(back_to("/runs", &id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::response::IntoResponse as _;

    use super::super::super::filters;
    use super::*;

    fn run(phase: &str, verdict: Option<&str>, action: Option<&str>) -> RunView {
        RunView {
            id: "run_1".to_owned(),
            platform: "temps".to_owned(),
            app: "shop".to_owned(),
            environment: "production".to_owned(),
            deployment: "42".to_owned(),
            commit_sha: None,
            phase: phase.to_owned(),
            verdict: verdict.map(str::to_owned),
            action: action.map(str::to_owned),
            reason: None,
            started_at: Timestamp::from_millis(0),
            ended_at: action.map(|_| Timestamp::from_millis(1)),
            version: 1,
        }
    }

    #[test]
    fn what_is_left_to_do_and_what_may_be_done() {
        for (phase, verdict, action, begins, may) in [
            ("judging", None, None, "Nothing: the run", "cancel order"),
            ("confirming", None, None, "Nothing: the run", "cancel"),
            (
                "awaiting approval",
                Some("unhealthy"),
                None,
                "Decide: approve",
                "approve cancel",
            ),
            ("rolling back", Some("unhealthy"), None, "Nothing: the run", "cancel"),
            ("done", Some("healthy"), Some("none"), "Nothing.", "order"),
            ("done", Some("degraded"), Some("none"), "Look at the failing", "order"),
            (
                "done",
                Some("inconclusive"),
                Some("none"),
                "Look at the deployment",
                "order",
            ),
            (
                "done",
                Some("unhealthy"),
                Some("withheld"),
                "Decide: the bad",
                "order label",
            ),
            ("done", Some("unhealthy"), Some("rolled back"), "Find out", "label"),
            ("done", Some("unhealthy"), Some("rollback failed"), "Act now", "label"),
            (
                "done",
                Some("unhealthy"),
                Some("rollback unconfirmed"),
                "Look at the platform",
                "label",
            ),
            ("done", None, Some("cancelled"), "Look at the deployment", "order"),
            (
                "done",
                Some("unhealthy"),
                Some("cancelled"),
                "Decide: the bad",
                "order label",
            ),
            ("done", None, Some("dismissed"), "Nothing.", ""),
            ("done", None, Some("a word of tomorrow"), "Nothing.", ""),
        ] {
            let view = run(phase, verdict, action);
            assert!(
                left(&view).starts_with(begins),
                "{phase} {verdict:?} {action:?}: {}",
                left(&view)
            );
            let shown = May::of(&view, true);
            let names = [
                (shown.approve, "approve"),
                (shown.cancel, "cancel"),
                (shown.order, "order"),
                (shown.label, "label"),
            ];
            let names: Vec<&str> = names
                .into_iter()
                .filter(|(may, _)| *may)
                .map(|(_, name)| name)
                .collect();
            assert_eq!(names.join(" "), may, "{phase} {verdict:?} {action:?}");
            assert!(!May::of(&view, false).any(), "a reader may nothing");
        }
    }

    #[test]
    fn runs_are_filtered_by_everything_that_can_be_done() {
        let known: BTreeSet<&str> = LEFT.iter().map(|row| row.0).collect();
        let offered: BTreeSet<&str> = filters::ACTIONS.iter().map(|(word, _)| *word).collect();
        assert_eq!(known, offered);
    }

    #[test]
    fn the_way_back_stays_here() {
        let to = |id: &str| {
            back_to("/runs", id).into_response().headers()["location"]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(to("run_1"), "/runs/run_1");
        assert_eq!(to("/evil.example?x"), "/runs/%2Fevil.example%3Fx");
    }
}
