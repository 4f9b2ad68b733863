//! A run as the dispatcher holds it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::plan::RunPlan;
use super::probe::Kept;
use super::record::Decided;
use super::spans::Stage;
use crate::domain::Timestamp;
use crate::machine::{Effect, Event, RunState};
use crate::store::{Hold, RunRecord};

/// A run under way.
pub(super) struct Live {
    pub(super) state: RunState,
    pub(super) plan: Arc<RunPlan>,
    /// The last committed version; 0 before the first commit.
    pub(super) version: u64,
    pub(super) kept: Kept,
    pub(super) pending: Decided,
    pub(super) delivery: Option<crate::domain::DeliveryId>,
    pub(super) effects: Vec<Effect>,
    pub(super) waiting: VecDeque<Event>,
    pub(super) committing: bool,
    pub(super) committed_at: Timestamp,
    pub(super) timer: Option<Timestamp>,
    /// Which owner of the run we are; the store refuses what an earlier one writes.
    pub(super) fence: u64,
    /// Until when a call that was decided on may be under way.
    pub(super) held_until: Timestamp,
    /// Since when it is in its present stage, as its trace says it.
    pub(super) stage_since: Option<Timestamp>,
    /// When it was taken up again after its end.
    pub(super) taken_up_at: Option<Timestamp>,
}

impl Live {
    /// A run that is about to begin.
    pub(super) fn new(state: RunState, plan: Arc<RunPlan>, now: Timestamp) -> Self {
        Self {
            state,
            plan,
            version: 0,
            fence: 1,
            held_until: now,
            kept: Kept::default(),
            pending: Decided::default(),
            delivery: None,
            effects: Vec::new(),
            waiting: VecDeque::new(),
            committing: false,
            committed_at: now,
            timer: None,
            stage_since: None,
            taken_up_at: None,
        }
    }
}

impl Live {
    /// A run as it was read from the store.
    pub(super) fn stored(state: RunState, plan: Arc<RunPlan>, record: &RunRecord, now: Timestamp) -> Self {
        let stage_since = Stage::of(&state).map(|(_, since)| since.unwrap_or(state.turned_at));
        Self {
            version: record.version,
            fence: record.fence,
            stage_since,
            ..Self::new(state, plan, now)
        }
    }

    /// For how long a call may be under way, as the store is to keep it for whoever takes the run over.
    pub(super) fn hold(&self, longest: Duration) -> Hold {
        if self
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::RollBack { .. }))
        {
            Hold::For(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX))
        } else if self.state.act.as_ref().is_some_and(|act| act.seq.is_some()) {
            Hold::Keep
        } else {
            Hold::Release
        }
    }

    /// Whether a decision is on its way to the store.
    pub(super) fn is_committing(&self) -> bool {
        self.committing
    }
}
