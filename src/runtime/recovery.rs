//! Reading runs back from the store: an agent's own that do not follow, and those that no living agent owns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::live::Live;
use super::perform::Performer;
use super::plan::RunPlan;
use super::start::drill_plan;
use crate::config::{self, Config};
use crate::domain::{AgentId, RunId};
use crate::machine::RunState;
use crate::store::{self, RunRecord, Taken};

/// Runs taken over at once.
const TAKEN_MAX: usize = 100;

/// Reads runs back.
#[derive(Clone)]
pub(super) struct Recovery {
    pub(super) agent: AgentId,
    pub(super) performer: Performer,
    /// Where secrets and files come from, to read the config that a run began with.
    pub(super) env: Arc<dyn config::Env + Send + Sync>,
    /// Whether the store may have given us runs that we do not know of.
    pub(super) unsure: Arc<AtomicBool>,
}

/// A run that was read back, and for how long its former owner may still have a call under way.
pub(super) struct Recovered {
    pub(super) run: RunId,
    pub(super) live: Live,
    pub(super) hold_ms: u64,
}

impl Recovery {
    /// Takes over runs that no living agent owns; at most a page of them.
    pub(super) async fn take_over(&self) -> Result<Vec<Recovered>, store::Error> {
        let taken = self.performer.store.take_over(&self.agent, TAKEN_MAX).await;
        // The store may have given us what its answer does not say.
        let taken = taken.inspect_err(|_| self.unsure.store(true, Ordering::Relaxed))?;
        let mut found = Vec::new();
        for taken in taken {
            let id = taken.run.id.clone();
            tracing::info!(run.id = %id, phase = %taken.run.phase, "taking over an unfinished run");
            match self.read(taken).await {
                Ok(run) => found.extend(run),
                Err(error) => {
                    self.unsure.store(true, Ordering::Relaxed);
                    tracing::warn!(run.id = %id, error = %error, "a run that was taken over could not be read; trying again");
                }
            }
        }
        Ok(found)
    }

    /// The unfinished runs that the store says are ours, if it may have given us some that we do not know of.
    pub(super) async fn ours_if_unsure(&self) -> Result<Option<Vec<RunId>>, store::Error> {
        if !self.unsure.swap(false, Ordering::Relaxed) {
            return Ok(None);
        }
        let ours = self.performer.store.runs_of(&self.agent).await;
        ours.map(Some)
            .inspect_err(|_| self.unsure.store(true, Ordering::Relaxed))
    }

    /// Takes up one of our own as it is stored; `None` if it ended or is another agent's.
    pub(super) async fn take_again(&self, run: &RunId) -> Result<Option<Recovered>, store::Error> {
        match self.performer.store.take_again(&self.agent, run).await? {
            Some(taken) => self.read(taken).await,
            None => Ok(None),
        }
    }

    /// A run as it is stored, with the checks it began with.
    async fn read(&self, taken: Taken) -> Result<Option<Recovered>, store::Error> {
        let record = taken.run;
        let Ok(state) = serde_json::from_str::<RunState>(&record.state) else {
            tracing::error!(run.id = %record.id, "the run's stored state cannot be read; it is left as it is");
            return Ok(None);
        };
        let config = self.config_of(&record).await?;
        let now = self.performer.clock.now();
        let plan = match &state.deployment {
            None => RunPlan::unconfirmed(config),
            Some(deployment) => {
                let history = self.performer.store.history(&deployment.key, now).await?;
                let plan = RunPlan::of(config, deployment, &history.warmups_ms);
                if state.drill { drill_plan(plan) } else { plan }
            }
        };
        Ok(Some(Recovered {
            run: record.id.clone(),
            live: Live::stored(state, Arc::new(plan), &record, now),
            hold_ms: taken.hold_ms,
        }))
    }

    /// The config a run began with, or the present one if that cannot be read any more.
    async fn config_of(&self, record: &RunRecord) -> Result<Arc<Config>, store::Error> {
        let current = self.performer.config.load_full();
        if record.config_hash == current.hash {
            return Ok(current);
        }
        let snapshot = self.performer.store.config(&record.config_hash).await?;
        let read = snapshot.and_then(|text| Config::from_snapshot(&text, self.env.as_ref()).ok());
        if read.is_none() {
            tracing::warn!(run.id = %record.id, "the config that the run began with cannot be read; it goes on with the present one");
        }
        Ok(read.map_or(current, Arc::new))
    }
}
