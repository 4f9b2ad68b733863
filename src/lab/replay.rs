//! A recorded run judged again: the machine that serves, fed with the probes that were recorded, at their moments.
//!
//! What was kept of an answer is its class, so changed expectations show only in new probes; budgets, pace, warm-up,
//! watch, severities and the number of checks are judged anew.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::play::{deployment, empty, facts, heard};
use crate::domain::{CheckName, Class, Timestamp, Verdict};
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
    /// Checks of the plan that the record tells nothing of.
    pub unrecorded: Vec<CheckName>,
}

/// Judges `recording` by `plan`. Checks that were not probed although they could have been are left out.
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
        asked: asked(&plan, recording),
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
    /// When each place was asked for the answers that are still to be taken, oldest first; the gate's is the last one.
    asked: Vec<VecDeque<Timestamp>>,
    /// When an answer of each place was taken last.
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
                    self.take(probe, asked_at(probe, moment.at));
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

    /// Gives the machine a recorded answer, whether or not it would have asked for it; but not more often than the plan's
    /// pace.
    fn take(&mut self, probe: &ProbeEntry, asked_at: Timestamp) {
        let slot = slot_of(self.plan, probe).filter(|slot| self.asked[*slot].front() == Some(&asked_at));
        let Some(slot) = slot else { return };
        self.asked[slot].pop_front();
        let place = place_of(self.plan, slot);
        let Some(track) = self.state.judge.as_mut().and_then(|judge| judge.track_mut(place)) else {
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

    /// The machine asks when the record did: what follows from time alone waits for the answers that are out, and the same
    /// ones are to be.
    fn ask_as_recorded(&mut self) {
        let pace_ms = self.plan.every_ms * 3 / 4;
        let Some(judge) = &mut self.state.judge else { return };
        for (slot, asked) in self.asked.iter_mut().enumerate() {
            let too_soon = self.taken_at[slot].map(|at| at.plus_ms(pace_ms));
            while asked.front().is_some_and(|at| too_soon.is_some_and(|soon| *at < soon)) {
                asked.pop_front();
            }
            let Some(track) = judge.track_mut(place_of(self.plan, slot)) else {
                continue;
            };
            match asked.front() {
                Some(next_at) => {
                    track.next_at = *next_at;
                    track.in_flight = track.in_flight.filter(|_| *next_at <= self.now);
                }
                // Nobody asked any more. When this was due it was decided, which is looked for often.
                None if track.in_flight.take().is_some() => {
                    track.next_at = self.now.plus_ms(self.plan.every_ms / 10 + 1)
                }
                None => {}
            }
        }
        self.state.wake_at = judge.wake_at(self.plan, self.now).map(|(at, _)| at);
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
        self.ask_as_recorded();
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

/// When each place was asked, oldest first.
fn asked(plan: &Plan, recording: &Recording) -> Vec<VecDeque<Timestamp>> {
    let mut asked = vec![VecDeque::new(); plan.checks.len() + 1];
    for moment in &recording.moments {
        let Some(probe) = &moment.probe else { continue };
        if let Some(slot) = slot_of(plan, probe) {
            asked[slot].push_back(asked_at(probe, moment.at));
        }
    }
    asked
}

fn asked_at(probe: &ProbeEntry, answered_at: Timestamp) -> Timestamp {
    answered_at.minus(Duration::from_millis(u64::from(probe.seen.latency_ms)))
}

/// The number of the place that answered; none if it is not the deployment's, or the plan has no such check.
fn slot_of(plan: &Plan, probe: &ProbeEntry) -> Option<usize> {
    if probe.subject != Subject::Deployment {
        None
    } else if probe.check == WARM_UP {
        Some(plan.checks.len())
    } else {
        plan.checks.iter().position(|known| known.name.as_str() == probe.check)
    }
}

/// The place of a number; the gate's is the last one.
fn place_of(plan: &Plan, slot: usize) -> Place {
    if slot == plan.checks.len() {
        Place::Gate
    } else {
        Place::Check(slot)
    }
}

/// The plan without the checks that the record tells nothing of, and the names of these.
fn recorded_part(plan: &Plan, recording: &Recording) -> (Plan, Vec<CheckName>) {
    let recorded = Recorded::of(recording);
    let (kept, left_out): (Vec<usize>, Vec<usize>) =
        (0..plan.checks.len()).partition(|index| recorded.tells_of(plan, *index));
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
    let part = Plan {
        checks: checks.collect(),
        ..plan.clone()
    };
    let unrecorded = left_out.into_iter().map(|index| plan.checks[index].name.clone());
    (part, unrecorded.collect())
}

/// The checks of a record.
struct Recorded<'a> {
    probed: BTreeSet<&'a str>,
    passed: BTreeSet<&'a str>,
}

impl<'a> Recorded<'a> {
    fn of(recording: &'a Recording) -> Self {
        let probes = recording.moments.iter().filter_map(|moment| moment.probe.as_ref());
        let checks = probes.filter(|probe| probe.check != WARM_UP);
        Self {
            probed: checks.clone().map(|probe| probe.check.as_str()).collect(),
            passed: checks
                .filter(|probe| probe.seen.class == Class::Pass)
                .map(|probe| probe.check.as_str())
                .collect(),
        }
    }

    /// Whether it was probed, or could not be: the gate stayed closed, or what it needs did not pass.
    fn tells_of(&self, plan: &Plan, index: usize) -> bool {
        let check = &plan.checks[index];
        let stands_in_its_way =
            |need: &usize| !self.passed.contains(plan.checks[*need].name.as_str()) && self.tells_of(plan, *need);
        self.probed.is_empty() || self.probed.contains(check.name.as_str()) || check.needs.iter().any(stands_in_its_way)
    }
}
