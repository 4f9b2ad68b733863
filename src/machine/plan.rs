//! What a run is to do: the part of the config that the machine decides by, resolved for one deployment.

use crate::domain::{CheckName, FleetBrake, Mode, Severity};

/// One check, as far as deciding is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckPlan {
    /// Its name.
    pub name: CheckName,
    /// How grave its failure is.
    pub severity: Severity,
    /// Whether it may be sent again. One that may not is probed once, and alone never makes a deployment unhealthy.
    pub repeatable: bool,
    /// Checks, by index, that must have passed before this one can be probed: it uses what they captured.
    pub needs: Vec<usize>,
    /// What its answers may take, over all of them.
    pub time_bounds: Vec<TimeBound>,
    /// It asks an address of its own, not the deployment's.
    pub elsewhere: bool,
    /// Hash of its definition: a check counts as known only in its present form.
    pub form: String,
}

/// A time that so many percent of the answers keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeBound {
    /// The percentile, 50 to 99.
    pub percent: u8,
    /// The time, in milliseconds.
    pub ms: u32,
    /// Exceeding it degrades; otherwise it fails the check.
    pub is_warning: bool,
}

/// What a run is to do. Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What may be done about an unhealthy deployment.
    pub mode: Mode,
    /// The checks; none makes the run inconclusive.
    pub checks: Vec<CheckPlan>,
    /// Hash of the warm-up gate's definition.
    pub gate_form: String,
    /// The gate has no expectation of its own: any answer of an app below 500 opens it.
    pub gate_any_answer: bool,
    /// Why no answer can be told to be this version's own, if so.
    pub identity_unknown: Option<String>,
    /// The most a warm-up may take.
    pub warm_up_ms: u64,
    /// Between probes of one check, before jitter.
    pub every_ms: u64,
    /// Separate failures that empty a full budget.
    pub failures: u32,
    /// Passes in a row, with a full budget, that are a pass.
    pub passes: u32,
    /// How long a late failure still counts after a pass.
    pub watch_ms: u64,
    /// The limits on rolling back, as they were when the run began.
    pub limits: Limits,
}

/// The limits on rolling back. They are read anew when a guard is asked; the stricter of then and now holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rollbacks of one app in one environment in an hour.
    pub per_hour_max: u32,
    /// Least time between two of them.
    pub cooldown_ms: u64,
    /// After this long live, a bad deployment is only told of.
    pub act_within_ms: u64,
    /// Text in a commit message that forbids going back over it.
    pub irreversible: Vec<String>,
    /// When so many apps fail together that it is nobody's deployment; none where that is switched off.
    pub fleet_brake: Option<FleetBrake>,
}

impl Limits {
    /// The stricter of both, limit by limit.
    pub(super) fn stricter(&self, other: &Self) -> Self {
        let mut irreversible = self.irreversible.clone();
        irreversible.extend(
            other
                .irreversible
                .iter()
                .filter(|p| !self.irreversible.contains(p))
                .cloned(),
        );
        Self {
            per_hour_max: self.per_hour_max.min(other.per_hour_max),
            cooldown_ms: self.cooldown_ms.max(other.cooldown_ms),
            act_within_ms: self.act_within_ms.min(other.act_within_ms),
            irreversible,
            fleet_brake: match (self.fleet_brake, other.fleet_brake) {
                (Some(one), Some(other)) => Some(one.stricter(other)),
                (one, other) => one.or(other),
            },
        }
    }
}

impl Plan {
    /// The plan of a run whose deployment is not confirmed yet: nothing to probe, nothing allowed.
    pub fn unconfirmed() -> Self {
        Self {
            mode: Mode::AlertOnly,
            checks: Vec::new(),
            gate_form: String::new(),
            gate_any_answer: true,
            identity_unknown: None,
            warm_up_ms: 300_000,
            every_ms: 2_000,
            failures: 6,
            passes: 12,
            watch_ms: 300_000,
            limits: Limits {
                per_hour_max: 0,
                cooldown_ms: 0,
                act_within_ms: 0,
                irreversible: Vec::new(),
                fleet_brake: None,
            },
        }
    }
}
