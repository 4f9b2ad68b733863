//! Asking the platform and the store, and asking again.

use super::advance::Turn;
use super::event::{Effect, EntryKind, Facts};
use super::guard::superseded_by;
use super::state::{Look, LookFor};
use crate::domain::OutcomeEvent;

/// Between two tries to ask the platform.
pub(super) const ASK_AGAIN_MS: u64 = 5_000;
/// How long an unanswered question, other than about a rollback, is asked again.
const LOOK_MS_MAX: u64 = 10 * 60_000;

impl Turn<'_> {
    /// Asks what the platform lists and the store knows; a question that was waiting is replaced.
    pub(super) fn ask(&mut self, purpose: LookFor) {
        let waiting = self.state.look.as_ref().filter(|look| look.purpose == purpose);
        let since = waiting.map_or(self.now, |look| look.since);
        let seq = self.next_seq();
        self.state.look = Some(Look {
            purpose,
            seq: Some(seq),
            since,
            next_at: self.now,
        });
        self.effects.push(Effect::Look {
            seq,
            controls: purpose == LookFor::Guard,
        });
        self.commit_now = true;
    }

    pub(super) fn looked(&mut self, answer: Result<Box<Facts>, String>) {
        let Some(look) = self.state.look.take() else { return };
        match answer {
            Err(why) => self.not_looked(look, &why),
            Ok(facts) => self.looked_at(look.purpose, &facts),
        }
    }

    pub(super) fn looked_at(&mut self, purpose: LookFor, facts: &Facts) {
        match purpose {
            LookFor::Guard => self.guarded(facts),
            LookFor::Effect => self.looked_for_effect(facts),
            LookFor::Settle => self.looked_for_target(facts),
            LookFor::VerifyEnd => self.verified(facts),
            LookFor::Start | LookFor::Pass | LookFor::WatchEnd | LookFor::Nudge => self.still_current(purpose, facts),
        }
    }

    pub(super) fn still_current(&mut self, purpose: LookFor, facts: &Facts) {
        let Some(own) = self.state.deployment.as_ref().map(|d| d.id.clone()) else {
            return;
        };
        if facts.standing.current.as_ref() != Some(&own) {
            return self.superseded(superseded_by(facts.standing.current.as_ref()));
        }
        match purpose {
            LookFor::Start if facts.known.made.contains(&own) => {
                self.end(
                    "none",
                    "made by our own rollback, which is verified by the run that made it".to_owned(),
                );
            }
            LookFor::Start => self.begin_judging(),
            LookFor::Pass => self.passed(facts),
            LookFor::WatchEnd => self.watched(),
            LookFor::Nudge => self.note(
                EntryKind::Note,
                format!("the platform says that {own} is still current"),
            ),
            LookFor::Guard | LookFor::Effect | LookFor::Settle | LookFor::VerifyEnd => {}
        }
    }

    pub(super) fn superseded(&mut self, reason: String) {
        self.say(OutcomeEvent::RunSuperseded, &reason, false);
        self.end("superseded", reason);
    }

    pub(super) fn not_looked(&mut self, look: Look, why: &str) {
        let waited_ms = self.now.ms_since(look.since);
        let over = waited_ms >= LOOK_MS_MAX;
        match look.purpose {
            LookFor::Guard => return self.not_guarded(look, why),
            LookFor::Effect | LookFor::Settle | LookFor::VerifyEnd => return self.not_looked_for_rollback(look, why),
            LookFor::Nudge => return,
            LookFor::Start | LookFor::Pass if over => {
                return self.conclude_inconclusive(format!("the platform did not say what is current: {why}"));
            }
            LookFor::WatchEnd if over => {
                return self.end("none", format!("passed, but not recorded as known good: {why}"));
            }
            LookFor::Start | LookFor::Pass | LookFor::WatchEnd => {}
        }
        self.ask_again(look);
    }

    pub(super) fn ask_again(&mut self, look: Look) {
        self.ask_again_in(look, ASK_AGAIN_MS);
    }

    pub(super) fn ask_again_in(&mut self, look: Look, ms: u64) {
        self.state.look = Some(Look {
            seq: None,
            next_at: self.now.plus_ms(ms),
            ..look
        });
    }
}
