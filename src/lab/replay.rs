//! A recorded run judged again: the machine that serves, fed with the probes that were recorded, at their moments.
//!
//! What was kept of an answer is its class, so changed expectations show only in new probes; budgets, pace, warm-up,
//! watch, severities and the number of checks are judged anew.

use super::play::{deployment, empty, facts, heard};
use crate::domain::{CheckName, Timestamp, Verdict};
use crate::machine::{
    CheckPlan, Controls, Effect, EntryKind, Event, Phase, Place, Plan, ProbeEntry, RunState, Subject, WARM_UP, advance,
};

/// The number that a recorded answer is given; no probe of the machine's own comes near.
const RECORDED: u32 = u32::MAX;
/// A limit that ends a run is met this late at most.
const END_MS: u64 = 10_000;

/// A run as it was recorded.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Most controls did not answer when it was to be decided.
    pub offline: bool,
    /// What happened, oldest first.
    pub moments: Vec<Moment>,
}

/// Something recorded.
#[derive(Clone, Debug)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// A probe; none where the agent was found not to have looked for a while.
    pub probe: Option<ProbeEntry>,
}

/// What came of judging a recorded run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The verdict; none if the record ends before there is one.
    pub verdict: Option<Verdict>,
    /// From the run's begin to the verdict.
    pub after_ms: Option<u64>,
    /// Why.
    pub reason: String,
    /// How long the warm-up took.
    pub warm_up_ms: Option<u64>,
    /// Each probe of the deployment with what was spent of its budget after it, in thousandths of a failure. When exactly the
    /// watch began, which adds to every budget, does not change it.
    pub spent: Vec<(String, u32)>,
    /// Checks of the plan that the record has no probe of.
    pub unrecorded: Vec<CheckName>,
}

/// Judges `recording` by `plan`. Checks without a recorded probe are left out.
pub fn replay(plan: &Plan, recording: &Recording) -> Replayed {
    let (plan, unrecorded) = recorded_part(plan, recording);
    let mut replay = Replay {
        plan: &plan,
        recording,
        state: RunState::new("run".into(), "lab".into(), heard(), 0, recording.started_at),
        now: recording.started_at,
        verdict: None,
        reason: String::new(),
        spent: Vec::new(),
        taken_at: vec![None; plan.checks.len() + 1],
    };
    replay.run();
    Replayed {
        verdict: replay.verdict.map(|(verdict, _)| verdict),
        after_ms: replay.verdict.map(|(_, at)| at.ms_since(recording.started_at)),
        reason: replay.reason,
        warm_up_ms: replay.state.judge.as_ref().and_then(|judge| judge.warm_up_ms()),
        spent: replay.spent,
        unrecorded,
    }
}

struct Replay<'a> {
    plan: &'a Plan,
    recording: &'a Recording,
    state: RunState,
    now: Timestamp,
    verdict: Option<(Verdict, Timestamp)>,
    reason: String,
    spent: Vec<(String, u32)>,
    /// When an answer of each place was taken last; the gate's is the last one.
    taken_at: Vec<Option<Timestamp>>,
}

impl Replay<'_> {
    fn run(&mut self) {
        self.turn(Event::Began);
        for moment in &self.recording.moments {
            if self.is_over() {
                return;
            }
            match &moment.probe {
                None => {
                    self.now = self.now.max(moment.at);
                    self.turn(Event::Resumed { hold_ms: 0 });
                }
                Some(probe) => {
                    self.wake_until(moment.at);
                    self.now = self.now.max(moment.at);
                    self.take(probe);
                }
            }
        }
        self.wake_until(self.recording.ended_at.plus_ms(END_MS));
    }

    fn is_over(&self) -> bool {
        !matches!(self.state.phase, Phase::Confirming | Phase::Judging | Phase::Guarding)
    }

    fn wake_until(&mut self, end: Timestamp) {
        while let Some(at) = self.state.wake_at.filter(|at| *at <= end && !self.is_over()) {
            self.now = self.now.max(at);
            self.turn(Event::Woke);
        }
    }

    /// Gives the machine a recorded answer, whether or not it would have asked at just this moment; but not more often
    /// than the plan's pace.
    fn take(&mut self, probe: &ProbeEntry) {
        let Some((place, slot)) = self.place(&probe.check) else {
            return;
        };
        let Some(judge) = self
            .state
            .judge
            .as_mut()
            .filter(|_| probe.subject == Subject::Deployment)
        else {
            return;
        };
        let is_too_soon = self.taken_at[slot].is_some_and(|at| self.now.ms_since(at) * 4 < self.plan.every_ms * 3);
        let Some(track) = judge.track_mut(place).filter(|_| !is_too_soon) else {
            return;
        };
        track.in_flight = Some(RECORDED);
        self.taken_at[slot] = Some(self.now);
        let seen = Box::new(probe.seen.clone());
        self.turn(Event::Probed {
            seq: RECORDED,
            place,
            seen,
        });
    }

    fn place(&self, check: &str) -> Option<(Place, usize)> {
        let checks = &self.plan.checks;
        if check == WARM_UP {
            return Some((Place::Gate, checks.len()));
        }
        let index = checks.iter().position(|known| known.name.as_str() == check)?;
        Some((Place::Check(index), index))
    }

    fn turn(&mut self, event: Event) {
        let mut next = vec![event];
        while let Some(event) = next.pop() {
            let state = std::mem::replace(&mut self.state, empty());
            let decided = advance(self.plan, state, event, self.now);
            self.state = decided.state;
            for entry in decided.journal {
                if let Some(probe) = entry.probe {
                    let spent = probe.budget_max.saturating_sub(probe.budget_to);
                    self.spent.push((probe.check, spent));
                } else if entry.kind == EntryKind::Verdict {
                    self.verdict = self.state.verdict.map(|verdict| (verdict, self.now));
                    self.reason = entry.text;
                }
            }
            next.extend(decided.effects.into_iter().filter_map(|effect| self.answer(effect)));
        }
    }

    /// The platform and the store, which stand in nobody's way.
    fn answer(&self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Identify { seq } => Some(Event::Identified {
                seq,
                answer: Ok(Box::new(deployment("new", true))),
            }),
            Effect::Look { seq, controls } => {
                let controls = match (controls, self.recording.offline) {
                    (false, _) => Controls::Unasked,
                    (true, true) => Controls::Down,
                    (true, false) => Controls::Up,
                };
                Some(Event::Looked {
                    seq,
                    answer: Ok(Box::new(facts(self.plan, controls))),
                })
            }
            Effect::Probe { .. } | Effect::RollBack { .. } => None,
        }
    }
}

/// The plan with only the checks that were probed, and the names of the others.
fn recorded_part(plan: &Plan, recording: &Recording) -> (Plan, Vec<CheckName>) {
    let probes = recording.moments.iter().filter_map(|moment| moment.probe.as_ref());
    let names: std::collections::BTreeSet<&str> = probes.map(|probe| probe.check.as_str()).collect();
    let is_recorded = |check: &CheckPlan| names.contains(check.name.as_str());
    let kept: Vec<usize> = (0..plan.checks.len())
        .filter(|index| is_recorded(&plan.checks[*index]))
        .collect();
    let checks = kept.iter().map(|index| {
        let check = &plan.checks[*index];
        let needs = check.needs.iter();
        CheckPlan {
            needs: needs
                .filter_map(|need| kept.iter().position(|index| index == need))
                .collect(),
            ..check.clone()
        }
    });
    let left_out = plan.checks.iter().filter(|check| !is_recorded(check));
    let unrecorded = left_out.map(|check| check.name.clone()).collect();
    let part = Plan {
        checks: checks.collect(),
        ..plan.clone()
    };
    (part, unrecorded)
}
