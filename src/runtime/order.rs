//! A person's word, as the dispatcher takes it: approvals and orders.

use std::sync::Arc;

use super::dispatcher::Dispatcher;
use super::handle::{ApprovalError, Approver, Awaiting, OrderError};
use super::live::Live;
use super::plan::RunPlan;
use crate::domain::RunId;
use crate::machine::{Event, Phase, RunState};

impl Dispatcher {
    /// What `run` waits to have approved, if `by` may know; with `act`, it is approved.
    pub(super) fn approval(&mut self, run: &RunId, by: &Approver, act: bool) -> Result<Awaiting, ApprovalError> {
        let live = self.runs.get(run).ok_or(ApprovalError::NotAwaited)?;
        let waits = live.state.phase == Phase::Awaiting && !live.is_committing();
        let approval = live
            .state
            .approval
            .clone()
            .filter(|_| waits)
            .ok_or(ApprovalError::NotAwaited)?;
        let may = match by {
            Approver::Admin => true,
            Approver::Token(token) => self.approvals.opens(token, run, &approval),
        };
        if !may || self.clock.now() >= approval.expires_at {
            return Err(ApprovalError::NotAwaited);
        }
        let deployment = live.state.deployment.as_ref();
        let awaiting = Awaiting {
            app: deployment.map(|d| d.app.clone()).unwrap_or_default(),
            environment: deployment.map(|d| d.environment.clone()).unwrap_or_default(),
            reason: live.state.reason.clone().unwrap_or_default(),
            approval,
        };
        if act {
            tracing::info!(run.id = %run, "a person approved the rollback");
            self.turn(run, Event::Approved);
        }
        Ok(awaiting)
    }

    /// Takes a run up, if it has ended, and rolls back.
    pub(super) async fn order(&mut self, run: &RunId) -> Result<(), OrderError> {
        if !self.runs.contains_key(run) {
            let live = self.ended_run(run).await?;
            self.runs.insert(run.clone(), live);
        }
        let may = self.runs.get(run).is_some_and(|live| live.state.may_order());
        if !may {
            self.runs
                .retain(|known, live| known != run || live.state.phase != Phase::Done);
            return Err(OrderError::TooLate(run.clone()));
        }
        tracing::warn!(run.id = %run, "a person ordered a rollback");
        self.turn(run, Event::Ordered);
        Ok(())
    }

    async fn ended_run(&self, run: &RunId) -> Result<Live, OrderError> {
        let store = &self.performer.store;
        let read = async {
            let Some(record) = store.take_ended(&self.recovery.agent, run).await? else {
                return Ok(None);
            };
            let history = match &record.key {
                Some(key) => store.history(key, self.clock.now()).await?,
                None => Default::default(),
            };
            Ok::<_, crate::store::Error>(Some((record, history)))
        };
        let (record, history) = match read.await {
            Ok(found) => found.ok_or_else(|| OrderError::NoRun(run.clone()))?,
            Err(error) => {
                tracing::error!(error = %error, "a run could not be read for an order");
                return Err(OrderError::Store);
            }
        };
        if record.ended_at.is_none() {
            return Err(OrderError::Elsewhere(run.clone()));
        }
        let state: RunState = serde_json::from_str(&record.state).map_err(|_| OrderError::TooLate(run.clone()))?;
        let Some(deployment) = &state.deployment else {
            return Err(OrderError::TooLate(run.clone()));
        };
        // What is restored is verified by the checks there are now.
        let config = self.performer.config.load_full();
        let plan = RunPlan::of(config, deployment, &history.warmups_ms);
        let now = self.clock.now();
        Ok(Live {
            taken_up_at: Some(now),
            ..Live::stored(state, Arc::new(plan), &record, now)
        })
    }
}
