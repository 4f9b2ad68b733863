//! Looking at the version before, while a deployment is on its way: what fails already is not the new one's doing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::clock::Ids;
use crate::domain::{Before, CheckName, Class, Deployment, Heard, PlatformName, RunId, Timestamp};
use crate::machine::{Place, WARM_UP};
use crate::platform::{Platform, Urgency};

use super::perform::Performer;
use super::plan::RunPlan;
use super::probe::{Kept, Prober, Target};

/// Such looks under way at once; past that, a deployment has to do without.
const AT_ONCE: usize = 16;
/// Looks at each check.
const ROUNDS: u32 = 3;
/// Between two looks at one check.
const PAUSE: Duration = Duration::from_secs(2);

/// Looks at versions that are about to be replaced.
#[derive(Clone)]
pub(super) struct Baseline {
    performer: Performer,
    prober: Prober,
    places: Arc<Semaphore>,
}

impl Baseline {
    pub(super) fn new(performer: Performer, prober: Prober) -> Self {
        Self {
            performer,
            prober,
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Looks at what is live while what was heard of is on its way, and keeps what was seen. Evidence that only ever
    /// withholds, so a look that fails is no more than a line in the log.
    pub(super) async fn look(self, platform: PlatformName, heard: Heard) {
        let Ok(_place) = self.places.clone().try_acquire_owned() else {
            return tracing::info!(deployment = %heard.deployment, "too many looks at versions before are under way");
        };
        if let Err(why) = self.try_look(&platform, &heard).await {
            tracing::info!(deployment = %heard.deployment, why, "the version before could not be looked at");
        }
    }

    async fn try_look(&self, platform: &PlatformName, heard: &Heard) -> Result<(), String> {
        let (coming, _) = self.performer.identify(platform, heard).await?;
        let Some(live) = self.performer.live_beside(&coming, Urgency::Run).await? else {
            return Ok(());
        };
        let config = self.performer.config.load_full();
        let plan = RunPlan::of(config, &live, &[]);
        if plan.plan.checks.is_empty() {
            return Ok(());
        }
        let file = self.performer.platform(platform)?;
        let seen = self.rounds(&plan, &live, &file).await;
        let stored = self.performer.store.looked_before(&coming.key, seen).await;
        stored.map_err(|error| error.to_string())
    }

    async fn rounds(&self, plan: &RunPlan, live: &Deployment, platform: &Platform) -> Vec<Before> {
        let now = self.performer.clock.now();
        let target = Target {
            deployment: live.clone(),
            run: RunId::new(Ids::default().next("run", now)),
            kept: Kept::default(),
            at_own_address: false,
            traced: None,
        };
        let mut looks = looks(plan, now);
        for round in 0..ROUNDS {
            if round > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            for (place, before) in &mut looks {
                let seen = self.prober.probe(plan, *place, &target, Some(platform.file())).await;
                before.at = self.performer.clock.now();
                match seen.class {
                    Class::Unknown => {}
                    Class::Pass => before.probes += 1,
                    Class::Slow | Class::Unready | Class::Broken => {
                        // Failures of different kinds are not one failure.
                        let is_same = before.reason.is_none_or(|reason| reason == seen.reason);
                        before.probes += 1;
                        before.failed += u32::from(is_same);
                        before.reason = before.reason.or(Some(seen.reason));
                    }
                }
            }
            if looks.iter().all(|(_, before)| before.failed == 0) {
                break;
            }
        }
        looks.into_iter().map(|(_, before)| before).collect()
    }
}

/// What is looked at: the warm-up gate, and each check that may be sent again, after those whose values it uses.
fn looks(plan: &RunPlan, now: Timestamp) -> Vec<(Place, Before)> {
    let look = |place: Place, check: CheckName, form: &str| {
        let before = Before {
            check,
            form: form.to_owned(),
            probes: 0,
            failed: 0,
            reason: None,
            at: now,
        };
        (place, before)
    };
    let gate = look(Place::Gate, WARM_UP.into(), &plan.plan.gate_form);
    let checks = in_order(plan).into_iter().map(|index| {
        let check = &plan.plan.checks[index];
        look(Place::Check(index), check.name.clone(), &check.form)
    });
    std::iter::once(gate).chain(checks).collect()
}

/// The checks that may be sent again, each after those whose values it uses.
fn in_order(plan: &RunPlan) -> Vec<usize> {
    let checks = &plan.plan.checks;
    let mut order: Vec<usize> = Vec::new();
    loop {
        let is_next = |index: &usize| {
            let check = &checks[*index];
            check.repeatable && !order.contains(index) && check.needs.iter().all(|need| order.contains(need))
        };
        let Some(next) = (0..checks.len()).find(is_next) else {
            return order;
        };
        order.push(next);
    }
}
