//! One turn of the machine: an event is applied, then whatever the state now calls for is asked for.

use super::event::{Advance, Effect, Entry, EntryKind, Event, Record, WakeReason};
use super::plan::Plan;
use super::state::{LookFor, Phase, RunState};
use crate::domain::{Outcome, OutcomeEvent, Timestamp};

/// Being woken this much later than asked means that nobody was looking in between.
pub(super) const GAP_MS: u64 = 10_000;

/// Applies `event` at `now` to `state` and says what is to be recorded and done.
///
/// Total: any event in any phase is either acted on or dropped; a result whose sequence number is not the one in
/// flight is stale and dropped.
pub fn advance(plan: &Plan, state: RunState, event: Event, now: Timestamp) -> Advance {
    let mut turn = Turn::new(plan, state, now);
    // An ended run may be taken up again by a person's order, and by nothing else.
    if turn.state.phase != Phase::Done || matches!(event, Event::Ordered) {
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
    pub(super) journal: Vec<Entry>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) records: Vec<Record>,
    pub(super) commit_now: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(plan: &'a Plan, state: RunState, now: Timestamp) -> Self {
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
    pub(super) fn notice_gap(&mut self, event: &Event) {
        let resumed = matches!(event, Event::Resumed { .. });
        let is_late = self.state.wake_at.is_some_and(|at| self.now.ms_since(at) > GAP_MS);
        if !is_late && !resumed {
            return;
        }
        // What was asked since the last turn is forgotten, so nothing of that time was looked at.
        let late_ms = self.now.ms_since(self.state.turned_at);
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

    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::Began => self.began(),
            Event::Resumed { hold_ms } => self.resume(hold_ms),
            Event::Woke => {}
            Event::Identified { seq, answer } if self.state.identify_seq == Some(seq) => self.identified(answer),
            Event::Probed { seq, place, seen } => self.probed(seq, place, &seen),
            Event::Looked { seq, answer } if self.look_seq() == Some(seq) => self.looked(answer),
            Event::Called { seq, answer } if self.call_seq() == Some(seq) => self.called(answer),
            Event::Identified { .. } | Event::Looked { .. } | Event::Called { .. } => {}
            Event::Nudged { why } => self.nudged(&why),
            Event::Cancelled => self.cancelled(),
            Event::Approved => self.approved(),
            Event::Ordered => self.ordered(),
        }
    }

    pub(super) fn began(&mut self) {
        self.note(
            EntryKind::Note,
            format!("heard that {} is live", self.state.heard.deployment),
        );
        self.commit_now = true;
    }

    pub(super) fn look_seq(&self) -> Option<u32> {
        self.state.look.as_ref().and_then(|look| look.seq)
    }

    pub(super) fn call_seq(&self) -> Option<u32> {
        self.state.act.as_ref().and_then(|act| act.seq)
    }

    pub(super) fn resume(&mut self, hold_ms: u64) {
        self.state.identify_seq = None;
        self.state.identify_next_at = self.now;
        if let Some(look) = &mut self.state.look {
            look.seq = None;
            look.next_at = self.now;
        }
        // What was asked of the last-good version is asked again, with the guards.
        if self.state.last_good.take().is_some() && self.state.phase == Phase::Guarding && self.state.look.is_none() {
            self.ask(LookFor::Guard);
        }
        self.resume_act(hold_ms);
        self.commit_now = true;
    }

    pub(super) fn nudged(&mut self, why: &str) {
        if matches!(self.state.phase, Phase::Judging | Phase::Awaiting) && self.state.look.is_none() {
            self.note(EntryKind::Note, format!("{why}; asking the platform what is current"));
            self.ask(LookFor::Nudge);
        }
    }

    pub(super) fn cancelled(&mut self) {
        if self.state.may_cancel() {
            let reason = "a person ended the run".to_owned();
            self.say(OutcomeEvent::RunSuperseded, &reason, false);
            self.end("cancelled", reason);
        }
    }

    // What the state calls for.

    fn proceed(&mut self) {
        match self.state.phase {
            Phase::Confirming => self.proceed_confirming(),
            Phase::Judging => self.proceed_judging(),
            Phase::Verifying => self.proceed_verifying(),
            Phase::Calling => self.proceed_calling(),
            Phase::Guarding => self.gather_failing(),
            Phase::Awaiting => self.proceed_awaiting(),
            Phase::Settling | Phase::Done => {}
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
        moments.extend(self.approval_wake_at());
        if let Some((judge, _)) = self.judge_mut() {
            moments.extend(judge.wake_at(plan, now));
        }
        moments.into_iter().min_by_key(|(at, _)| *at)
    }

    fn finish(mut self) -> Advance {
        let wake_at = if self.state.phase == Phase::Done {
            None
        } else {
            self.wake_at()
        };
        self.state.wake_at = wake_at.map(|(at, _)| at);
        self.state.turned_at = self.now;
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
