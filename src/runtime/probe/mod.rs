//! One probe: performs a check's script against a version, and says what was seen.

mod assets;
mod exchange;
mod kept;
mod sampled;
mod script;
mod traced;

use url::Url;

use crate::check::{Placeholder, Script};
use crate::domain::{CheckName, Class, Deployment, Identity, Observation, Reason, RunId, Timing};
use crate::http::{Client, Jar};
use crate::machine::{Place, WARM_UP};
use crate::platform::File;
use crate::step::{self, Step, Values};

use super::plan::RunPlan;

pub use kept::Kept;
pub(super) use traced::Asked;
pub use traced::Traced;
use traced::Trail;

/// Which version to probe, and for whom.
#[derive(Clone)]
pub struct Target {
    /// The version.
    pub deployment: Deployment,
    /// The run that asks.
    pub run: RunId,
    /// What was kept of earlier answers.
    pub kept: Kept,
    /// It answers at an address of its own, where only the platform says so: whatever the config says of the address
    /// is about the current version, and no credentials go there.
    pub at_own_address: bool,
    /// The trace that the probe belongs to, if anybody wants one.
    pub traced: Option<Traced>,
}

/// Performs probes.
#[derive(Clone)]
pub struct Prober {
    client: Client,
}

/// What one probe saw, as a whole and step by step.
#[derive(Clone, Debug)]
pub struct Looked {
    /// As a whole.
    pub observation: Observation,
    /// Of each request that was sent, in order, the clean-up last.
    pub steps: Vec<StepLooked>,
    /// Of each request too, for the trace.
    pub(super) asked: Vec<Asked>,
}

/// What came of one request.
#[derive(Clone, Debug)]
pub struct StepLooked {
    /// What was asked: `GET /api/orders`.
    pub label: String,
    /// What was seen.
    pub observation: Observation,
    /// A command that repeats it, with secrets as variables; of what failed.
    pub curl: Option<String>,
}

/// One probe while it is performed.
struct Probe<'a> {
    client: &'a Client,
    plan: &'a RunPlan,
    target: &'a Target,
    /// The check; none for the warm-up gate.
    check: Option<CheckName>,
    /// The address that the config gives.
    configured: Option<Url>,
    placeholders: &'a [Placeholder],
    jar: Jar,
    values: Values,
    steps: Vec<StepLooked>,
    trail: Trail,
}

impl Prober {
    /// A prober that calls through `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Probes `place` of the plan. Never fails: what goes wrong is what was seen.
    pub async fn probe(&self, plan: &RunPlan, place: Place, target: &Target, file: Option<&File>) -> Observation {
        self.look(plan, place, target, file).await.observation
    }

    /// The same, step by step.
    pub async fn look(&self, plan: &RunPlan, place: Place, target: &Target, file: Option<&File>) -> Looked {
        let Some((check, script, own_base)) = found(plan, place) else {
            return Looked::unsendable("the check is not in the config any more");
        };
        if target.at_own_address && script.all().any(|step| step.send.target.is_absolute()) {
            return Looked::unsendable("the check asks an address of its own");
        }
        let mut values = plan.config.values_for(&target.deployment, &target.run, check.as_ref());
        target.kept.add_to(&mut values);
        let mut script = script;
        if check.is_none() && !identity_is_known(&script.first, &values) {
            script.first = script.first.without_identity();
        }
        let configured = own_base
            .or(plan.settings.base.clone())
            .filter(|_| !target.at_own_address);
        let jar = script
            .session
            .as_ref()
            .and_then(|session| target.kept.jar(session))
            .unwrap_or_default();
        let probe = Probe {
            client: &self.client,
            plan,
            target,
            check,
            configured,
            placeholders: file.map(File::placeholders).unwrap_or_default(),
            jar,
            values,
            steps: Vec::new(),
            trail: Trail::new(target.traced.clone()),
        };
        probe.perform(&script).await
    }
}

impl Looked {
    fn unsendable(detail: &str) -> Self {
        Self {
            observation: unsendable(detail),
            steps: Vec::new(),
            asked: Vec::new(),
        }
    }
}

impl Probe<'_> {
    fn name(&self) -> CheckName {
        self.check.clone().unwrap_or_else(|| WARM_UP.into())
    }
}

/// The check at `place` with its script and the base address of its own; none for the warm-up gate.
fn found(plan: &RunPlan, place: Place) -> Option<(Option<CheckName>, Script, Option<Url>)> {
    match place {
        Place::Gate => Some((None, Script::of(plan.settings.warmup.step.clone()), None)),
        Place::Check(index) => {
            let check = plan.checks.get(index)?;
            Some((Some(check.name.clone()), check.script.clone(), check.base.clone()))
        }
    }
}

/// Whether every part of the version that the gate expects is known; else the run says that identity was unknown.
fn identity_is_known(step: &Step, values: &Values) -> bool {
    !step.tells_identity()
        || step
            .slots()
            .iter()
            .all(|slot| !step::IDENTITY_SLOTS.contains(&slot.as_str()) || values.get(slot).is_some())
}

/// Nothing was sent, so nothing is known.
fn unsendable(detail: &str) -> Observation {
    Observation {
        class: Class::Unknown,
        reason: Reason::Forbidden,
        identity: Identity::Unknown,
        app_made: false,
        warned: false,
        latency_ms: 0,
        timing: Timing::default(),
        http_version: None,
        status: None,
        address: None,
        detail: detail.to_owned(),
        body: None,
    }
}
