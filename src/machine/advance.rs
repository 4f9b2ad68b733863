//! One turn of the machine: an event is applied, then whatever the state now calls for is asked for.

use super::event::{Advance, Effect, Entry, EntryKind, Event, Facts, Place, ProbeEntry, Record, Subject, WakeReason};
use super::guard::{GATE, superseded_by};
use super::judge::{Conclusion, Judge};
use super::plan::Plan;
use super::state::{DISMISSED, Look, LookFor, Phase, RunState};
use crate::domain::{CheckName, Deployment, DeploymentState, Observation, Outcome, OutcomeEvent, Timestamp, Verdict};

/// Being woken this much later than asked means that nobody was looking in between.
const GAP_MS: u64 = 10_000;
/// How long the platform is asked what a deployment is, before the run ends without a verdict.
const IDENTIFY_MS_MAX: u64 = 10 * 60_000;
/// How long a deployment may take from being heard live to being current, as the platform says.
const BECOME_CURRENT_MS_MAX: u64 = 60_000;
/// Between two tries to ask the platform.
const ASK_AGAIN_MS: u64 = 5_000;
/// How long an unanswered question, other than about a rollback, is asked again.
const LOOK_MS_MAX: u64 = 10 * 60_000;

/// Applies `event` at `now` to `state` and says what is to be recorded and done.
///
/// Total: any event in any phase is either acted on or dropped; a result whose sequence number is not the one in
/// flight is stale and dropped.
pub fn advance(plan: &Plan, state: RunState, event: Event, now: Timestamp) -> Advance {
    let mut turn = Turn::new(plan, state, now);
    if turn.state.phase != Phase::Done {
        turn.notice_gap(&event);
        turn.apply(event);
        turn.proceed();
    }
    turn.finish()
}

/// What one turn gathers.
pub(super) struct Turn<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: RunState,
    pub(super) now: Timestamp,
    pub(super) effects: Vec<Effect>,
    journal: Vec<Entry>,
    outcomes: Vec<Outcome>,
    records: Vec<Record>,
    pub(super) commit_now: bool,
}

impl<'a> Turn<'a> {
    fn new(plan: &'a Plan, state: RunState, now: Timestamp) -> Self {
        Self {
            plan,
            state,
            now,
            effects: Vec::new(),
            journal: Vec::new(),
            outcomes: Vec::new(),
            records: Vec::new(),
            commit_now: false,
        }
    }

    /// Time in which nobody looked closes spells of failures and consumes no warm-up.
    fn notice_gap(&mut self, event: &Event) {
        let late_ms = self.state.wake_at.map_or(0, |at| self.now.ms_since(at));
        let resumed = matches!(event, Event::Resumed);
        if late_ms <= GAP_MS && !resumed {
            return;
        }
        for judge in [&mut self.state.judge, &mut self.state.verify].into_iter().flatten() {
            judge.skip(late_ms, self.now);
        }
        let cause = if resumed {
            "the agent was restarted"
        } else {
            "the agent was not running"
        };
        self.note(
            EntryKind::Wake,
            format!("{cause}; {} s without a look count for nothing", late_ms / 1_000),
        );
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Began => self.began(),
            Event::Resumed => self.resume(),
            Event::Woke => {}
            Event::Identified { seq, answer } if self.state.identify_seq == Some(seq) => self.identified(answer),
            Event::Probed { seq, place, seen } => self.probed(seq, place, &seen),
            Event::Looked { seq, answer } if self.look_seq() == Some(seq) => self.looked(answer),
            Event::Called { seq, answer } if self.call_seq() == Some(seq) => self.called(answer),
            Event::Identified { .. } | Event::Looked { .. } | Event::Called { .. } => {}
            Event::Nudged { why } => self.nudged(&why),
            Event::Cancelled => self.cancelled(),
        }
    }

    fn began(&mut self) {
        self.note(
            EntryKind::Note,
            format!("heard that {} is live", self.state.heard.deployment),
        );
        self.commit_now = true;
    }

    fn look_seq(&self) -> Option<u32> {
        self.state.look.as_ref().and_then(|look| look.seq)
    }

    fn call_seq(&self) -> Option<u32> {
        self.state.act.as_ref().and_then(|act| act.seq)
    }

    fn resume(&mut self) {
        self.state.identify_seq = None;
        self.state.identify_next_at = self.now;
        if let Some(look) = &mut self.state.look {
            look.seq = None;
            look.next_at = self.now;
        }
        self.resume_act();
        self.commit_now = true;
    }

    fn nudged(&mut self, why: &str) {
        if self.state.phase == Phase::Judging && self.state.look.is_none() {
            self.note(EntryKind::Note, format!("{why}; asking the platform what is current"));
            self.ask(LookFor::Nudge);
        }
    }

    fn cancelled(&mut self) {
        if self.state.may_cancel() {
            let reason = "a person ended the run".to_owned();
            self.say(OutcomeEvent::RunSuperseded, &reason, false);
            self.end("cancelled", reason);
        }
    }

    // Confirming.

    fn identified(&mut self, answer: Result<Box<Deployment>, String>) {
        self.state.identify_seq = None;
        match answer {
            Err(why) => self.not_identified(&why),
            Ok(deployment) if self.state.opened_app.as_ref().is_some_and(|app| *app != deployment.app) => {
                let reason = format!(
                    "the secret that signed the delivery does not open the app `{}`",
                    deployment.app
                );
                self.end(DISMISSED, reason);
            }
            Ok(deployment) if deployment.preview && self.plan.checks.is_empty() => {
                self.end(DISMISSED, "a preview environment that no `when` names".to_owned());
            }
            Ok(deployment) if !deployment.current => self.not_current(*deployment),
            Ok(deployment) => {
                let rollback = if deployment.rollback {
                    ", made by a rollback"
                } else {
                    ""
                };
                let word = &deployment.state_word;
                let text = format!(
                    "the platform says: {} is current, state `{word}`{rollback}",
                    deployment.id
                );
                self.note(EntryKind::Note, text);
                self.state.deployment = Some(*deployment);
                self.ask(LookFor::Start);
            }
        }
    }

    fn not_identified(&mut self, why: &str) {
        self.state.identify_failures += 1;
        if self.state.identify_failures == 1 {
            self.note(
                EntryKind::Note,
                format!("the platform did not say what the deployment is: {why}"),
            );
        }
        if self.now.ms_since(self.state.started_at) >= IDENTIFY_MS_MAX {
            self.conclude_inconclusive(format!("the platform did not say what the deployment is: {why}"));
        } else {
            self.state.identify_next_at = self.now.plus_ms(ASK_AGAIN_MS);
        }
    }

    /// Heard to be live, but the platform says otherwise: it may be a moment early, or a confused or forged delivery.
    fn not_current(&mut self, deployment: Deployment) {
        let early = deployment.state == DeploymentState::UnderWay || deployment.state == DeploymentState::Good;
        if early && self.now.ms_since(self.state.started_at) < BECOME_CURRENT_MS_MAX {
            self.state.identify_next_at = self.now.plus_ms(ASK_AGAIN_MS);
        } else {
            let reason = format!(
                "the platform says that {} is not current (`{}`)",
                deployment.id, deployment.state_word
            );
            self.state.deployment = Some(deployment);
            self.state.verdict = Some(Verdict::Inconclusive);
            self.end(DISMISSED, reason);
        }
    }

    fn begin_judging(&mut self) {
        self.state.phase = Phase::Judging;
        self.state.mode = self.plan.mode;
        self.state.judge = Some(Judge::new(self.plan, self.state.live_at.max(self.state.started_at)));
        let checks = self.plan.checks.len();
        let reason = format!(
            "judging begins: {checks} checks, warm-up at most {} s",
            self.plan.warm_up_ms / 1_000
        );
        self.note(EntryKind::Note, reason.clone());
        if checks > 0 {
            self.say(OutcomeEvent::SmokeTestStarted, &reason, false);
        }
    }

    // Judging.

    fn probed(&mut self, seq: u32, place: Place, seen: &Observation) {
        let jitter = self.jitter(seq);
        let (plan, now) = (self.plan, self.now);
        let Some((judge, subject)) = self.judge_mut() else {
            return;
        };
        if judge.track(place).is_none_or(|track| track.in_flight != Some(seq)) {
            return;
        }
        let was_open = judge.gate_opened_at.is_some();
        let Some(moved) = judge.take(plan, place, seen, jitter, now) else {
            return;
        };
        let opened = !was_open && judge.gate_opened_at.is_some();
        let passed_in_full = judge
            .track(place)
            .is_some_and(|track| track.passes_in_row == plan.passes);
        let budget_max = judge.track(place).map_or(0, |track| track.budget_max);
        let entry = ProbeEntry {
            check: self.name_of(place),
            seen: seen.clone(),
            budget_from: moved.from,
            budget_to: moved.to,
            budget_max,
            subject,
        };
        let text = format!("{}: {}", entry.check, seen.detail);
        self.journal.push(Entry {
            at: now,
            kind: EntryKind::Probe,
            text,
            probe: Some(Box::new(entry)),
        });
        if opened {
            self.opened(subject);
        }
        if passed_in_full && subject == Subject::Deployment && place != Place::Gate {
            self.remember_pass(place);
        }
    }

    /// The judging under way, and of which version.
    fn judge_mut(&mut self) -> Option<(&mut Judge, Subject)> {
        match self.state.phase {
            Phase::Judging | Phase::Guarding | Phase::Calling => {
                self.state.judge.as_mut().map(|judge| (judge, Subject::Deployment))
            }
            Phase::Verifying => self.state.verify.as_mut().map(|judge| (judge, Subject::Restored)),
            Phase::Confirming | Phase::Settling | Phase::Done => None,
        }
    }

    fn opened(&mut self, subject: Subject) {
        let judge = if subject == Subject::Restored {
            &self.state.verify
        } else {
            &self.state.judge
        };
        let ms = judge.as_ref().and_then(Judge::warm_up_ms).unwrap_or(0);
        self.note(
            EntryKind::Note,
            format!("warm-up ended after {:.1} s; the checks begin", ms as f64 / 1_000.0),
        );
        self.commit_now = true;
    }

    /// The check is known to be right: in its present form it passed in full on this app and environment.
    fn remember_pass(&mut self, place: Place) {
        let Some(key) = self.state.deployment.as_ref().map(|d| d.key.clone()) else {
            return;
        };
        let (check, form) = match place {
            Place::Gate => (CheckName::new(GATE), self.plan.gate_form.clone()),
            Place::Check(index) => match self.plan.checks.get(index) {
                Some(check) => (check.name.clone(), check.form.clone()),
                None => return,
            },
        };
        self.record(Record::CheckPassed {
            key,
            check,
            form,
            at: self.now,
        });
    }

    fn proceed_judging(&mut self) {
        let Some(judge) = &self.state.judge else { return };
        let suspect = if self.state.suspect_said {
            None
        } else {
            judge.suspect(self.plan, self.now)
        };
        match judge.conclusion(self.plan, self.now) {
            None => {
                if let Some(reason) = suspect {
                    self.state.suspect_said = true;
                    self.say(OutcomeEvent::SmokeTestSuspect, &reason, false);
                }
            }
            Some(Conclusion::Unhealthy { reason, failing }) => self.conclude_unhealthy(reason, failing),
            Some(Conclusion::Inconclusive { reason }) => self.conclude_inconclusive(reason),
            Some(Conclusion::Passed { .. }) if self.state.look.is_none() => self.ask(LookFor::Pass),
            Some(Conclusion::Watched) if self.state.look.is_none() => self.ask(LookFor::WatchEnd),
            Some(Conclusion::Passed { .. } | Conclusion::Watched) => {}
        }
    }

    fn conclude_unhealthy(&mut self, reason: String, failing: Vec<Place>) {
        self.state.verdict = Some(Verdict::Unhealthy);
        self.state.reason = Some(reason.clone());
        self.state.failing = failing;
        self.note(EntryKind::Verdict, format!("unhealthy: {reason}"));
        self.state.phase = Phase::Guarding;
        self.ask(LookFor::Guard);
    }

    pub(super) fn conclude_inconclusive(&mut self, reason: String) {
        self.state.verdict = Some(Verdict::Inconclusive);
        self.note(EntryKind::Verdict, format!("inconclusive: {reason}"));
        self.say(OutcomeEvent::SmokeTestInconclusive, &reason, false);
        self.end("none", reason);
    }

    fn passed(&mut self) {
        let Some(judge) = &mut self.state.judge else { return };
        let Some(Conclusion::Passed { but }) = judge.conclusion(self.plan, self.now) else {
            return;
        };
        judge.begin_watch(self.now);
        let (warm_up_ms, checks) = (judge.warm_up_ms(), judge.checks.len());
        let took_s = self.now.ms_since(self.state.started_at) / 1_000;
        let (event, verdict, reason) = match but {
            None => {
                let reason = format!("{checks} checks passed {took_s} s after it went live; the watch begins");
                (OutcomeEvent::SmokeTestPassed, Verdict::Healthy, reason)
            }
            Some(but) => (OutcomeEvent::SmokeTestDegraded, Verdict::Degraded, but),
        };
        self.state.verdict = Some(verdict);
        self.state.reason = Some(reason.clone());
        self.note(EntryKind::Verdict, format!("{}: {reason}", verdict.as_str()));
        if let (Some(key), Some(ms)) = (self.state.deployment.as_ref().map(|d| d.key.clone()), warm_up_ms) {
            self.record(Record::WarmUp { key, ms, at: self.now });
        }
        self.remember_pass(Place::Gate);
        self.say(event, &reason, false);
    }

    fn watched(&mut self) {
        let Some(deployment) = self.state.deployment.clone() else {
            return;
        };
        let record = Record::KnownGood {
            key: deployment.key,
            deployment: deployment.id.clone(),
            commit_sha: deployment.commit.sha,
            at: self.now,
        };
        self.record(record);
        self.note(
            EntryKind::Note,
            format!("the watch ended well: {} is known good", deployment.id),
        );
        let reason = self.state.reason.clone().unwrap_or_default();
        self.end("none", reason);
    }

    // Asking the platform.

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

    fn looked(&mut self, answer: Result<Box<Facts>, String>) {
        let Some(look) = self.state.look.take() else { return };
        match answer {
            Err(why) => self.not_looked(look, &why),
            Ok(facts) => self.looked_at(look.purpose, &facts),
        }
    }

    fn looked_at(&mut self, purpose: LookFor, facts: &Facts) {
        match purpose {
            LookFor::Guard => self.guarded(facts),
            LookFor::Effect => self.looked_for_effect(facts),
            LookFor::Settle => self.looked_for_target(facts),
            LookFor::VerifyEnd => self.verified(facts),
            LookFor::Start | LookFor::Pass | LookFor::WatchEnd | LookFor::Nudge => self.still_current(purpose, facts),
        }
    }

    fn still_current(&mut self, purpose: LookFor, facts: &Facts) {
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
            LookFor::Pass => self.passed(),
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

    fn not_looked(&mut self, look: Look, why: &str) {
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

    // What the state calls for.

    fn proceed(&mut self) {
        match self.state.phase {
            Phase::Confirming => self.proceed_confirming(),
            Phase::Judging => self.proceed_judging(),
            Phase::Verifying => self.proceed_verifying(),
            Phase::Calling => self.proceed_calling(),
            Phase::Guarding | Phase::Settling | Phase::Done => {}
        }
        if let Some(look) = self.state.look.clone()
            && look.seq.is_none()
            && look.next_at <= self.now
        {
            self.ask(look.purpose);
        }
        self.probe_what_is_due();
    }

    fn proceed_confirming(&mut self) {
        if self.state.deployment.is_none()
            && self.state.identify_seq.is_none()
            && self.state.identify_next_at <= self.now
        {
            let seq = self.next_seq();
            self.state.identify_seq = Some(seq);
            self.effects.push(Effect::Identify { seq });
        } else if self.state.deployment.is_some() && self.state.look.is_none() {
            self.ask(LookFor::Start);
        }
    }

    fn probe_what_is_due(&mut self) {
        let (plan, now) = (self.plan, self.now);
        let Some((judge, subject)) = self.judge_mut() else {
            return;
        };
        for place in judge.due(plan, now) {
            let seq = self.next_seq();
            if let Some(track) = self.judge_mut().and_then(|(judge, _)| judge.track_mut(place)) {
                track.in_flight = Some(seq);
            }
            self.effects.push(Effect::Probe { seq, place, subject });
        }
    }

    fn wake_at(&mut self) -> Option<(Timestamp, WakeReason)> {
        let (plan, now) = (self.plan, self.now);
        let mut moments = Vec::new();
        let to_identify = self.state.deployment.is_none() && self.state.identify_seq.is_none();
        if self.state.phase == Phase::Confirming && to_identify {
            moments.push((self.state.identify_next_at, WakeReason::AskAgain));
        }
        if let Some(look) = self.state.look.as_ref().filter(|look| look.seq.is_none()) {
            moments.push((look.next_at, WakeReason::AskAgain));
        }
        moments.extend(self.act_wake_at());
        if let Some((judge, _)) = self.judge_mut() {
            moments.extend(judge.wake_at(plan, now));
        }
        moments.into_iter().min_by_key(|(at, _)| *at)
    }

    // Writing things down.

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

    fn name_of(&self, place: Place) -> String {
        match place {
            Place::Gate => GATE.to_owned(),
            Place::Check(index) => self
                .plan
                .checks
                .get(index)
                .map(|c| c.name.to_string())
                .unwrap_or_default(),
        }
    }

    /// Between 800 and 1200 thousandths, from the run's seed and the effect's number.
    fn jitter(&self, seq: u32) -> u64 {
        800 + mix(self.state.seed ^ u64::from(seq)) % 401
    }

    fn finish(mut self) -> Advance {
        let wake_at = if self.state.phase == Phase::Done {
            None
        } else {
            self.wake_at()
        };
        self.state.wake_at = wake_at.map(|(at, _)| at);
        Advance {
            state: self.state,
            effects: self.effects,
            journal: self.journal,
            outcomes: self.outcomes,
            records: self.records,
            wake_at,
            commit_now: self.commit_now,
        }
    }
}

/// Spreads a number's bits (the finaliser of SplitMix64, Steele et al. 2014).
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
