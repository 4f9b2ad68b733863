//! Performing effects: asking the platform, looking at everything the guards decide by, calling the rollback.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{
    AppPlace, CallAnswer, Deployment, DeploymentId, DeploymentState, Heard, PlatformName, Reason, Timestamp,
};
use crate::http::Client;
use crate::machine::{Controls, Facts};
use crate::platform::{Platform, Urgency};
use crate::step;
use crate::store::Store;

use super::plan::limits;
use super::record::known;
use super::tracer::Tracer;

/// How long the platform may take to say what it lists.
const LOOK_MAX: Duration = Duration::from_secs(25);
/// How late after its decision a rollback call may begin.
const CALL_LATE_MAX: Duration = Duration::from_secs(30);
/// How long a control may take to answer.
const CONTROL_MAX: Duration = Duration::from_secs(10);

/// The platforms of the config in force.
pub type Platforms = BTreeMap<PlatformName, Arc<Platform>>;

/// What effects are performed with.
#[derive(Clone)]
pub(super) struct Performer {
    pub(super) platforms: Arc<ArcSwap<Platforms>>,
    pub(super) store: Store,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) tracer: Tracer,
}

impl Performer {
    pub(super) fn platform(&self, name: &PlatformName) -> Result<Arc<Platform>, String> {
        let found = self.platforms.load().get(name).cloned();
        found.ok_or_else(|| format!("the config has no [platform.{name}] any more"))
    }

    /// Asks the platform what was heard of, and what its past warm-ups were.
    pub(super) async fn identify(
        &self,
        platform: &PlatformName,
        heard: &Heard,
    ) -> Result<(Deployment, Vec<u64>), String> {
        let platform = self.platform(platform)?;
        let deployment = match timeout(LOOK_MAX, platform.identify(heard)).await {
            Ok(answer) => answer.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no answer in {} s", LOOK_MAX.as_secs())),
        };
        let history = self
            .store
            .history(&deployment.key, self.clock.now())
            .await
            .map_err(|error| error.to_string())?;
        Ok((deployment, history.warmups_ms))
    }

    /// What is live beside a deployment that is on its way, if anything else is.
    pub(super) async fn live_beside(
        &self,
        coming: &Deployment,
        urgency: Urgency,
    ) -> Result<Option<Deployment>, String> {
        let platform = self.platform(&coming.key.platform)?;
        let standing = match timeout(LOOK_MAX, platform.standing(coming, urgency)).await {
            Ok(answer) => answer.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no answer in {} s", LOOK_MAX.as_secs())),
        };
        let Some(current) = standing.current.as_ref().filter(|current| **current != coming.id) else {
            return Ok(None);
        };
        let live = standing.find(current).cloned();
        live.map(Some)
            .ok_or_else(|| format!("it says that {current} is current, and does not list it"))
    }

    /// What is live of an app and environment, if anything is.
    pub(super) async fn live_at(&self, place: &AppPlace, urgency: Urgency) -> Result<Option<Deployment>, String> {
        self.live_beside(&some_deployment_of(place), urgency).await
    }

    /// Reads everything that the guards decide by.
    pub(super) async fn look(&self, deployment: &Deployment, controls: bool) -> Result<Facts, String> {
        let key = &deployment.key;
        let platform = self.platform(&key.platform)?;
        let standing = match timeout(LOOK_MAX, platform.standing(deployment, Urgency::Rollback)).await {
            Ok(answer) => answer.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no answer in {} s", LOOK_MAX.as_secs())),
        };
        let config = self.config.load_full();
        let controls = if controls {
            self.controls(&config).await
        } else {
            Controls::Unasked
        };
        let history = self
            .store
            .history(key, self.clock.now())
            .await
            .map_err(|error| error.to_string())?;
        let paused_until = self
            .store
            .paused_until(&deployment.app, self.clock.now())
            .await
            .map_err(|e| e.to_string())?;
        let settings = config.settings_for(deployment);
        Ok(Facts {
            standing,
            known: known(history),
            controls,
            mode: settings.mode,
            limits: limits(&settings),
            paused_until,
            frozen: config.freeze_now(deployment, self.clock.wall()),
        })
    }

    /// Probes every control once; most of them must answer.
    pub(super) async fn controls(&self, config: &Config) -> Controls {
        if config.controls.is_empty() {
            return Controls::Unasked;
        }
        let values = config.control_values();
        let answers = config
            .controls
            .iter()
            .map(|control| self.control_answers(&control.step, &values));
        let up = futures_util::future::join_all(answers)
            .await
            .into_iter()
            .filter(|up| *up)
            .count();
        if up * 2 >= config.controls.len() {
            Controls::Up
        } else {
            Controls::Down
        }
    }

    async fn control_answers(&self, step: &step::Step, values: &step::Values) -> bool {
        let Ok(request) = step::render(step, None, values) else {
            return false;
        };
        let sent = timeout(CONTROL_MAX, self.client.send(&request, crate::http::Trust::Configured));
        let Ok(Ok(response)) = sent.await else { return false };
        // One that is slow or says too little is still there.
        let failures = step::assess(step, &response, values).failures;
        failures.iter().all(|miss| miss.reason == Reason::Time)
    }

    /// Asks the platform to go back. It re-reads what is current just before the call.
    ///
    /// The call begins only if it can end before `held_until`, and is given up then: whoever takes the run over waits for that
    /// moment, looks, and only then makes a call of their own. Whether it is over is asked before anything is sent, so that a
    /// process which stood still sends nothing when it goes on.
    pub(super) async fn roll_back(
        &self,
        deployment: &Deployment,
        bad: &DeploymentId,
        target: &DeploymentId,
        held_until: Timestamp,
    ) -> CallAnswer {
        let platform = match self.platform(&deployment.key.platform) {
            Ok(platform) => platform,
            Err(reason) => return CallAnswer::NotSent { reason },
        };
        let left = Duration::from_millis(held_until.ms_since(self.clock.now()));
        if left < platform.call_max() {
            return CallAnswer::NotSent {
                reason: "this agent stood still between the decision and the call".to_owned(),
            };
        }
        tokio::select! {
            biased;
            () = tokio::time::sleep(left) => CallAnswer::Unknown {
                reason: format!("no answer in {} s", left.as_secs()),
            },
            answer = platform.roll_back(&deployment.key, bad, target) => answer,
        }
    }

    /// For how long a rollback call on `platform` may be under way, from the decision on.
    pub(super) fn call_held(&self, platform: &PlatformName) -> Duration {
        let longest = self
            .platform(platform)
            .map_or(Duration::ZERO, |platform| platform.call_max());
        longest + CALL_LATE_MAX
    }
}

/// A deployment of which nothing but its app and environment is known.
pub(super) fn some_deployment_of(place: &AppPlace) -> Deployment {
    Deployment {
        state: DeploymentState::Other,
        current: false,
        ..Deployment::live("", place.clone())
    }
}
