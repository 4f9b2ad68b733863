//! What no delivery told of: the platform's own list is read at start and at an interval.
//!
//! Every app and environment that a run was ever about is looked at, and every other one that a check applies to. What is
//! live in a place at the first look at it is its baseline, and is left alone. What is live and newer than all that was
//! heard of has been missed, and begins a run. A platform that does not say what is live, or when it was made, tells
//! nothing. What became ready and never live is told of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::handle::Command;
use super::notices::Notices;
use super::perform::{Performer, some_deployment_of};
use crate::domain::{
    AgentId, AppKey, AppPlace, Deployment, DeploymentId, DeploymentState, Heard, Notice, OutcomeEvent, PlatformName,
};
use crate::platform::{Surveyed, Urgency};

/// A delivery may be on its way: what is not known yet is looked at again after this long, and only then missed.
const GRACE_MAX: Duration = Duration::from_secs(60);
/// What became ready this long ago and is not live is stuck.
const READY_MS_MAX: u64 = 15 * 60_000;
/// Places looked at in one round.
const PLACES_MAX: usize = 10_000;
/// One agent looks for all, for so long after its last round.
const DUTY_MORE_MS: u64 = 60_000;

/// Reads what one platform lists.
pub(super) struct Reconciler {
    pub(super) agent: AgentId,
    pub(super) platform: PlatformName,
    pub(super) every: Duration,
    pub(super) performer: Performer,
    pub(super) notices: Notices,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) stop: CancellationToken,
}

impl Reconciler {
    /// Looks until stopped.
    pub(super) async fn run(self) {
        let mut unknown = BTreeSet::new();
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                found = self.turn(&unknown) => unknown = found,
            }
            let wait = if unknown.is_empty() {
                self.every
            } else {
                self.every.min(GRACE_MAX)
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// A round, if it is ours to make.
    async fn turn(&self, before: &BTreeSet<DeploymentId>) -> BTreeSet<DeploymentId> {
        let duty = format!("reconcile {}", self.platform);
        let every_ms = u64::try_from(self.every.as_millis()).unwrap_or(u64::MAX);
        let until_ms = every_ms.saturating_add(DUTY_MORE_MS);
        match self.performer.store.take_duty(&self.agent, &duty, until_ms).await {
            Ok(true) => self.round(before).await,
            Ok(false) => BTreeSet::new(),
            Err(error) => {
                tracing::warn!(error = %error, "whose turn it is to look could not be read; later again");
                BTreeSet::new()
            }
        }
    }

    /// Looks at every place once. What was not known in the round before either is missed; returns what is new to us.
    async fn round(&self, before: &BTreeSet<DeploymentId>) -> BTreeSet<DeploymentId> {
        self.tell_of_the_stuck().await;
        let mut unknown = BTreeSet::new();
        let places = match self.performer.store.places(PLACES_MAX).await {
            Ok(places) => places,
            Err(error) => {
                tracing::warn!(error = %error, "what is deployed where could not be read; later again");
                return unknown;
            }
        };
        let ours = places.into_iter().filter(|place| place.key.platform == self.platform);
        let known: BTreeMap<AppKey, AppPlace> = ours.map(|place| (place.key.clone(), place)).collect();
        for place in known.values() {
            match self.performer.live_at(place, Urgency::Background).await {
                Ok(None) => {}
                Ok(Some(live)) if self.is_known(&live).await => {}
                Ok(Some(live)) if before.contains(&live.id) => {
                    tracing::warn!(app = %live.app, deployment = %live.id, "it is live, and no delivery told of it");
                    // The dispatcher has stopped if nobody takes it.
                    let _ = self.commands.send(Command::Missed(Box::new(live))).await;
                }
                Ok(Some(live)) => drop(unknown.insert(live.id)),
                Err(why) => tracing::info!(app = %place.app, why, "the platform did not say what is live"),
            }
        }
        self.adopt_others(&known).await;
        unknown
    }

    /// Whether a run was about it, or it is older than what runs were about; also where that cannot be told.
    async fn is_known(&self, live: &Deployment) -> bool {
        match self.performer.store.knows(live).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(error = %error, "what is known of a deployment could not be read; later again");
                true
            }
        }
    }

    /// Takes what is live in places that nothing was heard of, and that checks apply to, as their baseline.
    async fn adopt_others(&self, known: &BTreeMap<AppKey, AppPlace>) {
        let surveyed = match self.performer.platform(&self.platform) {
            Ok(platform) => platform.survey().await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        let surveyed = match surveyed {
            Ok(surveyed) => surveyed,
            Err(why) => return tracing::info!(platform = %self.platform, why, "where apps are could not be listed"),
        };
        for found in surveyed {
            if known.contains_key(&found.place.key) || !self.is_checked(&found) {
                continue;
            }
            let place = found.place;
            let adopted = match self.performer.live_at(&place, Urgency::Background).await {
                Ok(live) => {
                    let named = live.as_ref().map(|live| live.id.to_string());
                    let adopted = self.performer.store.adopt(place.clone(), live).await;
                    adopted.map(|new| (new, named)).map_err(|error| error.to_string())
                }
                Err(why) => Err(why),
            };
            match adopted {
                Ok((true, live)) => {
                    let live = live.as_deref().unwrap_or("nothing");
                    tracing::info!(app = %place.app, environment = %place.environment, live, "a baseline is adopted");
                }
                Ok((false, _)) => {}
                Err(why) => tracing::info!(app = %place.app, why, "no baseline could be adopted; later again"),
            }
        }
    }

    fn is_checked(&self, found: &Surveyed) -> bool {
        let like = Deployment {
            preview: found.preview,
            ..some_deployment_of(&found.place)
        };
        !self.performer.config.load().checks_for(&like).is_empty()
    }

    /// Tells of deployments that became ready a while ago and went nowhere since.
    async fn tell_of_the_stuck(&self) {
        let before = self.performer.clock.now().minus(Duration::from_millis(READY_MS_MAX));
        match self.performer.store.awaited(&self.platform, before).await {
            Ok(awaited) => {
                for heard in awaited {
                    if let Err(why) = self.look_after(&heard).await {
                        tracing::info!(deployment = %heard.deployment, why, "what became of it could not be told");
                    }
                }
            }
            Err(error) => tracing::warn!(error = %error, "what became ready could not be read; later again"),
        }
    }

    async fn look_after(&self, heard: &Heard) -> Result<(), String> {
        let (deployment, _) = self.performer.identify(&self.platform, heard).await?;
        // What failed was told of by the platform; what is live, or was, is found among what is live.
        let is_stuck = !deployment.current && deployment.state == DeploymentState::UnderWay;
        let notice = Notice {
            event: OutcomeEvent::DeliveryMissed,
            at: self.performer.clock.now(),
            about: format!("deployment {} of {}", deployment.id, deployment.app),
            reason: format!(
                "it became ready more than {} minutes ago and never went live: the platform says `{}`",
                READY_MS_MAX / 60_000,
                deployment.state_word
            ),
        };
        let told = if is_stuck {
            self.notices.messages(&notice)
        } else {
            Vec::new()
        };
        let store = &self.performer.store;
        let ended = store.end_waiting(&self.platform, &heard.deployment, told).await;
        if ended.map_err(|error| error.to_string())? && is_stuck {
            tracing::warn!(deployment = %deployment.id, app = %deployment.app, state = %deployment.state_word,
                "it became ready and never went live");
            self.notices.queued();
        }
        Ok(())
    }
}
