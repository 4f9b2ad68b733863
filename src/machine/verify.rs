//! Verifying what was restored, and the ends that an attempt to roll back may come to.

use super::advance::Turn;
use super::event::{EntryKind, Facts};
use super::guard::superseded_by;
use super::judge::Conclusion;
use super::state::LookFor;
use crate::domain::OutcomeEvent;

impl Turn<'_> {
    pub(super) fn proceed_verifying(&mut self) {
        let Some(verify) = &self.state.verify else { return };
        match verify.conclusion(self.plan, self.now) {
            None | Some(Conclusion::Watched) => {}
            Some(Conclusion::Passed { .. }) if self.state.look.is_some() => {}
            Some(Conclusion::Passed { .. }) => self.ask(LookFor::VerifyEnd),
            Some(Conclusion::Unhealthy { reason, .. }) => {
                self.fail_act(&format!("the restored version is bad too: {reason}"));
            }
            Some(Conclusion::Inconclusive { reason }) => {
                self.unconfirmed(&format!("the restored version could not be verified: {reason}"));
            }
        }
    }

    pub(super) fn verified(&mut self, facts: &Facts) {
        let restored = self.state.restored.as_ref().map(|d| d.id.clone());
        if facts.standing.current != restored {
            return self.superseded(superseded_by(facts.standing.current.as_ref()));
        }
        let Some(verify) = &self.state.verify else { return };
        if !matches!(verify.conclusion(self.plan, self.now), Some(Conclusion::Passed { .. })) {
            return;
        }
        if let Some(report) = &mut self.state.rollback {
            report.verified = true;
        }
        let target = self
            .state
            .act
            .as_ref()
            .and_then(|act| act.target())
            .map(ToString::to_string)
            .unwrap_or_default();
        let found = self.state.reason.clone().unwrap_or_default();
        let told = format!("{found}. Rolled back to {target}, which is current and passed the checks");
        self.note(EntryKind::Verdict, "the restored version passed the checks".to_owned());
        self.say(OutcomeEvent::RollbackSucceeded, &told, false);
        self.end("rolled back", told);
    }

    // Ends that wake somebody.

    pub(super) fn fail_act(&mut self, reason: &str) {
        let found = self.state.reason.clone().unwrap_or_default();
        let told = format!("{found}. Rollback failed: {reason}");
        self.say(OutcomeEvent::RollbackFailed, &told, true);
        self.end("rollback failed", told);
    }

    pub(super) fn unconfirmed(&mut self, reason: &str) {
        let found = self.state.reason.clone().unwrap_or_default();
        let told = format!("{found}. Rollback not confirmed: {reason}");
        self.say(OutcomeEvent::RollbackUnconfirmed, &told, true);
        self.end("rollback unconfirmed", told);
    }
}
