//! Writing things down: entries, records, outcomes, the end.

use super::advance::Turn;
use super::event::{Entry, EntryKind, Place, Record};
use super::guard::WARM_UP;
use super::state::Phase;
use crate::domain::{Outcome, OutcomeEvent};

impl Turn<'_> {
    pub(super) fn next_seq(&mut self) -> u32 {
        self.state.seq = self.state.seq.wrapping_add(1);
        self.state.seq
    }

    pub(super) fn note(&mut self, kind: EntryKind, text: String) {
        self.journal.push(Entry {
            at: self.now,
            kind,
            text,
            probe: None,
        });
    }

    pub(super) fn record(&mut self, record: Record) {
        self.records.push(record);
        self.commit_now = true;
    }

    /// Tells the world. What is told is committed with the state that decided it.
    pub(super) fn say(&mut self, event: OutcomeEvent, reason: &str, page: bool) {
        let state = &mut self.state;
        state.outcomes += 1;
        let (deployment, heard) = (state.deployment.as_ref(), &state.heard);
        let judge = state.verify.as_ref().or(state.judge.as_ref());
        let commit = deployment.map_or_else(|| heard.commit.clone(), |d| d.commit.clone());
        self.outcomes.push(Outcome {
            event,
            at: self.now,
            seq: state.outcomes,
            run: state.id.clone(),
            platform: state.platform.to_string(),
            app: deployment
                .map(|d| d.app.clone())
                .or_else(|| heard.app.clone())
                .unwrap_or_default(),
            environment: deployment
                .map(|d| d.environment.clone())
                .or_else(|| heard.environment.clone())
                .unwrap_or_default(),
            deployment: heard.deployment.clone(),
            commit,
            triggered_by: heard.triggered_by.clone(),
            url: deployment.and_then(|d| d.url.clone()),
            mode: state.mode,
            verdict: state.verdict,
            reason: reason.to_owned(),
            page,
            checks: judge
                .map(|judge| judge.reports(self.plan, self.now))
                .unwrap_or_default(),
            rollback: state.rollback.clone(),
            approval: state
                .approval
                .clone()
                .filter(|_| event == OutcomeEvent::ApprovalRequested),
        });
        self.commit_now = true;
    }

    pub(super) fn end(&mut self, action: &str, reason: String) {
        self.note(EntryKind::Note, format!("the run ends: {reason}"));
        let state = &mut self.state;
        state.phase = Phase::Done;
        state.action = Some(action.to_owned());
        state.reason = Some(reason);
        state.ended_at = Some(self.now);
        state.look = None;
        state.identify_seq = None;
        self.commit_now = true;
    }

    pub(super) fn name_of(&self, place: Place) -> String {
        match place {
            Place::Gate => WARM_UP.to_owned(),
            Place::Check(index) => self
                .plan
                .checks
                .get(index)
                .map(|c| c.name.to_string())
                .unwrap_or_default(),
        }
    }

    /// Between 800 and 1200 thousandths, from the run's seed and the effect's number.
    pub(super) fn jitter(&self, seq: u32) -> u64 {
        800 + mix(self.state.seed ^ u64::from(seq)) % 401
    }
}

/// Spreads a number's bits (the finaliser of SplitMix64, Steele et al. 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
