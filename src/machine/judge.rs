//! Judging one version: warm-up, then evidence until it suffices either way, then the watch.

mod gate;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::latency::slower;
use super::plan::Plan;
use super::track::{Move, Track};
use super::{Place, WakeReason};
use crate::domain::{CheckReport, Class, Observation, Reason, Severity, TimesBefore, Timestamp, Verdict};

/// A check gets at least this long for its first pass after the gate opened, however late that was.
const FIRST_PASS_MS_MIN: u64 = 30_000;
/// Judging that has not ended this long after the gate opened could not tell.
const JUDGE_MS_MAX: u64 = 15 * 60_000;
/// Between probes in the watch; after a failure the pace is the plan's own.
const WATCH_EVERY_MS: u64 = 5_000;
/// How long a check must fail before a person is told that a decision is in the making.
const SUSPECT_MS: u64 = 60_000;

/// The judging of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judge {
    /// When warm-up began to count.
    pub started_at: Timestamp,
    /// Time since then, until the gate opened, in which we were not there to look; it consumes no warm-up.
    pub lost_ms: u64,
    /// The same since the gate opened; the checks' first passes may come as much later.
    #[serde(default)]
    pub lost_since_open_ms: u64,
    /// The end of what was lost last, so that nothing is counted twice.
    #[serde(default)]
    lost_to: Timestamp,
    /// When the gate opened.
    pub gate_opened_at: Option<Timestamp>,
    /// When the checks passed and the watch began.
    pub passed_at: Option<Timestamp>,
    /// The gate's evidence.
    pub gate: Track,
    /// Each check's evidence, in the plan's order.
    pub checks: Vec<Track>,
}

/// What the evidence amounts to.
#[expect(missing_docs, reason = "each variant's words name its fields")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Every check that may roll back passed; what else did not, in words.
    Passed { but: Option<String> },
    /// The watch ended well.
    Watched,
    /// It is bad.
    Unhealthy { reason: String, failing: Vec<Place> },
    /// We cannot tell.
    Inconclusive { reason: String },
}

impl Judge {
    /// Begins to judge at `now`.
    pub fn new(plan: &Plan, now: Timestamp) -> Self {
        Self {
            started_at: now,
            lost_ms: 0,
            lost_since_open_ms: 0,
            lost_to: now,
            gate_opened_at: None,
            passed_at: None,
            gate: Track::new(plan.failures, 1, now),
            checks: plan
                .checks
                .iter()
                .map(|_| Track::new(plan.failures, plan.checks.len(), now))
                .collect(),
        }
    }

    /// The evidence at `place`.
    pub fn track(&self, place: Place) -> Option<&Track> {
        match place {
            Place::Gate => Some(&self.gate),
            Place::Check(index) => self.checks.get(index),
        }
    }

    /// The evidence at `place`, to be changed.
    pub fn track_mut(&mut self, place: Place) -> Option<&mut Track> {
        match place {
            Place::Gate => Some(&mut self.gate),
            Place::Check(index) => self.checks.get_mut(index),
        }
    }

    /// Takes an answer into account and says what it did to the budget. `jitter` is in thousandths, 800 to 1200.
    pub fn take(&mut self, plan: &Plan, place: Place, seen: &Observation, jitter: u64, now: Timestamp) -> Option<Move> {
        let opened = self.gate_opened_at;
        let watching = self.passed_at.is_some();
        let track = self.track_mut(place)?;
        track.in_flight = None;
        let moved = track.take(seen, plan.passes, opened, now);
        // While the budget is short the pace stays, so that chance failures are paid back as fast as before the pass.
        let pause_ms = if watching && track.budget == track.budget_max {
            WATCH_EVERY_MS
        } else {
            plan.every_ms
        };
        track.next_at = now.plus_ms(pause_ms.saturating_mul(jitter) / 1_000);
        if place == Place::Gate && self.gate_opened_at.is_none() && opens_gate(plan, seen) {
            self.open_gate(now);
        } else if seen.reason == Reason::LocalTrouble {
            // Nobody looked in the time that this agent lost by itself.
            self.lose(u64::from(seen.latency_ms), now);
        }
        Some(moved)
    }

    /// In the last `ms` before `now` nobody looked, so the limit that runs comes as much later. Several checks may lose
    /// the same time.
    fn lose(&mut self, ms: u64, now: Timestamp) {
        let begun = now.minus(Duration::from_millis(ms)).max(self.lost_to);
        let lost_ms = now.ms_since(begun);
        self.lost_to = self.lost_to.max(now);
        match &mut self.passed_at {
            Some(passed) => *passed = passed.plus_ms(lost_ms).min(now),
            None if self.gate_opened_at.is_none() => self.lost_ms += lost_ms,
            None => self.lost_since_open_ms += lost_ms,
        }
    }

    fn open_gate(&mut self, now: Timestamp) {
        self.gate_opened_at = Some(now);
        for check in &mut self.checks {
            check.next_at = now;
        }
    }

    /// The checks passed: from now on a late failure still counts, at a slower pace.
    pub fn begin_watch(&mut self, now: Timestamp) {
        self.passed_at = Some(now);
        for check in &mut self.checks {
            check.begin_watch();
        }
    }

    /// Nobody looked for `ms`: spells end, and neither warm-up nor watch is consumed.
    pub fn skip(&mut self, ms: u64, now: Timestamp) {
        self.lose(ms, now);
        for track in std::iter::once(&mut self.gate).chain(&mut self.checks) {
            track.close_spell();
            track.next_at = track.next_at.max(now);
        }
    }

    /// What is to be probed at `now`.
    pub fn due(&self, plan: &Plan, now: Timestamp) -> Vec<Place> {
        self.places(plan, now)
            .into_iter()
            .filter(|(_, track)| track.next_at <= now)
            .map(|(place, _)| place)
            .collect()
    }

    /// When something is to be done next, and what. A limit that has passed is nothing to wake for: what comes of it
    /// waits for a probe or an answer.
    pub fn wake_at(&self, plan: &Plan, now: Timestamp) -> Option<(Timestamp, WakeReason)> {
        let probe = self
            .places(plan, now)
            .into_iter()
            .map(|(_, track)| (track.next_at, WakeReason::ProbeDue))
            .min();
        let limit = Some((self.limit_at(plan), self.limit_reason())).filter(|(at, _)| *at > now);
        probe.into_iter().chain(limit).min_by_key(|(at, _)| *at)
    }

    /// What may be probed, whenever it is due: the gate until it opens, then each check whose needs have passed.
    fn places(&self, plan: &Plan, now: Timestamp) -> Vec<(Place, &Track)> {
        if self.is_watched_out(plan, now) {
            return Vec::new();
        }
        if self.gate_opened_at.is_none() {
            return if self.gate.in_flight.is_none() {
                vec![(Place::Gate, &self.gate)]
            } else {
                Vec::new()
            };
        }
        let ready = |index: usize, track: &Track| {
            let check = plan.checks.get(index)?;
            let sent = !check.repeatable && track.probes + track.unknown > 0;
            let needs_met = check
                .needs
                .iter()
                .all(|n| self.checks.get(*n).is_some_and(|t| t.first_pass_at.is_some()));
            (track.in_flight.is_none() && !sent && needs_met).then_some(())
        };
        let tracks = self.checks.iter().enumerate();
        tracks
            .filter(|(i, t)| ready(*i, t).is_some())
            .map(|(i, t)| (Place::Check(i), t))
            .collect()
    }

    fn limit_at(&self, plan: &Plan) -> Timestamp {
        match (self.passed_at, self.gate_opened_at) {
            (Some(passed), _) => passed.plus_ms(plan.watch_ms),
            (None, Some(opened)) if self.checks.iter().all(|t| t.first_pass_at.is_some()) => {
                opened.plus_ms(JUDGE_MS_MAX)
            }
            (None, Some(_)) => self.first_pass_limit(plan),
            (None, None) => self.warm_up_limit(plan),
        }
    }

    fn limit_reason(&self) -> WakeReason {
        match (self.passed_at, self.gate_opened_at) {
            (Some(_), _) => WakeReason::WatchEnds,
            (None, Some(_)) => WakeReason::JudgingLimit,
            (None, None) => WakeReason::WarmUpLimit,
        }
    }

    fn warm_up_limit(&self, plan: &Plan) -> Timestamp {
        self.started_at
            .plus_ms(plan.warm_up_ms)
            .plus_ms(self.lost_ms + self.lost_since_open_ms)
    }

    /// Until when a check may take for its first pass; past that, the limit of judging as a whole.
    fn first_pass_limit(&self, plan: &Plan) -> Timestamp {
        let least_ms = FIRST_PASS_MS_MIN + self.lost_since_open_ms;
        let own = self.gate_opened_at.map(|opened| opened.plus_ms(least_ms));
        own.unwrap_or_default().max(self.warm_up_limit(plan))
    }

    /// What the evidence amounts to at `now`, if it suffices.
    pub fn conclusion(&self, plan: &Plan, now: Timestamp) -> Option<Conclusion> {
        if plan.checks.is_empty() {
            return Some(Conclusion::Inconclusive {
                reason: "no check matches this deployment".to_owned(),
            });
        }
        let Some(opened) = self.gate_opened_at else {
            return self.conclude_gate(plan, now);
        };
        if let Some(bad) = self.conclude_bad(plan, now) {
            return Some(bad);
        }
        if let Some(passed) = self.passed_at {
            let is_answered = !self.any_critical(plan, |track| track.in_flight.is_some());
            return (self.is_watched_out(plan, now) && is_answered)
                .then_some(Conclusion::Watched)
                .or_else(|| self.watch_overdue(passed, plan, now));
        }
        if self.all_settled(plan, now) {
            return Some(if self.checks.iter().any(|track| track.first_pass_at.is_some()) {
                Conclusion::Passed { but: self.but(plan) }
            } else {
                let reason = self.but(plan).unwrap_or_default();
                Conclusion::Inconclusive {
                    reason: format!("no check could be judged: {reason}"),
                }
            });
        }
        (now.ms_since(opened) >= JUDGE_MS_MAX).then(|| Conclusion::Inconclusive {
            reason: format!(
                "neither passed nor failed within {} minutes of judging",
                JUDGE_MS_MAX / 60_000
            ),
        })
    }

    /// The watch is over and nothing fails: no more is asked, only the answers that are out are waited for. One may say
    /// that nobody watched.
    fn is_watched_out(&self, plan: &Plan, now: Timestamp) -> bool {
        let is_over = self
            .passed_at
            .is_some_and(|passed| now >= passed.plus_ms(plan.watch_ms));
        is_over && !self.any_critical(plan, Track::is_failing) && self.is_seen(plan)
    }

    /// A watch that ends while a check is failing goes on until the evidence suffices, but not without end.
    fn watch_overdue(&self, passed: Timestamp, plan: &Plan, now: Timestamp) -> Option<Conclusion> {
        (now >= passed.plus_ms(plan.watch_ms + JUDGE_MS_MAX)).then(|| Conclusion::Inconclusive {
            reason: "it passed, but a check was still failing now and then when its watch ended".to_owned(),
        })
    }

    /// The checks that make the deployment unhealthy by now.
    fn conclude_bad(&self, plan: &Plan, now: Timestamp) -> Option<Conclusion> {
        let late = now >= self.first_pass_limit(plan);
        let mut failing = Vec::new();
        let mut unable = Vec::new();
        for (index, track) in self.critical(plan) {
            // What follows from time alone waits for the answer that is out: it may be of this very moment.
            let out_of_time = track.first_pass_at.is_none() && track.in_flight.is_none();
            let too_slow = || self.too_slow(plan, index, false).is_some();
            if track.is_spent() || (out_of_time && track.is_proven_wrong(now)) || too_slow() {
                failing.push(index);
            } else if out_of_time && late && self.needs_passed(plan, index) {
                let told_nothing = track.probes == 0 || track.unknown > track.probes || track.old_version_last;
                if told_nothing {
                    unable.push(index)
                } else {
                    failing.push(index)
                }
            }
        }
        if let Some(first) = failing.first() {
            let reason = self.why_bad(plan, *first, now);
            return Some(Conclusion::Unhealthy {
                reason,
                failing: failing.into_iter().map(Place::Check).collect(),
            });
        }
        let index = *unable.first().filter(|_| !self.is_in_doubt(plan))?;
        let said = self.checks[index]
            .last_failure
            .as_ref()
            .map_or("no answer", |(_, detail)| detail.as_str());
        let reason = format!(
            "`{}` gave no answer of the new version that tells: {said}",
            plan.checks[index].name
        );
        Some(Conclusion::Inconclusive { reason })
    }

    /// How the check's answers are too slow over all of them, in words, if that is sure.
    fn too_slow(&self, plan: &Plan, index: usize, is_warning: bool) -> Option<String> {
        let (check, track) = (plan.checks.get(index)?, self.checks.get(index)?);
        let bounds = check.time_bounds.iter().filter(|bound| bound.is_warning == is_warning);
        bounds.into_iter().find_map(|bound| track.times.exceeded(bound))
    }

    /// Whether an answer is out that may yet make the deployment unhealthy. No single one can where the budget is full.
    fn is_in_doubt(&self, plan: &Plan) -> bool {
        let open = |track: &Track| track.first_pass_at.is_none() || track.budget < track.budget_max;
        self.any_critical(plan, |track| track.in_flight.is_some() && open(track))
    }

    fn why_bad(&self, plan: &Plan, index: usize, now: Timestamp) -> String {
        let (track, name) = (&self.checks[index], &plan.checks[index].name);
        let said = track.last_failure.as_ref().map_or("", |(_, detail)| detail.as_str());
        let (failed, probes) = (track.failed, track.probes);
        if let Some(slow) = self.too_slow(plan, index, false).filter(|_| !track.is_spent()) {
            return format!("`{name}` is too slow: {slow}");
        }
        match track.first_pass_at {
            None => format!("`{name}` never passed: {said} (the last of {failed} failures in {probes} probes)"),
            Some(_) => {
                let spent_s = track.short_since.map_or(0, |since| now.ms_since(since) / 1_000);
                format!(
                    "`{name}` spent its budget in {spent_s} s: {said} (the last of {failed} failures in {probes} probes)"
                )
            }
        }
    }

    fn critical<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (usize, &'a Track)> {
        let counts = |index: usize| {
            plan.checks
                .get(index)
                .is_some_and(|c| c.severity == Severity::Critical && c.repeatable)
        };
        self.checks.iter().enumerate().filter(move |(index, _)| counts(*index))
    }

    /// Whether each critical check that has passed was asked since nobody looked.
    fn is_seen(&self, plan: &Plan) -> bool {
        let mut asked = self.critical(plan).filter(|(_, track)| track.first_pass_at.is_some());
        asked.all(|(_, track)| track.is_seen())
    }

    fn any_critical(&self, plan: &Plan, is: impl Fn(&Track) -> bool) -> bool {
        self.critical(plan).any(|(_, track)| is(track))
    }

    fn needs_passed(&self, plan: &Plan, index: usize) -> bool {
        plan.checks[index]
            .needs
            .iter()
            .all(|need| self.checks.get(*need).is_some_and(|t| t.first_pass_at.is_some()))
    }

    /// Whether every check has passed, or can no longer change what is concluded of it.
    fn all_settled(&self, plan: &Plan, now: Timestamp) -> bool {
        let late = now >= self.first_pass_limit(plan);
        self.checks.iter().enumerate().all(|(index, track)| {
            let check = &plan.checks[index];
            let counts = check.severity == Severity::Critical && check.repeatable;
            if !check.repeatable {
                track.probes + track.unknown > 0 || (late && track.in_flight.is_none())
            } else if counts {
                // A check that waits for a value no other check delivers cannot be judged; what it needs is.
                track.is_full_pass() || (late && !self.needs_passed(plan, index))
            } else {
                track.is_full_pass()
                    || track.is_spent()
                    || track.is_proven_wrong(now)
                    || (late && track.first_pass_at.is_none())
            }
        })
    }

    /// What did not hold although the deployment passed, in words.
    fn but(&self, plan: &Plan) -> Option<String> {
        let mut parts = Vec::new();
        for (index, (check, track)) in plan.checks.iter().zip(&self.checks).enumerate() {
            let slow = self
                .too_slow(plan, index, true)
                .or_else(|| self.too_slow(plan, index, false));
            match &track.last_failure {
                _ if track.is_full_pass() || (!check.repeatable && track.first_pass_at.is_some()) => match slow {
                    Some(slow) => parts.push(format!("`{}` is slow: {slow}", check.name)),
                    None if track.warned => parts.push(format!("`{}` passed with warnings", check.name)),
                    None => {}
                },
                Some((_, detail)) => parts.push(format!("`{}` failed: {detail}", check.name)),
                None => parts.push(format!("`{}` was not judged: what it needs did not pass", check.name)),
            }
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// The checks that are slower than in earlier deployments, in words.
    pub fn slower(&self, plan: &Plan, before: &[TimesBefore]) -> Option<String> {
        let judged = plan.checks.iter().zip(&self.checks);
        let parts: Vec<String> = judged
            .filter_map(|(check, track)| {
                let before = before.iter().find(|b| b.check == check.name && b.form == check.form)?;
                let said = slower(track.times.as_slice(), &before.times_ms)?;
                Some(format!("`{}` {said}", check.name))
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Whether all of `places` have passed again in full since they failed.
    pub fn came_back(&self, plan: &Plan, places: &[Place]) -> bool {
        let back = |place: &Place| match place {
            Place::Gate => self.gate_opened_at.is_some(),
            Place::Check(index) => {
                let passes = self.checks.get(*index).is_some_and(|t| t.passes_in_row >= plan.passes);
                passes && self.too_slow(plan, *index, false).is_none()
            }
        };
        !places.is_empty() && places.iter().all(back)
    }

    /// The first check that has been failing for long enough to tell a person before the decision.
    pub fn suspect(&self, plan: &Plan, now: Timestamp) -> Option<String> {
        let long = |track: &Track| {
            track.is_failing() && track.short_since.is_some_and(|since| now.ms_since(since) >= SUSPECT_MS)
        };
        let (index, track) = self.critical(plan).find(|(_, track)| long(track))?;
        let said = track.last_failure.as_ref().map_or("", |(_, detail)| detail.as_str());
        Some(format!(
            "`{}` has been failing for {} s: {said}",
            plan.checks[index].name,
            SUSPECT_MS / 1_000
        ))
    }

    /// How long the warm-up took, without the time in which we were not there.
    pub fn warm_up_ms(&self) -> Option<u64> {
        self.gate_opened_at
            .map(|opened| opened.ms_since(self.started_at).saturating_sub(self.lost_ms))
    }

    /// Each check's part in an outcome.
    pub fn reports(&self, plan: &Plan, now: Timestamp) -> Vec<CheckReport> {
        let late = self.gate_opened_at.is_some() && now >= self.first_pass_limit(plan);
        plan.checks
            .iter()
            .zip(&self.checks)
            .map(|(check, track)| CheckReport {
                name: check.name.clone(),
                severity: check.severity,
                verdict: verdict_of(track, check.repeatable, late, now),
                probes: track.probes,
                failed: track.failed,
                reason: track.last_failure.as_ref().map(|(reason, _)| *reason),
                detail: track.last_failure.as_ref().map(|(_, detail)| detail.clone()),
            })
            .collect()
    }
}

/// What is concluded of one check by itself.
fn verdict_of(track: &Track, repeatable: bool, late: bool, now: Timestamp) -> Option<Verdict> {
    let passed = track.is_full_pass() || (!repeatable && track.first_pass_at.is_some());
    if passed {
        Some(if track.warned {
            Verdict::Degraded
        } else {
            Verdict::Healthy
        })
    } else if track.is_spent()
        || track.is_proven_wrong(now)
        || (late && track.probes > 0 && track.first_pass_at.is_none())
    {
        Some(Verdict::Unhealthy)
    } else {
        None
    }
}

/// Whether this answer opens the gate: a good one, or where the gate expects nothing, any answer an app made below 500.
fn opens_gate(plan: &Plan, seen: &Observation) -> bool {
    match seen.class {
        Class::Pass => true,
        Class::Broken => plan.gate_any_answer && seen.status.is_some_and(|status| status < 500),
        Class::Slow | Class::Unready | Class::Unknown => false,
    }
}
