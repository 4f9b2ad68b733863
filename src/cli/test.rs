//! `backstop test`: one look at an address from a terminal or a CI job.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::Exit;
use super::args::{Format, TestArgs};
use super::table::table;
use crate::clock::{Clock, Ids};
use crate::domain::{Class, Observation, RunId, Severity};
use crate::http::{Client, Network};
use crate::machine::Place;
use crate::runtime::{Prober, RunPlan, Target};

/// Checks looked at at once.
const AT_ONCE: usize = 64;
/// Between the two looks at a check that answered like a cold start.
const SECOND_LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// What was seen of one check.
struct Row {
    name: String,
    severity: Severity,
    /// `None`: not looked at, because what it needs did not pass.
    seen: Option<Observation>,
}

/// Sends each check once, and once more where the answer looked like a cold start; never rolls back.
pub(super) async fn run(args: &TestArgs) -> anyhow::Result<Exit> {
    let Ok(config) = super::lint::read(&args.config) else {
        return Ok(Exit::Config);
    };
    let deployment = super::deployment::named(&args.app, &args.env, args.commit.clone(), Some(args.url.to_string()));
    let client = Client::new(Network {
        allow: config.network_allow.clone(),
        per_host_max: AT_ONCE,
    })?;
    let plan = Arc::new(RunPlan::of(Arc::new(config), &deployment, &[]).at(args.url.clone()));
    let run = RunId::new(Ids.next("run", Clock::system().now()));
    let target = Target {
        deployment,
        run,
        kept: Default::default(),
        at_own_address: false,
    };
    let rows = look(&Prober::new(client), &plan, &target).await;
    match args.format {
        Format::Text => print_text(&rows),
        Format::Json => print_json(&rows),
    }
    Ok(exit(&rows))
}

/// Looks at every check, those that need others after them.
async fn look(prober: &Prober, plan: &Arc<RunPlan>, target: &Target) -> Vec<Row> {
    let mut seen: BTreeMap<usize, Observation> = BTreeMap::new();
    loop {
        let passed = |index: &usize| seen.get(index).is_some_and(|o| o.class == Class::Pass);
        let checks = plan.plan.checks.iter().enumerate();
        let next: Vec<usize> = checks
            .filter(|(i, c)| !seen.contains_key(i) && c.needs.iter().all(passed))
            .map(|(i, _)| i)
            .collect();
        if next.is_empty() {
            break;
        }
        for batch in next.chunks(AT_ONCE) {
            let looks = batch.iter().map(|index| look_at(prober, plan, target, *index));
            seen.extend(futures_util::future::join_all(looks).await);
        }
    }
    let checks = plan.plan.checks.iter().enumerate();
    checks
        .map(|(i, c)| Row {
            name: c.name.to_string(),
            severity: c.severity,
            seen: seen.remove(&i),
        })
        .collect()
}

async fn look_at(prober: &Prober, plan: &RunPlan, target: &Target, index: usize) -> (usize, Observation) {
    let place = Place::Check(index);
    let first = prober.probe(plan, place, target, None).await;
    let again = first.class == Class::Unready && plan.plan.checks.get(index).is_some_and(|check| check.repeatable);
    if !again {
        return (index, first);
    }
    tokio::time::sleep(SECOND_LOOK).await;
    (index, prober.probe(plan, place, target, None).await)
}

fn word(row: &Row) -> &'static str {
    match row.seen.as_ref().map(|seen| (seen.class, seen.warned)) {
        Some((Class::Pass, false)) => "pass",
        Some((Class::Pass, true)) => "warn",
        Some((Class::Unknown, _)) => "unknown",
        Some((Class::Slow | Class::Unready | Class::Broken, _)) => "fail",
        None => "skipped",
    }
}

fn exit(rows: &[Row]) -> Exit {
    let critical = || rows.iter().filter(|row| row.severity == Severity::Critical);
    if critical().any(|row| word(row) == "fail") {
        Exit::Failed
    } else if rows.is_empty() || critical().any(|row| matches!(word(row), "unknown" | "skipped")) {
        Exit::Inconclusive
    } else {
        Exit::Ok
    }
}

fn detail(row: &Row) -> String {
    row.seen
        .as_ref()
        .map_or_else(|| "what it needs did not pass".to_owned(), |seen| seen.detail.clone())
}

fn print_text(rows: &[Row]) {
    if rows.is_empty() {
        return println!("no check matches this app and environment; look at `when`");
    }
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let ms = row
                .seen
                .as_ref()
                .map_or_else(|| "-".to_owned(), |seen| format!("{} ms", seen.latency_ms));
            vec![word(row).to_owned(), row.name.clone(), ms, detail(row)]
        })
        .collect();
    println!("{}", table(&["RESULT", "CHECK", "TOOK", "WHAT WAS SEEN"], &lines));
}

fn print_json(rows: &[Row]) {
    let checks: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "check": row.name,
                "result": word(row),
                "severity": row.severity,
                "reason": row.seen.as_ref().map(|seen| seen.reason.as_str()),
                "detail": detail(row),
                "latency_ms": row.seen.as_ref().map(|seen| seen.latency_ms),
                "status": row.seen.as_ref().and_then(|seen| seen.status),
            })
        })
        .collect();
    println!("{:#}", json!({ "checks": checks }));
}
