//! A person's word: asking for an approval, taking it, and taking an order.
//!
//! Whatever a person says, the guards that protect from harm are asked again just before anything is done.

use super::advance::Turn;
use super::event::{EntryKind, Facts, WakeReason};
use super::guard::Guard;
use super::state::{DRILLED, LookFor, Phase};
use crate::domain::{Approval, DeploymentId, Mode, OutcomeEvent, Timestamp};

/// The longest that an approval is waited for.
const APPROVAL_MS_MAX: u64 = 24 * 3_600_000;

impl Turn<'_> {
    /// No guard withholds the rollback; a person is asked, for as long as acting is allowed.
    pub(super) fn request_approval(&mut self, to: DeploymentId, facts: &Facts) {
        let Some(from) = self.state.deployment.as_ref().map(|own| own.id.clone()) else {
            return;
        };
        let act_within_ms = self.plan.limits.act_within_ms.min(facts.limits.act_within_ms);
        let last = self.now.plus_ms(APPROVAL_MS_MAX);
        let expires_at = self.state.live_at.plus_ms(act_within_ms).min(last);
        let found = self.state.reason.clone().unwrap_or_default();
        let told = format!("{found}. Roll back to {to}? It may be approved until {expires_at}");
        self.note(
            EntryKind::Guard,
            format!("no guard withholds it; a person is asked whether to go back to {to}"),
        );
        self.state.approval = Some(Approval {
            from,
            to,
            expires_at,
            given: false,
        });
        self.state.phase = Phase::Awaiting;
        self.say(OutcomeEvent::ApprovalRequested, &told, true);
    }

    pub(super) fn approved(&mut self) {
        let open = self
            .state
            .approval
            .as_mut()
            .filter(|approval| self.now < approval.expires_at);
        let Some(approval) = open.filter(|_| self.state.phase == Phase::Awaiting) else {
            return;
        };
        approval.given = true;
        self.note(
            EntryKind::Guard,
            "a person approved the rollback; the guards are asked again".to_owned(),
        );
        self.state.phase = Phase::Guarding;
        self.ask(LookFor::Guard);
    }

    /// A person wants this deployment gone. Currency, a target and what cannot be reversed are still looked at.
    pub(super) fn ordered(&mut self) {
        if self.state.may_order() {
            self.note(EntryKind::Guard, "a person ordered the rollback".to_owned());
            self.state.ordered = true;
            self.state.reason = Some("a person ordered the rollback".to_owned());
            self.state.approval = None;
            self.state.action = None;
            self.state.ended_at = None;
            self.state.phase = Phase::Guarding;
            self.ask(LookFor::Guard);
        }
    }

    /// A drill came as far as the call, which is not made.
    pub(super) fn drilled(&mut self, targets: &[DeploymentId], facts: &Facts) {
        let target = targets.first().map(ToString::to_string).unwrap_or_default();
        let mode = self.plan.mode.min(facts.mode);
        let note = match mode {
            Mode::AutoRollback => "",
            Mode::Approve => ", once a person approved it",
            Mode::AlertOnly => ", if the mode were not alert-only",
        };
        self.end_drill(
            DRILLED,
            &format!("no guard stands against it; the platform would be asked to go back to {target}{note}"),
        );
    }

    pub(super) fn end_drill(&mut self, action: &str, found: &str) {
        let told = format!("This is a drill: {found}. Nothing was done");
        self.note(EntryKind::Guard, told.clone());
        self.say(OutcomeEvent::RollbackWithheld, &told, false);
        self.end(action, told);
    }

    pub(super) fn proceed_awaiting(&mut self) {
        let Some(approval) = &self.state.approval else { return };
        let came_back = self
            .state
            .judge
            .as_ref()
            .is_some_and(|judge| judge.came_back(self.plan, &self.state.failing));
        if self.now >= approval.expires_at {
            self.withhold(Guard::NotApproved, "nobody approved it in time");
        } else if came_back {
            self.withhold(Guard::CameBack, "health came back while it waited for an approval");
        }
    }

    pub(super) fn approval_wake_at(&self) -> Option<(Timestamp, WakeReason)> {
        let approval = self
            .state
            .approval
            .as_ref()
            .filter(|_| self.state.phase == Phase::Awaiting)?;
        Some((approval.expires_at, WakeReason::ApprovalEnds))
    }
}
