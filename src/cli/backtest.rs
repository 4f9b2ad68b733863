//! `backstop backtest`: the recorded probes of past runs judged again by a config, run by run.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};

use super::Exit;
use super::agent::Remote;
use super::args::{BacktestArgs, Format};
use super::ask::{segment, story};
use super::table::{plain, table};
use crate::config::Config;
use crate::domain::Timestamp;
use crate::lab::{Moment, Recording, Replayed, replay};
use crate::machine::OFFLINE;
use crate::runtime::RunPlan;

/// Runs in one page of the API.
const PAGE: usize = 100;

/// One run, as it was judged and as it would be.
struct Row {
    run: Value,
    now: Replayed,
}

impl Row {
    fn field(&self, name: &str) -> &str {
        self.run.get(name).and_then(Value::as_str).unwrap_or("-")
    }

    fn now(&self) -> &'static str {
        self.now.verdict.map_or("undecided", |verdict| verdict.as_str())
    }

    fn is_changed(&self) -> bool {
        self.field("verdict") != self.now()
    }
}

/// Judges the agent's past runs again, and says what would have changed.
pub(super) async fn run(args: &BacktestArgs) -> anyhow::Result<Exit> {
    let Ok(config) = super::lint::read(&args.config) else {
        return Ok(Exit::Config);
    };
    let config = Arc::new(config);
    let remote = Remote::new(&args.agent)?;
    let mut runs = ended_runs(&remote, args).await?;
    // Oldest first: a warm-up limit is learned from the runs before.
    runs.reverse();
    let mut warm_ups: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
    let mut rows = Vec::new();
    for run in runs {
        let recording = recording(&remote, &run).await?;
        let text = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (app, environment) = (text("app"), text("environment"));
        let sha = run.get("commit_sha").and_then(Value::as_str).map(str::to_owned);
        let deployment = super::deployment::named(&app, &environment, sha, None);
        let known = warm_ups.entry((app, environment)).or_default();
        let plan = RunPlan::of(Arc::clone(&config), &deployment, known).plan;
        let now = replay(&plan, &recording);
        known.extend(now.warm_up_ms);
        rows.push(Row { run, now });
    }
    rows.reverse();
    match args.agent.format {
        Format::Json => println!("{:#}", as_json(&rows)),
        Format::Text => print_text(&rows, &config, args),
    }
    Ok(Exit::Ok)
}

/// Runs that ended with a verdict, newest first.
async fn ended_runs(remote: &Remote, args: &BacktestArgs) -> anyhow::Result<Vec<Value>> {
    let mut found: Vec<Value> = Vec::new();
    let mut before: Option<String> = None;
    while found.len() < args.runs {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &PAGE.to_string());
        if let Some(app) = &args.app {
            query.append_pair("app", app);
        }
        if let Some(before) = &before {
            query.append_pair("before", before);
        }
        let page = remote.get(&format!("/api/v1/runs?{}", query.finish())).await?;
        let items = page.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        let ended = |run: &Value| {
            run.get("ended_at").is_some_and(Value::is_string) && run.get("verdict").is_some_and(Value::is_string)
        };
        found.extend(items.into_iter().filter(ended));
        before = page.get("next").and_then(Value::as_str).map(str::to_owned);
        if before.is_none() {
            break;
        }
    }
    found.truncate(args.runs);
    Ok(found)
}

async fn recording(remote: &Remote, run: &Value) -> anyhow::Result<Recording> {
    let text = |name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = |text: &str| {
        Timestamp::parse_rfc3339(text).ok_or_else(|| anyhow::anyhow!("the agent's answer has no moment: `{text}`"))
    };
    let entries = story(remote, &segment(text("id")), None).await?;
    let mut moments = Vec::new();
    for entry in &entries {
        let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let probe = match (field("kind"), entry.get("data")) {
            ("probe", Some(data)) => {
                let probe = serde_json::from_value(data.clone());
                Some(probe.context("a recorded probe cannot be read; was it written by another version?")?)
            }
            ("wake", _) => None,
            _ => continue,
        };
        moments.push(Moment {
            at: at(field("at"))?,
            probe,
        });
    }
    Ok(Recording {
        started_at: at(text("started_at"))?,
        ended_at: at(text("ended_at"))?,
        offline: text("reason") == OFFLINE,
        moments,
    })
}

fn print_text(rows: &[Row], config: &Config, args: &BacktestArgs) {
    if rows.is_empty() {
        return println!("no run has ended with a verdict yet; there is nothing to judge again");
    }
    let shown: Vec<Vec<String>> = rows
        .iter()
        .filter(|row| args.all || row.is_changed())
        .map(|row| {
            let after = row
                .now
                .after_ms
                .map_or_else(String::new, |ms| format!(" after {:.0} s", ms as f64 / 1_000.0));
            vec![
                row.field("id").to_owned(),
                row.field("app").to_owned(),
                row.field("environment").to_owned(),
                row.field("deployment").to_owned(),
                row.field("verdict").to_owned(),
                format!("{}{after}", row.now()),
                row.now.reason.clone(),
            ]
        })
        .collect();
    if !shown.is_empty() {
        let head = ["RUN", "APP", "ENVIRONMENT", "DEPLOYMENT", "JUDGED", "WOULD BE", "WHY"];
        println!("{}\n", table(&head, &shown));
    }
    let changed = rows.iter().filter(|row| row.is_changed()).count();
    println!(
        "{changed} of {} runs would be judged otherwise by {}",
        rows.len(),
        plain(
            &config
                .sources
                .first()
                .map_or_else(String::new, |source| source.path.clone())
        )
    );
    let mut unrecorded: Vec<String> = rows
        .iter()
        .flat_map(|row| &row.now.unrecorded)
        .map(ToString::to_string)
        .collect();
    unrecorded.sort_unstable();
    unrecorded.dedup();
    if !unrecorded.is_empty() {
        println!(
            "left out where they were not probed: {}; what a check expects is not tried again on old answers",
            plain(&unrecorded.join(", "))
        );
    }
}

fn as_json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "run": row.field("id"),
            "app": row.field("app"),
            "environment": row.field("environment"),
            "deployment": row.field("deployment"),
            "verdict": row.field("verdict"),
            "would_be": row.now(),
            "would_be_after_ms": row.now.after_ms,
            "reason": row.now.reason,
            "changed": row.is_changed(),
            "not_recorded": row.now.unrecorded,
        })
    };
    json!({ "runs": rows.iter().map(row).collect::<Vec<_>>() })
}
