//! What a run is to do, resolved from the config for one deployment.

use std::sync::Arc;

use url::Url;

use crate::check::Check;
use crate::config::{Config, Limit, Settings};
use crate::domain::Deployment;
use crate::machine::{CheckPlan, Limits, Place, Plan, TimeBound, WARM_UP};
use crate::step::Step;

/// Warm-up limit for an app without history.
const WARM_UP_MS_DEFAULT: u64 = 300_000;
/// Warm-ups to have seen before the limit is learned.
const WARM_UPS_TO_LEARN: usize = 10;
/// A learned limit is at least this ...
const WARM_UP_MS_MIN: u64 = 30_000;
/// ... and this many times the longest warm-up seen.
const WARM_UP_FACTOR: u64 = 3;

/// A run's plan: what the machine decides by, and the steps that its probes send.
#[derive(Clone)]
pub struct RunPlan {
    /// What the machine decides by.
    pub plan: Plan,
    /// The config it came from; a run keeps the checks it began with.
    pub config: Arc<Config>,
    /// What applies to this deployment.
    pub settings: Arc<Settings>,
    /// The checks, in the plan's order.
    pub checks: Vec<Arc<Check>>,
    /// The operator said by hand where the deployment answers.
    pub address_given: bool,
}

impl RunPlan {
    /// The plan of a run whose deployment is not confirmed yet.
    pub fn unconfirmed(config: Arc<Config>) -> Self {
        let settings = Arc::clone(&config.base_settings);
        Self {
            address_given: false,
            plan: Plan::unconfirmed(),
            config,
            settings,
            checks: Vec::new(),
        }
    }

    /// The same plan at an address that the operator gives by hand; a check's own `base` stays.
    #[must_use]
    pub fn at(mut self, address: Url) -> Self {
        for check in &mut self.checks {
            // What a check has as its own is in the config; what its file lends it gives way.
            let own = self.config.check(&check.name).and_then(|own| own.base.clone());
            if check.base != own {
                *check = Arc::new(Check {
                    base: own,
                    ..Check::clone(check)
                });
            }
        }
        Arc::make_mut(&mut self.settings).base = Some(address);
        self.address_given = true;
        self
    }

    /// What is probed at `place` is called.
    pub(super) fn name(&self, place: Place) -> &str {
        match place {
            Place::Gate => WARM_UP,
            Place::Check(index) => self.checks.get(index).map_or("", |check| check.name.as_str()),
        }
    }

    /// The plan for `deployment`; `warm_ups_ms` are the app's own past warm-ups.
    pub fn of(config: Arc<Config>, deployment: &Deployment, warm_ups_ms: &[u64]) -> Self {
        let settings = config.settings_for(deployment);
        let checks = config.checks_for(deployment);
        let plan = Plan {
            mode: settings.mode,
            checks: checks.iter().map(|check| check_plan(check, &checks)).collect(),
            gate_form: settings.warmup.step.form(),
            gate_any_answer: settings.warmup.step.expect.is_empty(),
            identity_unknown: identity_unknown(&settings, &checks, deployment).map(str::to_owned),
            warm_up_ms: warm_up_ms(&settings, warm_ups_ms),
            every_ms: millis(settings.retry.every),
            failures: settings.retry.failures,
            passes: settings.retry.passes,
            watch_ms: millis(settings.watch),
            limits: limits(&settings),
        };
        Self {
            plan,
            config,
            settings,
            checks,
            address_given: false,
        }
    }
}

fn check_plan(check: &Check, all: &[Arc<Check>]) -> CheckPlan {
    CheckPlan {
        name: check.name.clone(),
        severity: check.severity,
        repeatable: check.repeat,
        needs: check
            .needs
            .iter()
            .filter_map(|need| all.iter().position(|other| other.name == *need))
            .collect(),
        time_bounds: time_bounds(check),
        elsewhere: check.script.first.send.target.is_absolute(),
        form: check.form.clone(),
    }
}

/// What its answers may take over all of them: `expect.time.p95` and the like.
/// Samples are judged probe by probe, and of several steps nobody says which one is meant.
fn time_bounds(check: &Check) -> Vec<TimeBound> {
    if check.script.samples.is_some() || !check.script.rest.is_empty() {
        return Vec::new();
    }
    let step = &check.script.first;
    let expected = step.expect.percentiles.iter().map(|bound| (bound, false));
    let warned = step.warn.percentiles.iter().map(|bound| (bound, true));
    let bounds = expected.chain(warned).map(|((percent, time), is_warning)| TimeBound {
        percent: *percent,
        ms: u32::try_from(time.as_millis()).unwrap_or(u32::MAX),
        is_warning,
    });
    bounds.collect()
}

/// Why the old version's answers cannot be told from the new one's, if so.
fn identity_unknown(settings: &Settings, checks: &[Arc<Check>], deployment: &Deployment) -> Option<&'static str> {
    let steps = std::iter::once(&settings.warmup.step).chain(checks.iter().flat_map(|check| check.script.steps()));
    let telling: Vec<&Step> = steps.filter(|step| step.tells_identity()).collect();
    let by_id = telling
        .iter()
        .any(|step| step.slots().iter().any(|slot| slot == "deploy.id"));
    let has_commit = deployment.commit.sha.as_deref().is_some_and(|sha| !sha.is_empty());
    if telling.is_empty() {
        Some("nothing in the config expects `{{ deploy.commit }}` of an answer")
    } else {
        (!by_id && !has_commit).then_some("the platform tells no commit of this deployment")
    }
}

fn warm_up_ms(settings: &Settings, warm_ups_ms: &[u64]) -> u64 {
    match settings.warmup.limit {
        Limit::Fixed(limit) => millis(limit),
        Limit::Auto if warm_ups_ms.len() < WARM_UPS_TO_LEARN => WARM_UP_MS_DEFAULT,
        Limit::Auto => {
            let longest = warm_ups_ms.iter().max().copied().unwrap_or(WARM_UP_MS_DEFAULT);
            (longest * WARM_UP_FACTOR).clamp(WARM_UP_MS_MIN, WARM_UP_MS_DEFAULT)
        }
    }
}

/// The limits on rolling back, as the machine takes them.
pub(super) fn limits(settings: &Settings) -> Limits {
    Limits {
        per_hour_max: settings.rollback.max_per_hour,
        cooldown_ms: millis(settings.rollback.cooldown),
        act_within_ms: millis(settings.rollback.act_within),
        irreversible: settings.rollback.irreversible.clone(),
        fleet_brake: settings.rollback.fleet_brake,
    }
}

pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{FixedEnv, load};
    use crate::domain::{AppKey, AppPlace, Commit};

    fn plan(config: &str, sha: Option<&str>, warm_ups_ms: &[u64]) -> Plan {
        let env = FixedEnv::default().file("checks.toml", config);
        let config = load(Path::new("checks.toml"), &env).unwrap();
        let place = AppPlace {
            key: AppKey {
                platform: "temps".into(),
                project: "1".into(),
                environment: "1".into(),
            },
            app: "shop".to_owned(),
            environment: "production".to_owned(),
        };
        let deployment = Deployment {
            commit: Commit {
                sha: sha.map(str::to_owned),
                ..Commit::default()
            },
            ..Deployment::live("1", place)
        };
        RunPlan::of(Arc::new(config), &deployment, warm_ups_ms).plan
    }

    #[test]
    fn a_warm_up_limit_is_learned_within_its_bounds() {
        let table: &[(&[u64], u64)] = &[
            (&[], 300_000),
            (&[1_000; 9], 300_000),
            (&[1_000; 10], 30_000),
            (&[60_000; 10], 180_000),
            (&[200_000; 10], 300_000),
        ];
        for (warm_ups_ms, limit_ms) in table {
            assert_eq!(
                plan("[check.home]\nget = \"/\"", None, warm_ups_ms).warm_up_ms,
                *limit_ms
            );
        }
        let fixed = "[warmup]\nfor = \"90s\"\n[check.home]\nget = \"/\"";
        assert_eq!(plan(fixed, None, &[1_000; 10]).warm_up_ms, 90_000);
    }

    #[test]
    fn a_run_says_when_no_answer_can_be_told_to_be_the_new_versions() {
        let by = |slot: &str| {
            format!(
                "[warmup]\nget = \"/version\"\nexpect.json.version = \"{{{{ {slot} }}}}\"\n[check.home]\nget = \"/\""
            )
        };
        let why = |config: &str, sha| plan(config, sha, &[]).identity_unknown.unwrap_or_default();
        assert!(why("[check.home]\nget = \"/\"", Some("0123456")).contains("nothing in the config expects"));
        assert!(why(&by("deploy.commit"), None).contains("tells no commit"));
        assert_eq!(why(&by("deploy.commit"), Some("0123456")), "");
        assert_eq!(why(&by("deploy.id"), None), "");
    }
}
