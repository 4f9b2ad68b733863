//! `backstop test`: looks at an address from a terminal or a CI job.

mod formats;
mod report;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Exit;
use super::args::{TestArgs, TestFormat};
use super::table::plain;
use crate::clock::{Clock, Ids};
use crate::config::{Config, closest};
use crate::domain::{Class, Glob, Observation, RunId, Severity};
use crate::http::{Client, Network};
use crate::machine::Place;
use crate::runtime::{Kept, Looked, Prober, RunPlan, StepLooked, Target};
use report::{CheckReport, Report, StepReport, Verdict};

/// Checks looked at at once.
const AT_ONCE: usize = 64;
/// Between the two looks at a check that answered like a cold start.
const SECOND_LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// Sends each check once, and once more where the answer looked like a cold start; never rolls back.
pub(super) async fn run(args: &TestArgs) -> anyhow::Result<Exit> {
    if args.watch {
        return watch::run(args).await;
    }
    let Ok(config) = super::lint::read(&args.config) else {
        return Ok(Exit::Config);
    };
    once(args, config).await
}

/// Looks at every check and writes the report.
async fn once(args: &TestArgs, config: Config) -> anyhow::Result<Exit> {
    let report = test(args, config).await?;
    let rendered = formats::render(&report, args.format);
    match &args.output {
        Some(path) => {
            std::fs::write(path, rendered).with_context(|| format!("writing {}", path.display()))?;
            print!("{}", formats::render(&report, TestFormat::Text));
        }
        None => print!("{rendered}"),
    }
    Ok(report.exit(args.strict))
}

async fn test(args: &TestArgs, config: Config) -> anyhow::Result<Report> {
    let deployment = super::deployment::named(&args.app, &args.env, args.commit.clone(), Some(args.url.to_string()));
    let client = Client::new(Network {
        allow: config.network_allow.clone(),
        plain_http: config.plain_http.clone(),
        per_host_max: AT_ONCE,
    })?;
    let plan = RunPlan::of(Arc::new(config), &deployment, &[]).at(args.url.clone());
    let wanted = wanted(&plan, &args.only)?;
    let target = Target {
        deployment,
        run: RunId::new(Ids::default().next("run", Clock::system().now())),
        kept: Kept::default(),
        at_own_address: false,
        traced: None,
    };
    let clock = Clock::system();
    let started = clock.now();
    let look = Look {
        prober: Prober::new(client),
        plan,
        target,
    };
    let checks = look.all(&wanted).await;
    Ok(Report {
        url: args.url.to_string(),
        app: args.app.clone(),
        env: args.env.clone(),
        elapsed_ms: clock.now().ms_since(started),
        checks,
    })
}

/// The checks whose names match one of `only`, and those that they need; all of them if there is none.
fn wanted(plan: &RunPlan, only: &[String]) -> anyhow::Result<Vec<usize>> {
    let checks = &plan.plan.checks;
    let mut wanted = Vec::new();
    for pattern in only {
        let glob = Glob::new(pattern);
        let matching = checks
            .iter()
            .enumerate()
            .filter(|(_, check)| glob.matches(check.name.as_str()));
        let before = wanted.len();
        wanted.extend(matching.map(|(index, _)| index));
        if wanted.len() == before {
            let names = checks.iter().map(|check| check.name.as_str());
            match closest(pattern, names) {
                Some(name) => bail!(
                    "no check is called `{}`; did you mean `{}`?",
                    plain(pattern),
                    plain(name)
                ),
                None => bail!("no check is called `{}`", plain(pattern)),
            }
        }
    }
    if only.is_empty() {
        wanted.extend(0..checks.len());
    }
    let mut at = 0;
    while let Some(check) = wanted.get(at).and_then(|index| checks.get(*index)) {
        let missing: Vec<usize> = check
            .needs
            .iter()
            .copied()
            .filter(|need| !wanted.contains(need))
            .collect();
        wanted.extend(missing);
        at += 1;
    }
    wanted.sort_unstable();
    wanted.dedup();
    Ok(wanted)
}

/// Looks at checks.
struct Look {
    prober: Prober,
    plan: RunPlan,
    target: Target,
}

/// What came of a check.
struct Looks {
    looked: Looked,
    /// What was seen before it was looked at again.
    first: Option<String>,
}

impl Look {
    /// Looks at every check of `wanted`, at [`AT_ONCE`] at once, each as soon as all that it needs has passed.
    async fn all(&self, wanted: &[usize]) -> Vec<CheckReport> {
        let mut seen: BTreeMap<usize, Looks> = BTreeMap::new();
        let mut waiting: Vec<usize> = wanted.to_vec();
        let mut under_way = FuturesUnordered::new();
        loop {
            let is_ready = |index: &usize| {
                let passed = |need: &usize| seen.get(need).is_some_and(|looks| passed(&looks.looked.observation));
                self.needs(*index).iter().all(passed)
            };
            let room = AT_ONCE - under_way.len();
            let ready: Vec<usize> = waiting.iter().copied().filter(is_ready).take(room).collect();
            waiting.retain(|index| !ready.contains(index));
            under_way.extend(
                ready
                    .into_iter()
                    .map(|index| async move { (index, self.one(index).await) }),
            );
            match under_way.next().await {
                Some((index, looks)) => drop(seen.insert(index, looks)),
                None => break,
            }
        }
        wanted
            .iter()
            .map(|index| self.report(*index, seen.remove(index)))
            .collect()
    }

    fn needs(&self, index: usize) -> &[usize] {
        let check = self.plan.plan.checks.get(index);
        check.map(|check| check.needs.as_slice()).unwrap_or_default()
    }

    async fn one(&self, index: usize) -> Looks {
        let place = Place::Check(index);
        let looked = self.prober.look(&self.plan, place, &self.target, None).await;
        let repeatable = self.plan.plan.checks.get(index).is_some_and(|check| check.repeatable);
        if looked.observation.class != Class::Unready || !repeatable {
            return Looks { looked, first: None };
        }
        tokio::time::sleep(SECOND_LOOK).await;
        Looks {
            looked: self.prober.look(&self.plan, place, &self.target, None).await,
            first: Some(looked.observation.detail),
        }
    }

    fn report(&self, index: usize, looks: Option<Looks>) -> CheckReport {
        let check = self.plan.checks.get(index);
        let severity = check.map_or(Severity::Critical, |check| check.severity);
        let mut report = CheckReport {
            check: check.map(|check| check.name.to_string()).unwrap_or_default(),
            title: check.and_then(|check| check.title.clone()),
            result: Verdict::Skipped,
            severity,
            reason: None,
            detail: "what it needs did not pass".to_owned(),
            looks: 0,
            latency_ms: None,
            status: None,
            address: None,
            http_version: None,
            steps: Vec::new(),
            curl: None,
        };
        let Some(Looks { looked, first }) = looks else {
            return report;
        };
        let seen = looked.observation;
        report.result = match verdict(&seen) {
            Verdict::Fail if severity != Severity::Critical => Verdict::Degraded,
            Verdict::Pass if first.is_some() => Verdict::Flaky,
            verdict => verdict,
        };
        report.reason = Some(seen.reason.as_str());
        report.looks = if first.is_some() { 2 } else { 1 };
        report.detail = match first {
            Some(first) if report.result == Verdict::Flaky => format!("at first: {first}"),
            _ => seen.detail,
        };
        report.latency_ms = Some(seen.latency_ms);
        report.status = seen.status;
        report.address = seen.address.map(|address| address.to_string());
        report.http_version = seen.http_version;
        report.curl = looked.steps.iter().find_map(|step| step.curl.clone());
        if looked.steps.len() > 1 {
            report.steps = looked.steps.into_iter().map(step_report).collect();
        }
        report
    }
}

fn step_report(step: StepLooked) -> StepReport {
    StepReport {
        step: step.label,
        result: verdict(&step.observation),
        detail: step.observation.detail,
        latency_ms: step.observation.latency_ms,
    }
}

fn passed(seen: &Observation) -> bool {
    seen.class == Class::Pass
}

fn verdict(seen: &Observation) -> Verdict {
    match (seen.class, seen.warned) {
        (Class::Pass, false) => Verdict::Pass,
        (Class::Pass, true) => Verdict::Degraded,
        (Class::Unknown, _) => Verdict::Unknown,
        (Class::Slow | Class::Unready | Class::Broken, _) => Verdict::Fail,
    }
}
