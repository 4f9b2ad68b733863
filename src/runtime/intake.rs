//! Taking deliveries from the store: which of them begin a run, and what becomes of the others.

use std::sync::Arc;

use crate::domain::{HeardEvent, RunId};
use crate::machine::{DISMISSED, Event, RunState};
use crate::store::StoredDelivery;

use super::dispatcher::Dispatcher;
use super::live::Live;
use super::plan::RunPlan;

/// Deliveries taken from the store at once.
const DELIVERIES_MAX: usize = 100;
/// Runs under way at once; a deployment that goes live beyond that waits in the store.
pub(super) const RUNS_MAX: usize = 10_000;

impl Dispatcher {
    /// Takes deliveries that no run has taken yet.
    pub(super) async fn intake(&mut self) {
        loop {
            let deliveries = match self.performer.store.unhandled_deliveries(DELIVERIES_MAX).await {
                Ok(deliveries) => deliveries,
                Err(error) => {
                    tracing::warn!(error = %error, "deliveries could not be read; trying again");
                    return;
                }
            };
            let full = deliveries.len() == DELIVERIES_MAX;
            let mut done = Vec::new();
            let mut coming = Vec::new();
            for delivery in deliveries {
                let (id, about) = (delivery.id.clone(), (delivery.platform.clone(), delivery.heard.clone()));
                let note = self.take_delivery(delivery).await;
                if note.is_some() && about.1.event == HeardEvent::Started {
                    coming.push((id.clone(), about));
                }
                done.extend(note.map(|note| (id, note)));
            }
            // What a run has taken is marked by its own commit; the next page is read when those are through.
            self.backlog = full && done.is_empty();
            if done.is_empty() {
                return;
            }
            let ours = match self.performer.store.mark_handled(done).await {
                Ok(ours) => ours,
                Err(error) => return tracing::warn!(error = %error, "deliveries could not be marked; trying again"),
            };
            // Another agent may have been quicker; then it looks.
            for (_, (platform, heard)) in coming.into_iter().filter(|(id, _)| ours.contains(id)) {
                self.tasks.spawn(self.baseline.clone().look(platform, heard));
            }
            if !full {
                return;
            }
        }
    }

    /// Begins a run, or returns what came of the delivery instead. `None` too if it has to wait.
    pub(super) async fn take_delivery(&mut self, delivery: StoredDelivery) -> Option<String> {
        if self
            .runs
            .values()
            .any(|live| live.delivery.as_ref() == Some(&delivery.id))
        {
            return None;
        }
        let (heard, platform) = (&delivery.heard, &delivery.platform);
        let is_same = |live: &Live| live.state.platform == *platform && live.state.heard.deployment == heard.deployment;
        let under_way = self
            .runs
            .iter()
            .find(|(_, live)| is_same(live))
            .map(|(run, _)| run.clone());
        match (heard.event, under_way) {
            (HeardEvent::Live, Some(run)) => Some(format!("{run} is judging this deployment")),
            (HeardEvent::Live, None) if self.runs.len() >= RUNS_MAX => {
                tracing::warn!(
                    runs = self.runs.len(),
                    "as many runs as may be are under way; a deployment waits"
                );
                None
            }
            (HeardEvent::Live, None) => self.begin_unless_judged(delivery).await,
            (HeardEvent::Failed | HeardEvent::Cancelled | HeardEvent::RolledBack, Some(run)) => {
                let note = format!("told {run}");
                let why = format!("heard `{}`", heard.event.as_str());
                self.turn(&run, Event::Nudged { why });
                Some(note)
            }
            (HeardEvent::Started, None) => Some("kept; the version before is looked at".to_owned()),
            (HeardEvent::Failed | HeardEvent::Cancelled | HeardEvent::RolledBack, None) => {
                self.unless_anothers(&delivery).await
            }
            (HeardEvent::Started, Some(_)) | (HeardEvent::Built | HeardEvent::Ready, _) => Some("kept".to_owned()),
        }
    }

    /// What another agent's run should hear of waits for that agent, or for whoever takes the run over.
    async fn unless_anothers(&self, delivery: &StoredDelivery) -> Option<String> {
        let store = &self.performer.store;
        match store.run_of(&delivery.platform, &delivery.heard.deployment).await {
            Ok(Some(run)) if run.ended_at.is_none() && !self.runs.contains_key(&run.id) => None,
            Ok(_) => Some("kept".to_owned()),
            Err(error) => {
                tracing::warn!(error = %error, "runs could not be read; trying again");
                None
            }
        }
    }

    /// One run per deployment; one that found nothing to judge does not count.
    pub(super) async fn begin_unless_judged(&mut self, delivery: StoredDelivery) -> Option<String> {
        match self
            .performer
            .store
            .run_of(&delivery.platform, &delivery.heard.deployment)
            .await
        {
            Ok(Some(run)) if run.action.as_deref() != Some(DISMISSED) => {
                Some(format!("{} has judged this deployment", run.id))
            }
            Ok(_) => {
                self.begin(delivery);
                None
            }
            Err(error) => {
                tracing::warn!(error = %error, "runs could not be read; trying again");
                None
            }
        }
    }

    pub(super) fn begin(&mut self, delivery: StoredDelivery) {
        let now = self.clock.now();
        let run = RunId::new(self.ids.next("run", now));
        tracing::info!(run.id = %run, platform = %delivery.platform, deployment = %delivery.heard.deployment, "a run begins");
        let mut state = RunState::new(run.clone(), delivery.platform, delivery.heard, self.ids.seed(), now);
        state.opened_app = delivery.opened_app;
        let plan = Arc::new(RunPlan::unconfirmed(self.performer.config.load_full()));
        let mut live = Live::new(state, plan, now);
        live.delivery = Some(delivery.id);
        self.runs.insert(run.clone(), live);
        self.turn(&run, Event::Began);
    }
}
