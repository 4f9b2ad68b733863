//! What a run is to do, resolved from the config for one deployment.

use std::sync::Arc;

use url::Url;

use crate::check::Check;
use crate::config::{Config, Limit, Settings};
use crate::domain::Deployment;
use crate::machine::{CheckPlan, Limits, Plan};

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
    pub settings: Settings,
    /// The checks, in the plan's order.
    pub checks: Vec<Arc<Check>>,
    /// The operator said by hand where the deployment answers.
    pub address_given: bool,
}

impl RunPlan {
    /// The plan of a run whose deployment is not confirmed yet.
    pub fn unconfirmed(config: Arc<Config>) -> Self {
        let settings = config.base_settings.clone();
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
        self.settings.base = Some(address);
        self.address_given = true;
        self
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
        elsewhere: check.step.send.target.is_absolute(),
        form: check.form.clone(),
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
