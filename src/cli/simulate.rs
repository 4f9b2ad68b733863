//! `backstop simulate`: what the configured policy does over the corpus, beside well-known policies.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use serde_json::json;

use super::Exit;
use super::args::{SimulateArgs, SimulateFormat};
use crate::config::{Config, FixedEnv, load};
use crate::domain::Mode;
use crate::lab::{self, PEERS, Policy, Row, Scenario, Study};
use crate::machine::Plan;
use crate::runtime::RunPlan;

/// The gate of what is simulated without a config; everything else is as by default.
const GATE: &str = "[warmup]\nget = \"/version\"\nexpect.json.commit = \"{{ deploy.commit }}\"\n";

/// Simulates, and prints what came of it.
pub(super) fn run(args: &SimulateArgs) -> anyhow::Result<Exit> {
    let Some(plan) = plan(args)? else {
        return Ok(Exit::Config);
    };
    let scenarios = scenarios(args)?;
    let deployments = usize::try_from(args.deployments).context("too many deployments")?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let peers: &[lab::Peer] = if args.peers { PEERS } else { &[] };
    let policies = std::iter::once(("this config".to_owned(), Policy::Ours(&plan)));
    let others = peers
        .iter()
        .map(|peer| (peer.name.to_owned(), Policy::Peer(peer, plan.checks.len())));
    let mut studies = Vec::new();
    for (name, policy) in policies.chain(others) {
        let study = lab::study(&name, policy, &scenarios, deployments, args.seed, threads);
        if args.format == SimulateFormat::Text {
            println!("{}\n", lab::text(&study));
        }
        studies.push(study);
    }
    match args.format {
        SimulateFormat::Text => println!(
            "* helped to choose the rule's constants; seed {}, {} deployments each",
            args.seed, args.deployments
        ),
        SimulateFormat::Json => println!("{:#}", json(args, &studies)),
        SimulateFormat::Svg => print!("{}", lab::plot(&studies)),
    }
    Ok(Exit::Ok)
}

/// The plan of the config, or of the defaults where there is none. Acting is allowed, whatever the config's mode: what
/// would be done is the question.
fn plan(args: &SimulateArgs) -> anyhow::Result<Option<Plan>> {
    let config = match &args.config {
        Some(file) => match super::lint::read(file) {
            Ok(config) => config,
            Err(()) => return Ok(None),
        },
        None => defaults(args.checks)?,
    };
    let mut plan = plan_of(config, &args.app, &args.env);
    plan.mode = Mode::AutoRollback;
    if plan.checks.is_empty() {
        eprintln!(
            "no check of the config matches --app `{}` --env `{}`; look at `when`",
            args.app, args.env
        );
        return Ok(None);
    }
    Ok(Some(plan))
}

/// What the config says of deployments of `app` in `env`.
pub(super) fn plan_of(config: Config, app: &str, env: &str) -> Plan {
    let deployment = super::deployment::named(app, env, Some("0123456".to_owned()), None);
    RunPlan::of(Arc::new(config), &deployment, &[]).plan
}

fn defaults(checks: u16) -> anyhow::Result<Config> {
    let checks: String = (1..=checks)
        .map(|number| format!("[check.c{number}]\nget = \"/{number}\"\n"))
        .collect();
    let env = FixedEnv::default().file("defaults.toml", format!("{GATE}{checks}"));
    load(Path::new("defaults.toml"), &env).map_err(|problems| anyhow!("{} problems in the defaults", problems.len()))
}

fn scenarios(args: &SimulateArgs) -> anyhow::Result<Vec<Scenario>> {
    let all = lab::corpus()
        .map_err(|problems| anyhow!("{}", problems.len()))
        .context("reading the corpus")?;
    let wanted = |scenario: &Scenario| {
        args.only
            .as_ref()
            .is_none_or(|part| scenario.name.contains(part.as_str()))
    };
    let scenarios: Vec<Scenario> = all.into_iter().filter(wanted).collect();
    if scenarios.is_empty() {
        return Err(anyhow!(
            "no scenario's name contains `{}`",
            args.only.as_deref().unwrap_or_default()
        ));
    }
    Ok(scenarios)
}

fn json(args: &SimulateArgs, studies: &[Study]) -> serde_json::Value {
    let row = |row: &Row| {
        json!({
            "scenario": row.scenario,
            "truth": if row.truth == lab::Truth::Healthy { "healthy" } else { "broken" },
            "chosen_by": row.chosen_by,
            "deadline_ms": row.deadline_ms,
            "wrong": { "count": row.wrong.count, "of": row.wrong.of, "low": row.wrong.low, "high": row.wrong.high },
            "untold": row.inconclusive.count,
            "median_ms": row.decided_ms.map(|(median, _)| median),
            "p95_ms": row.decided_ms.map(|(_, p95)| p95),
        })
    };
    let policies: Vec<_> = studies
        .iter()
        .map(|study| json!({ "policy": study.policy, "scenarios": study.rows.iter().map(row).collect::<Vec<_>>() }))
        .collect();
    json!({ "seed": args.seed, "deployments": args.deployments, "policies": policies })
}
