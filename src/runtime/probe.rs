//! One probe: renders a check's step, sends it, and says what was seen.

use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::check::{self, Makers, Unanswered};
use crate::domain::{CheckName, Class, Deployment, Identity, Observation, Reason, RunId, Timing};
use crate::http::{Client, Trust};
use crate::machine::{Place, WARM_UP};
use crate::platform::File;
use crate::step::{self, Redactor, Response, Step, Value, Values};

use super::plan::RunPlan;

/// What one run keeps of answers, in memory only: captured values, which are secret, and what answers looked like.
#[derive(Clone, Default)]
pub struct Kept {
    captures: Arc<Mutex<Vec<(String, Value)>>>,
    makers: Arc<Mutex<Makers>>,
}

impl Kept {
    fn capture(&self, check: &CheckName, captured: Vec<(String, Value)>) {
        let mut kept = self.captures.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, value) in captured {
            let name = format!("{check}.{name}");
            kept.retain(|(known, _)| *known != name);
            kept.push((name, value));
        }
    }

    fn attribute(&self, check: &CheckName, response: &Response, seen: Observation) -> Observation {
        let mut makers = self.makers.lock().unwrap_or_else(PoisonError::into_inner);
        makers.attribute(check, response, seen)
    }

    fn add_to(&self, values: &mut Values) {
        let kept = self.captures.lock().unwrap_or_else(PoisonError::into_inner);
        values.extend(kept.iter().cloned());
    }
}

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
}

/// Performs probes.
#[derive(Clone)]
pub struct Prober {
    client: Client,
}

/// A step made ready.
struct Ready {
    /// The check; none for the warm-up gate.
    check: Option<CheckName>,
    step: Step,
    base: Option<Url>,
    trust: Trust,
}

impl Prober {
    /// A prober that calls through `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Probes `place` of the plan. Never fails: what goes wrong is what was seen.
    pub async fn probe(&self, plan: &RunPlan, place: Place, target: &Target, file: Option<&File>) -> Observation {
        let Some(mut ready) = ready(plan, place, target) else {
            return unsendable("the check is not in the config any more, or asks an address of its own");
        };
        let check = ready.check.as_ref();
        let mut values = plan.config.values_for(&target.deployment, &target.run, check);
        target.kept.add_to(&mut values);
        if check.is_none() && !identity_is_known(&ready.step, &values) {
            ready.step = ready.step.without_identity();
        }
        let redactor = Redactor::of(&values);
        let request = match step::render(&ready.step, ready.base.as_ref(), &values) {
            Ok(request) => request,
            Err(error) => return check::unsent(&ready.step, &error, &redactor).observation,
        };
        let may_carry = plan.address_given || plan.config.may_carry_credentials(&target.deployment, check);
        if request.carries_credentials && (target.at_own_address || !may_carry) {
            return unsendable(
                "it carries a secret to an address that only the platform tells: configure `base`, or name the app in `when`",
            );
        }
        let sent = self.client.send(&request, ready.trust).await;
        let assessed = match &sent {
            Ok(response) => Ok((response, step::assess(&ready.step, response, &values))),
            Err(failure) => Err(Unanswered {
                reason: failure.reason,
                detail: &failure.detail,
                elapsed: failure.elapsed,
                timing: failure.timing,
                address: failure.address,
            }),
        };
        let placeholders = file.map(File::placeholders).unwrap_or_default();
        let seen = check::classify(&ready.step, assessed, placeholders, &redactor);
        let name = ready.check.clone().unwrap_or_else(|| WARM_UP.into());
        target.kept.capture(&name, seen.captured);
        match &sent {
            Ok(response) => target.kept.attribute(&name, response, seen.observation),
            Err(_) => seen.observation,
        }
    }
}

fn ready(plan: &RunPlan, place: Place, target: &Target) -> Option<Ready> {
    let deployment = &target.deployment;
    let (check, step, own_base) = match place {
        Place::Gate => (None, &plan.settings.warmup.step, None),
        Place::Check(index) => {
            let check = plan.checks.get(index)?;
            (Some(check.name.clone()), &check.step, check.base.as_ref())
        }
    };
    if target.at_own_address && step.send.target.is_absolute() {
        return None;
    }
    let configured = own_base
        .or(plan.settings.base.as_ref())
        .filter(|_| !target.at_own_address)
        .cloned();
    // Whoever wrote the config may name any address; the platform and the app may not.
    let by_operator =
        configured.is_some() || step.send.target.is_absolute() && step.send.target.slots().next().is_none();
    let told = || deployment.url.as_deref().and_then(|url| Url::parse(url).ok());
    Some(Ready {
        check,
        step: step.clone(),
        base: configured.or_else(told),
        trust: if by_operator { Trust::Configured } else { Trust::Named },
    })
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
