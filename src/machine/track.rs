//! The evidence on one check: its budget, and how failures and passes move it.
//!
//! The rule: a failure spends the budget, a pass refills it. Failures come in bursts, so failures close together spend
//! as one: the first of a spell spends a whole failure, each further one only what its distance in time is worth.
//! All amounts are in thousandths of a failure, so that the arithmetic is exact.

use serde::{Deserialize, Serialize};

use super::latency::Times;
use crate::domain::{Class, Observation, Reason, Timestamp};

/// One failure, in the unit of budgets.
const FAILURE: u32 = 1_000;
/// The first failure of a spell where nothing says that the app made it: what stands before it fails by itself, too.
const UNREADY_FAILURE: u32 = 750;
/// A pass gives back a quarter of a failure.
const PASS_RETURNS: u32 = 250;
/// Further failures of a spell spend a whole failure per this many milliseconds.
const BURST_MS: u64 = 8_000;
/// The same where nothing says that the app made them: the network's spells are longer than an app's.
const UNREADY_BURST_MS: u64 = 10_000;
/// In this time after the gate opened, answers may still flap between old and new: the first unready failure of a
/// spell spends nothing.
const FLAP_MS: u64 = 90_000;
/// What a watch adds to each budget, in failures: it looks for longer, so chance has more tries.
const WATCH_ADDS: u32 = 2 * FAILURE;
/// Wrong answers, proven to be the new version's own, that a check which never passed must give ...
const PROVEN_WRONG: u32 = 6;
/// ... over at least this time, to fail before the warm-up ends.
const PROVEN_WRONG_MS: u64 = 20_000;

/// The evidence on one check, or on the warm-up gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Probes that count.
    pub probes: u32,
    /// Those that failed.
    pub failed: u32,
    /// Probes that said nothing about the deployment.
    pub unknown: u32,
    /// When it first passed.
    pub first_pass_at: Option<Timestamp>,
    /// Passes since the last failure.
    pub passes_in_row: u32,
    /// It once had enough passes in a row and a full budget. Of many checks one or the other has just had a chance
    /// failure, so they need not be at their best all at once.
    passed: bool,
    /// What is left to spend, in thousandths of a failure.
    pub budget: u32,
    /// What a full budget is.
    pub budget_max: u32,
    /// When the present spell of failures began, if the last answer that counts was a failure.
    pub failing_since: Option<Timestamp>,
    /// When the last answer that counts came; `None` also after a gap.
    last_at: Option<Timestamp>,
    /// Since when the budget has not been full.
    pub short_since: Option<Timestamp>,
    /// Wrong answers in a row, proven to be the new version's own, while it has never passed.
    proven_wrong: u32,
    /// When the first of those came.
    proven_wrong_since: Option<Timestamp>,
    /// The last failure's reason and words.
    pub last_failure: Option<(Reason, String)>,
    /// The last answer came from another version.
    pub old_version_last: bool,
    /// How long its good answers took.
    #[serde(default)]
    pub times: Times,
    /// A warning did not hold in one of the last answers.
    pub warned: bool,
    /// When it is to be probed next.
    pub next_at: Timestamp,
    /// The probe in flight.
    pub in_flight: Option<u32>,
}

/// What an observation did to a budget, for the run's story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// Before, in thousandths of a failure.
    pub from: u32,
    /// After.
    pub to: u32,
}

impl Track {
    /// A track that knows nothing, to be probed at `now`. With `checks` checks a full budget is
    /// `failures · (1 + 0.1·ln checks)`: many checks must not multiply the false alarms.
    pub fn new(failures: u32, checks: usize, now: Timestamp) -> Self {
        let budget_max = full_budget(failures, checks);
        Self {
            probes: 0,
            failed: 0,
            unknown: 0,
            first_pass_at: None,
            passes_in_row: 0,
            passed: false,
            budget: budget_max,
            budget_max,
            failing_since: None,
            last_at: None,
            short_since: None,
            proven_wrong: 0,
            proven_wrong_since: None,
            last_failure: None,
            old_version_last: false,
            times: Times::default(),
            warned: false,
            next_at: now,
            in_flight: None,
        }
    }

    /// Takes one observation into account. `passes` in a row with a full budget are a pass; `gate_opened_at` is when the
    /// run's warm-up gate opened.
    pub fn take(&mut self, seen: &Observation, passes: u32, gate_opened_at: Option<Timestamp>, now: Timestamp) -> Move {
        let from = self.budget;
        match seen.class {
            Class::Unknown => self.unknown += 1,
            Class::Pass => self.pass(seen, now),
            Class::Slow | Class::Unready | Class::Broken => self.fail(seen, gate_opened_at, now),
        }
        self.passed |= self.passes_in_row >= passes && self.budget == self.budget_max;
        self.short_since = if self.budget < self.budget_max {
            self.short_since.or(Some(now))
        } else {
            None
        };
        Move { from, to: self.budget }
    }

    fn pass(&mut self, seen: &Observation, now: Timestamp) {
        self.probes += 1;
        self.passes_in_row += 1;
        self.first_pass_at = self.first_pass_at.or(Some(now));
        self.budget = (self.budget + PASS_RETURNS).min(self.budget_max);
        self.failing_since = None;
        self.last_at = Some(now);
        self.proven_wrong = 0;
        self.proven_wrong_since = None;
        self.old_version_last = false;
        self.times.add(seen.latency_ms);
        self.warned |= seen.warned;
    }

    fn fail(&mut self, seen: &Observation, gate_opened_at: Option<Timestamp>, now: Timestamp) {
        self.probes += 1;
        self.failed += 1;
        self.passes_in_row = 0;
        self.last_failure = Some((seen.reason, seen.detail.clone()));
        self.old_version_last = seen.reason == Reason::OldVersion;
        if self.first_pass_at.is_some() {
            self.budget = self.budget.saturating_sub(self.price(seen.class, gate_opened_at, now));
        } else {
            self.count_proven_wrong(seen, now);
        }
        self.failing_since = self.failing_since.or(Some(now));
        self.last_at = Some(now);
    }

    /// What this failure spends.
    fn price(&self, class: Class, gate_opened_at: Option<Timestamp>, now: Timestamp) -> u32 {
        match (self.failing_since, self.last_at) {
            (Some(_), Some(last_at)) => {
                let burst_ms = if class == Class::Unready {
                    UNREADY_BURST_MS
                } else {
                    BURST_MS
                };
                let worth = now.ms_since(last_at).saturating_mul(u64::from(FAILURE)) / burst_ms;
                u32::try_from(worth).unwrap_or(FAILURE).min(FAILURE)
            }
            _ => {
                let flapping = gate_opened_at.is_some_and(|opened| now.ms_since(opened) < FLAP_MS);
                match class {
                    Class::Unready if flapping => 0,
                    Class::Unready => UNREADY_FAILURE,
                    Class::Pass | Class::Slow | Class::Broken | Class::Unknown => FAILURE,
                }
            }
        }
    }

    fn count_proven_wrong(&mut self, seen: &Observation, now: Timestamp) {
        if seen.class == Class::Broken && seen.app_made {
            self.proven_wrong += 1;
            self.proven_wrong_since = self.proven_wrong_since.or(Some(now));
        } else {
            self.proven_wrong = 0;
            self.proven_wrong_since = None;
        }
    }

    /// Whether wrong answers proven to be the new version's own have lasted long enough.
    pub fn is_proven_wrong(&self, now: Timestamp) -> bool {
        self.proven_wrong >= PROVEN_WRONG
            && self
                .proven_wrong_since
                .is_some_and(|since| now.ms_since(since) >= PROVEN_WRONG_MS)
    }

    /// Whether the budget is spent.
    pub fn is_spent(&self) -> bool {
        self.first_pass_at.is_some() && self.budget == 0
    }

    /// Whether it passed, and has had no more than one failure since that is not paid back yet.
    pub fn is_full_pass(&self) -> bool {
        self.passed && !self.is_failing() && self.budget + FAILURE >= self.budget_max
    }

    /// Whether the last answer that counts was a failure.
    pub fn is_failing(&self) -> bool {
        self.failing_since.is_some()
    }

    /// Whether an answer that counts came since nothing was probed.
    pub fn is_seen(&self) -> bool {
        self.last_at.is_some()
    }

    /// Time passed in which nothing was probed: the spell of failures is over, and what was in flight is forgotten.
    pub fn close_spell(&mut self) {
        self.failing_since = None;
        self.last_at = None;
        self.in_flight = None;
        self.proven_wrong = 0;
        self.proven_wrong_since = None;
    }

    /// Gives the budget what a watch adds.
    pub fn begin_watch(&mut self) {
        self.budget += WATCH_ADDS;
        self.budget_max += WATCH_ADDS;
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small and positive"
)]
fn full_budget(failures: u32, checks: usize) -> u32 {
    let per_check = 1.0 + 0.1 * (checks.max(1) as f64).ln();
    (f64::from(failures) * f64::from(FAILURE) * per_check).round() as u32
}
