//! `backstop explain`: the effective check, each value with its place, and in words when it passes and fails.

use std::path::Path;

use anyhow::{Context, bail};

use super::Exit;
use super::args::ExplainArgs;
use super::simulate::plan_of;
use super::table::{plain, table};
use crate::config::{Config, Explained, From};
use crate::domain::{CheckName, Mode, Severity};
use crate::lab::{self, Policy, Row, Truth};
use crate::machine::Plan;

/// Deployments simulated for each sentence.
const DEPLOYMENTS: usize = 400;
/// Everything follows from it.
const SEED: u64 = 1;

/// What a sentence speaks of, and the scenario that it comes from.
const SENTENCES: &[(&str, &str)] = &[
    ("a service that always answers well", "instant"),
    ("one that fails 5 % of requests by chance", "noise 5 %"),
    ("one behind a network with bursts of errors", "bursts of 3 s"),
    ("one that fails half of its requests", "half of the replicas are bad"),
    ("one that always answers 500", "always 500"),
    ("one that never answers", "dead"),
    ("one that dies a minute after it went live", "dies after 60 s"),
];

/// Explains one check, or lists them; then the policy in words.
pub(super) fn run(args: &ExplainArgs) -> anyhow::Result<Exit> {
    let Ok(config) = super::lint::read(&args.config) else {
        return Ok(Exit::Config);
    };
    match &args.check {
        Some(name) => print_check(&config, &CheckName::new(name.as_str()))?,
        None => print_checks(&config, &args.config),
    }
    let plan = plan_of(config, &args.app, &args.env);
    if plan.checks.is_empty() {
        println!(
            "No check matches --app `{}` --env `{}`: such a run is inconclusive, never green.",
            args.app, args.env
        );
        return Ok(Exit::Ok);
    }
    print_policy(&plan)?;
    Ok(Exit::Ok)
}

fn print_checks(config: &Config, file: &Path) {
    let severity = |severity| match severity {
        Severity::Critical => "may roll back",
        Severity::Degraded => "only degrades",
        Severity::Dependency => "only degrades, and speaks against blaming the deployment",
    };
    let rows: Vec<Vec<String>> = config
        .checks()
        .map(|check| {
            let said = match (check.severity, check.repeat) {
                (Severity::Critical, false) => "alerts, but alone never rolls back: it is sent once",
                (of, _) => severity(of),
            };
            vec![check.name.to_string(), check.script.label(), said.to_owned()]
        })
        .collect();
    println!("{}\n", table(&["CHECK", "ASKS", "ITS FAILURE"], &rows));
    println!(
        "`backstop explain CHECK` shows one of {} in full.\n",
        plain(&file.display().to_string())
    );
}

fn print_check(config: &Config, name: &CheckName) -> anyhow::Result<()> {
    let Some(values) = config.explain(name) else {
        let known: Vec<String> = config.checks().map(|check| check.name.to_string()).collect();
        bail!(
            "there is no check `{}`; there are {}",
            plain(name.as_str()),
            plain(&known.join(", "))
        );
    };
    let row = |value: &Explained| {
        let from = match &value.from {
            From::Place(place) => place.clone(),
            From::BuiltIn => "built in".to_owned(),
        };
        vec![value.key.clone(), value.value.clone(), from]
    };
    println!(
        "{}\n",
        table(&["KEY", "VALUE", "FROM"], &values.iter().map(row).collect::<Vec<_>>())
    );
    Ok(())
}

fn print_policy(plan: &Plan) -> anyhow::Result<()> {
    let seconds = |ms: u64| format!("{:.0} s", ms as f64 / 1_000.0);
    println!(
        "Each check is probed every {}. {} failures with time between them empty a budget; failures close together \
         count as one; a pass gives a quarter back. {} passes in a row with a full budget are a pass; then it is watched \
         for {}. Warm-up takes at most {}.\n",
        seconds(plan.every_ms),
        plan.failures,
        plan.passes,
        seconds(plan.watch_ms),
        seconds(plan.warm_up_ms)
    );
    let mut plan = plan.clone();
    plan.mode = Mode::AutoRollback;
    let corpus = lab::corpus().map_err(|_| anyhow::anyhow!("the corpus cannot be read"))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    println!("What that means, simulated {DEPLOYMENTS} times each:");
    for (what, name) in SENTENCES {
        let scenario = corpus
            .iter()
            .find(|scenario| scenario.name == *name)
            .context("a scenario is missing")?;
        let scenario = std::slice::from_ref(scenario);
        let study = lab::study("", Policy::Ours(&plan), scenario, DEPLOYMENTS, SEED, threads);
        println!("- {what} {}", study.rows.first().map(verdict).unwrap_or_default());
    }
    Ok(())
}

/// `passes in 24 s`, `is found bad in 58 s`; and how often not.
fn verdict(row: &Row) -> String {
    let median_s = row.decided_ms.map_or(0.0, |(median, _)| median as f64 / 1_000.0);
    let wrong = row.wrong.count;
    match (row.truth, wrong) {
        (Truth::Healthy, 0) => format!("passes, in {median_s:.0} s"),
        (Truth::Healthy, wrong) => format!(
            "passes, in {median_s:.0} s; {wrong} times of {} it is rolled back",
            row.wrong.of
        ),
        (Truth::Broken, 0) => format!("is found bad, in {median_s:.0} s"),
        (Truth::Broken, wrong) if wrong == row.wrong.of => "is not found bad".to_owned(),
        (Truth::Broken, wrong) => format!(
            "is found bad, in {median_s:.0} s; {wrong} times of {} it is not",
            row.wrong.of
        ),
    }
}
