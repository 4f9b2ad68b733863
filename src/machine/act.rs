//! Acting: from the guards' permission to a verified rollback, or to saying that it did not come to one.
//!
//! A call is made once and then looked up: its answer may be lost, and a platform may do what it answered an error to.
//! A second call follows only after looking showed that the first had no effect; another target only after an answer
//! that the platform file lists as a definite refusal.

use super::advance::Turn;
use super::event::{Effect, EntryKind, Facts, Record, WakeReason};
use super::guard::{Guard, Ruling, rule, superseded_by};
use super::judge::Judge;
use super::state::{Act, DRILL_WITHHELD, Look, LookFor, Phase};
use crate::domain::{
    CallAnswer, Deployment, DeploymentId, DeploymentState, Mode, OutcomeEvent, RollbackReport, Timestamp,
};

/// How long a rollback is tried while the platform cannot be reached or answers errors.
const ACT_MS_MAX: u64 = 30 * 60_000;
/// Between two tries.
const CALL_AGAIN_MS: u64 = 15_000;
/// Calls made for one deployment, over all targets.
const CALLS_MAX: u32 = 6;
/// A call without a known effect had none if looking shows none for this long.
const QUIET_MS: u64 = 30_000;
/// Between two looks at whether the target is current.
const SETTLE_EVERY_MS: u64 = 3_000;
/// How long an accepted rollback may take until the target is current.
const SETTLE_MS_MAX: u64 = 10 * 60_000;

impl Turn<'_> {
    // Guards.

    pub(super) fn guarded(&mut self, facts: &Facts) {
        self.state.mode = self.plan.mode.min(facts.mode);
        match rule(self.plan, &self.state, facts, self.now) {
            Ruling::Allowed(targets) if self.state.drill => self.drilled(&targets, facts),
            Ruling::Withheld(_, reason) if self.state.drill => {
                self.end_drill(DRILL_WITHHELD, &format!("a rollback would be withheld: {reason}"));
            }
            Ruling::Allowed(targets) => self.allowed(targets, facts),
            Ruling::Compare(target) => self.compare(&target),
            Ruling::Superseded(reason) => self.superseded(reason),
            Ruling::CannotTell(reason) => self.conclude_inconclusive(reason),
            Ruling::Withheld(guard, reason) => self.withhold(guard, &reason),
        }
    }

    /// Whether a person has to be asked first; and if one was, nothing else is done than what they saw.
    fn allowed(&mut self, targets: Vec<DeploymentId>, facts: &Facts) {
        let asks = self.state.mode == Mode::Approve && !self.state.ordered;
        match (self.state.approval.clone(), targets.first()) {
            (None, Some(target)) if asks => self.request_approval(target.clone(), facts),
            (Some(approval), _) if asks && targets.contains(&approval.to) => self.begin_act(vec![approval.to], facts),
            (Some(approval), _) if asks => {
                let reason = format!(
                    "{}, which was approved to go back to, is no target any more",
                    approval.to
                );
                self.withhold(Guard::NoTarget, &reason);
            }
            _ => self.begin_act(targets, facts),
        }
    }

    pub(super) fn withhold(&mut self, guard: Guard, reason: &str) {
        self.state.held_by = Some(guard);
        self.note(EntryKind::Guard, format!("rollback withheld: {reason}"));
        if let Some(own) = self.state.deployment.clone() {
            self.record(Record::Bad {
                key: own.key,
                deployment: own.id,
                at: self.now,
            });
        }
        let found = self.state.reason.clone().unwrap_or_default();
        let page = self.state.mode == Mode::AutoRollback;
        let told = format!("{found}. Not rolled back: {reason}");
        self.say(OutcomeEvent::RollbackWithheld, &told, page);
        self.end("withheld", told);
    }

    /// The guards could not be asked. Where a rollback would not be allowed anyway, that is said at once; else the
    /// platform is asked for as long as acting may take, and a person knows from the start.
    pub(super) fn not_guarded(&mut self, look: Look, why: &str) {
        let reason = format!("the platform cannot be asked: {why}");
        if self.state.drill {
            return self.end_drill(DRILL_WITHHELD, &reason);
        }
        if self.plan.mode == Mode::AlertOnly {
            return self.withhold(Guard::Mode, "the mode is alert-only");
        }
        if self.now.ms_since(look.since) >= ACT_MS_MAX {
            return self.withhold(Guard::PlatformSilent, &reason);
        }
        if look.next_at == look.since {
            let found = self.state.reason.clone().unwrap_or_default();
            let minutes = ACT_MS_MAX / 60_000;
            let told = format!("{found}. Not rolled back yet: {reason}; trying for {minutes} minutes");
            self.note(EntryKind::Guard, told.clone());
            self.say(OutcomeEvent::RollbackUnconfirmed, &told, true);
        }
        self.ask_again_in(look, CALL_AGAIN_MS);
    }

    // Calling.

    fn begin_act(&mut self, targets: Vec<DeploymentId>, facts: &Facts) {
        let (Some(own), Some(target)) = (self.state.deployment.clone(), targets.first().cloned()) else {
            return;
        };
        self.note(
            EntryKind::Guard,
            format!("no guard withholds it; the target is {target}"),
        );
        self.record(Record::Bad {
            key: own.key.clone(),
            deployment: own.id.clone(),
            at: self.now,
        });
        self.state.rollback = Some(RollbackReport {
            from: own.id.clone(),
            to: target.clone(),
            to_commit: facts.standing.find(&target).and_then(|d| d.commit.sha.clone()),
            requested_at: Some(self.now),
            confirmed_at: None,
            verified: false,
            platform_state: None,
        });
        self.state.act = Some(Act {
            targets,
            index: 0,
            calls: 0,
            seq: None,
            since: self.now,
            ended_at: None,
            next_at: self.now,
            accepted_at: None,
            made: None,
            intents_seen: facts.known.intents,
            paged: false,
            last_answer: String::new(),
        });
        self.state.phase = Phase::Calling;
        let found = self.state.reason.clone().unwrap_or_default();
        if !self.state.ordered {
            self.say(OutcomeEvent::SmokeTestFailed, &found, false);
        }
        self.say(
            OutcomeEvent::RollbackStarted,
            &format!("{found}. Going back to {target}"),
            false,
        );
        self.call();
    }

    /// Makes the call. The intent is recorded with the state, before the call leaves.
    fn call(&mut self) {
        let seq = self.next_seq();
        let Some(own) = self.state.deployment.clone() else {
            return;
        };
        let Some(act) = &mut self.state.act else { return };
        let Some(target) = act.target().cloned() else { return };
        act.seq = Some(seq);
        act.calls += 1;
        act.ended_at = None;
        let (since, intents_seen) = (act.since, act.intents_seen);
        self.note(EntryKind::Call, format!("asking the platform to go back to {target}"));
        self.record(Record::Intent {
            key: own.key,
            deployment: own.id.clone(),
            target: target.clone(),
            intents_seen,
            at: since,
        });
        self.effects.push(Effect::RollBack {
            seq,
            bad: own.id,
            target,
        });
    }

    pub(super) fn called(&mut self, answer: CallAnswer) {
        if let Some(act) = &mut self.state.act {
            act.seq = None;
            act.ended_at = Some(self.now);
        }
        self.commit_now = true;
        match answer {
            CallAnswer::Accepted { made } => self.accepted(made),
            CallAnswer::Refused { reason } => self.refused(&reason),
            CallAnswer::NotSent { reason } => self.not_effective(&reason, false),
            CallAnswer::Unknown { reason } => self.not_effective(&reason, true),
        }
    }

    fn accepted(&mut self, made: Option<DeploymentId>) {
        let now = self.now;
        self.note(
            EntryKind::Call,
            "the platform accepted; waiting until the target is current".to_owned(),
        );
        if let (Some(own), Some(made)) = (self.state.deployment.clone(), made.clone()) {
            self.record(Record::Made {
                key: own.key,
                deployment: made,
                at: now,
            });
        }
        if let Some(act) = &mut self.state.act {
            act.accepted_at = Some(now);
            act.made = made;
        }
        self.state.phase = Phase::Settling;
        self.ask(LookFor::Settle);
    }

    fn refused(&mut self, reason: &str) {
        let Some(act) = &mut self.state.act else { return };
        let refused = act.target().map(ToString::to_string).unwrap_or_default();
        act.index += 1;
        act.last_answer = reason.to_owned();
        let next = act.target().cloned();
        self.note(EntryKind::Call, format!("the platform refused {refused}: {reason}"));
        match next {
            Some(next) => {
                if let Some(report) = &mut self.state.rollback {
                    report.to = next;
                    report.to_commit = None;
                }
                self.call();
            }
            None => self.fail_act(&format!(
                "the platform refused every target; the last one, {refused}: {reason}"
            )),
        }
    }

    /// The call did not leave, or we do not know what it did: look before anything else, and tell a person.
    fn not_effective(&mut self, reason: &str, maybe: bool) {
        let what = if maybe {
            "its effect is not known"
        } else {
            "it did not reach the platform"
        };
        self.note(EntryKind::Call, format!("the call ended: {reason}; {what}"));
        let Some(act) = &mut self.state.act else { return };
        act.last_answer = reason.to_owned();
        if !maybe {
            act.ended_at = None;
        }
        let first = !act.paged;
        act.paged = true;
        if first {
            let minutes = ACT_MS_MAX / 60_000;
            let told = format!(
                "the rollback call ended without a result: {reason}. Looking, and trying for {minutes} minutes"
            );
            self.say(OutcomeEvent::RollbackUnconfirmed, &told, true);
        }
        let wait_ms = if maybe { 0 } else { CALL_AGAIN_MS };
        let look = Look {
            purpose: LookFor::Effect,
            seq: None,
            since: self.now,
            next_at: self.now,
        };
        self.ask_again_in(look, wait_ms);
    }

    pub(super) fn looked_for_effect(&mut self, facts: &Facts) {
        if self.found_target(facts) {
            return;
        }
        let Some(act) = self.state.act.clone() else { return };
        let Some(target) = act.target() else { return };
        if let Some(made) = under_way_back_to(facts, target, &act) {
            return self.accepted(Some(made));
        }
        let own = self.state.deployment.as_ref().map(|d| &d.id);
        if facts.standing.current.as_ref() != own {
            if self.is_unlisted(facts, &act) {
                let look = Look {
                    purpose: LookFor::Effect,
                    seq: None,
                    since: self.now,
                    next_at: self.now,
                };
                return self.ask_again(look);
            }
            return self.superseded(superseded_by(facts.standing.current.as_ref()));
        }
        if act.ended_at.is_some_and(|ended| self.now.ms_since(ended) < QUIET_MS) {
            let look = Look {
                purpose: LookFor::Effect,
                seq: None,
                since: self.now,
                next_at: self.now,
            };
            return self.ask_again(look);
        }
        if act.calls >= CALLS_MAX || self.now.ms_since(act.since) >= ACT_MS_MAX {
            return self.fail_act(&format!(
                "{} calls had no effect; the last answer: {}",
                act.calls, act.last_answer
            ));
        }
        self.state.mode = self.plan.mode.min(facts.mode);
        match rule(self.plan, &self.state, facts, self.now) {
            Ruling::Allowed(_) | Ruling::Compare(_) => self.call(),
            Ruling::Superseded(reason) => self.superseded(reason),
            Ruling::CannotTell(reason) => self.withhold(Guard::Controls, &reason),
            Ruling::Withheld(guard, reason) => self.withhold(guard, &reason),
        }
    }

    // Settling.

    pub(super) fn looked_for_target(&mut self, facts: &Facts) {
        if self.found_target(facts) {
            return;
        }
        let Some(act) = self.state.act.clone() else { return };
        let made = act.made.as_ref().and_then(|id| facts.standing.find(id));
        if let Some(made) = made.filter(|d| d.state == DeploymentState::Dead) {
            return self.fail_act(&format!(
                "the platform accepted, then {} ended as `{}`",
                made.id, made.state_word
            ));
        }
        let own = self.state.deployment.as_ref().map(|d| &d.id);
        let elsewhere = facts.standing.current.is_some() && facts.standing.current.as_ref() != own;
        if elsewhere && !self.is_unlisted(facts, &act) {
            return self.superseded(superseded_by(facts.standing.current.as_ref()));
        }
        self.settle_later(act.accepted_at);
    }

    /// Whether what is current came into being after the platform's list was read: then the list does not say yet whether our
    /// rollback made it. For as long as acting may take.
    fn is_unlisted(&self, facts: &Facts, act: &Act) -> bool {
        let current = facts.standing.current.as_ref();
        let unlisted = current.is_some_and(|current| facts.standing.find(current).is_none());
        unlisted && self.now.ms_since(act.since) < ACT_MS_MAX
    }

    fn settle_later(&mut self, accepted_at: Option<Timestamp>) {
        if accepted_at.is_some_and(|at| self.now.ms_since(at) >= SETTLE_MS_MAX) {
            let minutes = SETTLE_MS_MAX / 60_000;
            return self.unconfirmed(&format!(
                "the platform accepted, but the target was not current {minutes} minutes later"
            ));
        }
        let look = Look {
            purpose: LookFor::Settle,
            seq: None,
            since: self.now,
            next_at: self.now,
        };
        self.ask_again_in(look, SETTLE_EVERY_MS);
    }

    /// If the target is current: remembers so, and begins to verify it.
    fn found_target(&mut self, facts: &Facts) -> bool {
        let Some(act) = self.state.act.clone() else {
            return false;
        };
        let (Some(target), Some(current)) = (act.target().cloned(), facts.standing.current.clone()) else {
            return false;
        };
        if !facts.standing.is_back_at(&target) && act.made.as_ref() != Some(&current) {
            return false;
        }
        let Some(restored) = restored(facts, &current, &target) else {
            return false;
        };
        if current != target {
            self.record(Record::Made {
                key: restored.key.clone(),
                deployment: current.clone(),
                at: self.now,
            });
        }
        if let Some(report) = &mut self.state.rollback {
            report.confirmed_at = Some(self.now);
            report.to_commit = restored.commit.sha.clone().or(report.to_commit.take());
            report.platform_state = Some(format!("{current} is current (`{}`)", restored.state_word));
        }
        self.note(
            EntryKind::Call,
            format!("the platform says that {current} is current; verifying it"),
        );
        self.state.restored = Some(restored);
        self.state.verify = Some(Judge::new(self.plan, self.now));
        self.state.phase = Phase::Verifying;
        self.commit_now = true;
        true
    }

    pub(super) fn not_looked_for_rollback(&mut self, look: Look, why: &str) {
        if self.now.ms_since(look.since) >= ACT_MS_MAX {
            return self.unconfirmed(&format!("the platform cannot be asked what came of it: {why}"));
        }
        match look.purpose {
            LookFor::Settle => {
                let accepted_at = self.state.act.as_ref().and_then(|act| act.accepted_at);
                self.settle_later(accepted_at);
            }
            LookFor::Effect | LookFor::VerifyEnd => self.ask_again(look),
            LookFor::Start | LookFor::Pass | LookFor::WatchEnd | LookFor::Nudge | LookFor::Guard => {}
        }
    }

    // Waking and resuming.

    /// A call was in flight when the process ended: whether it had an effect must be looked up. Until `hold_ms` from now it
    /// may not even have ended, so quiet counts from there.
    pub(super) fn resume_act(&mut self, hold_ms: u64) {
        let now = self.now;
        let Some(act) = &mut self.state.act else { return };
        if act.seq.take().is_some() {
            act.ended_at = Some(now.plus_ms(hold_ms));
            act.last_answer = "the agent was restarted during the call".to_owned();
            self.note(
                EntryKind::Call,
                "restarted during the call; looking whether it had an effect".to_owned(),
            );
            self.state.look = Some(Look {
                purpose: LookFor::Effect,
                seq: None,
                since: now,
                next_at: now,
            });
        }
    }

    /// A call that is neither in flight nor being looked up is looked up.
    pub(super) fn proceed_calling(&mut self) {
        let idle = self.state.act.as_ref().is_some_and(|act| act.seq.is_none()) && self.state.look.is_none();
        if idle {
            self.ask(LookFor::Effect);
        }
    }

    pub(super) fn act_wake_at(&self) -> Option<(Timestamp, WakeReason)> {
        let act = self
            .state
            .act
            .as_ref()
            .filter(|_| self.state.phase == Phase::Settling)?;
        let limit = act.accepted_at?.plus_ms(SETTLE_MS_MAX);
        (limit > self.now).then_some((limit, WakeReason::SettleLimit))
    }
}

/// The deployment that a call to go back to `target` is making, if the platform lists one under way.
fn under_way_back_to(facts: &Facts, target: &DeploymentId, act: &Act) -> Option<DeploymentId> {
    let ours = |d: &&Deployment| {
        d.rollback
            && d.rolled_back_from.as_ref() == Some(target)
            && d.state == DeploymentState::UnderWay
            && d.created_at.is_none_or(|at| at >= act.since)
    };
    facts.standing.deployments.iter().find(ours).map(|d| d.id.clone())
}

/// What is current after the rollback, as listed; or the target, where the platform does not list the new one yet.
fn restored(facts: &Facts, current: &DeploymentId, target: &DeploymentId) -> Option<Deployment> {
    let listed = facts.standing.find(current).cloned();
    listed.or_else(|| {
        facts.standing.find(target).map(|d| Deployment {
            id: current.clone(),
            ..d.clone()
        })
    })
}
