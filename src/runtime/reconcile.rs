//! Deployments that no delivery told of: the platform's own list is read at start and at an interval.
//!
//! Every app and environment that a run was ever about is looked at. What is live there and is newer than all that was heard
//! of has been missed; what was live before anything was heard of is the baseline, and is left alone. A platform that does
//! not say what is live, or when it was made, tells nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::handle::Command;
use super::perform::Performer;
use crate::domain::{Deployment, DeploymentId, PlatformName};

/// A delivery may be on its way: what is not known yet is looked at again after this long, and only then missed.
const GRACE_MAX: Duration = Duration::from_secs(60);
/// Between two questions to one platform, so that what is urgent finds it free.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads what one platform lists.
pub(super) struct Reconciler {
    pub(super) platform: PlatformName,
    pub(super) every: Duration,
    pub(super) performer: Performer,
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
                found = self.round(&unknown) => unknown = found,
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

    /// Looks at every place once. What was not known in the round before either is missed; returns what is new to us.
    async fn round(&self, before: &BTreeSet<DeploymentId>) -> BTreeSet<DeploymentId> {
        let mut unknown = BTreeSet::new();
        let places = match self.performer.store.places().await {
            Ok(places) => places,
            Err(error) => {
                tracing::warn!(error = %error, "what is deployed where could not be read; later again");
                return unknown;
            }
        };
        for place in places.into_iter().filter(|place| place.key.platform == self.platform) {
            match self.performer.live_at(&place).await {
                Ok(live) if self.is_known(&live).await => {}
                Ok(live) if before.contains(&live.id) => {
                    tracing::warn!(app = %live.app, deployment = %live.id, "it is live, and no delivery told of it");
                    // The dispatcher has stopped if nobody takes it.
                    let _ = self.commands.send(Command::Missed(Box::new(live))).await;
                }
                Ok(live) => drop(unknown.insert(live.id)),
                Err(why) => tracing::info!(app = %place.app, why, "the platform did not say what is live"),
            }
            tokio::time::sleep(PAUSE).await;
        }
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
}
