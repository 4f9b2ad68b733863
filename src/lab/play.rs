//! Playing one deployment: the machine against a world, on a simulated clock.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use crate::domain::{
    AppKey, AppPlace, CallAnswer, Commit, Deployment, DeploymentId, Fleet, Heard, HeardEvent, Standing, Timestamp,
    Verdict,
};
use crate::machine::{
    Controls, Effect, Entry, Event, Facts, Known, Phase, Place, Plan, RunState, Subject, WARM_UP, advance,
};

/// When the deployment goes live; any moment will do.
pub(super) const LIVE: Timestamp = Timestamp::from_millis(1_773_325_867_000);
/// How long the platform takes to answer.
const PLATFORM_MS: u64 = 50;
/// Turns of one run; none comes near.
const TURNS_MAX: usize = 100_000;
/// The deployment that is played.
const OWN: &str = "new";
/// The one before it, known to be good.
const BEFORE: &str = "good";

/// How a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The rollback was called.
    RolledBack,
    /// Found bad, and left live by a guard.
    Withheld,
    /// Known to be good.
    Healthy,
    /// Could not be told.
    Inconclusive,
}

/// What came of one play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Played {
    /// How it ended.
    pub end: End,
    /// From going live to the call of the rollback, or to the end.
    pub after_ms: u64,
    /// From going live to the pass that begins the watch.
    pub passed_ms: Option<u64>,
}

/// Lets the machine judge `world` by `plan`. `seed` makes its jitter.
pub fn play(plan: &Plan, world: &mut World<'_>, seed: u64) -> Played {
    play_telling(plan, world, seed, &mut |_| {})
}

/// The same, with each line of the run's story told.
pub(super) fn play_telling(plan: &Plan, world: &mut World<'_>, seed: u64, tell: &mut dyn FnMut(Entry)) -> Played {
    Play::new(plan, world, seed, tell).run()
}

struct Play<'p, 's> {
    plan: &'p Plan,
    world: &'p mut World<'s>,
    tell: &'p mut dyn FnMut(Entry),
    state: RunState,
    now: Timestamp,
    /// Results under way, by when they arrive and in the order they were asked for.
    coming: BTreeMap<(Timestamp, usize), Event>,
    asked: usize,
    called_ms: Option<u64>,
    passed_ms: Option<u64>,
}

impl<'p, 's> Play<'p, 's> {
    fn new(plan: &'p Plan, world: &'p mut World<'s>, seed: u64, tell: &'p mut dyn FnMut(Entry)) -> Self {
        Self {
            plan,
            world,
            tell,
            state: RunState::new("run".into(), "lab".into(), heard(), seed, LIVE),
            now: LIVE,
            coming: BTreeMap::new(),
            asked: 0,
            called_ms: None,
            passed_ms: None,
        }
    }

    fn run(mut self) -> Played {
        let mut next = Some(Event::Began);
        for _ in 0..TURNS_MAX {
            let Some(event) = next.take() else { break };
            self.turn(event);
            if self.called_ms.is_some() || self.state.phase == Phase::Done {
                break;
            }
            next = self.next_event();
        }
        let end = match (self.called_ms, self.state.verdict) {
            (Some(_), _) => End::RolledBack,
            (None, Some(Verdict::Unhealthy)) => End::Withheld,
            (None, Some(Verdict::Healthy | Verdict::Degraded)) => End::Healthy,
            (None, Some(Verdict::Inconclusive) | None) => End::Inconclusive,
        };
        Played {
            end,
            after_ms: self.called_ms.unwrap_or_else(|| self.now.ms_since(LIVE)),
            passed_ms: self.passed_ms,
        }
    }

    fn turn(&mut self, event: Event) {
        let state = std::mem::replace(&mut self.state, empty());
        let decided = advance(self.plan, state, event, self.now);
        self.state = decided.state;
        let passed = matches!(self.state.verdict, Some(Verdict::Healthy | Verdict::Degraded));
        if passed && self.passed_ms.is_none() {
            self.passed_ms = Some(self.now.ms_since(LIVE));
        }
        decided.journal.into_iter().for_each(&mut self.tell);
        for effect in decided.effects {
            self.perform(effect);
        }
    }

    /// Whatever comes first: a result, or the wake-up.
    fn next_event(&mut self) -> Option<Event> {
        let wake_at = self.state.wake_at;
        let first = self.coming.first_key_value().map(|(key, _)| *key);
        match (first, wake_at) {
            (Some(key), wake) if wake.is_none_or(|wake| key.0 <= wake) => {
                self.now = self.now.max(key.0);
                self.coming.remove(&key)
            }
            (_, Some(wake)) => {
                self.now = self.now.max(wake);
                Some(Event::Woke)
            }
            (_, None) => None,
        }
    }

    fn perform(&mut self, effect: Effect) {
        let at = self.now.plus_ms(PLATFORM_MS);
        match effect {
            Effect::Identify { seq } => {
                let answer = Ok(Box::new(deployment(OWN, true)));
                self.send(at, Event::Identified { seq, answer });
            }
            Effect::Look { seq, controls } => {
                let controls = match (controls, self.world.controls_down()) {
                    (false, _) => Controls::Unasked,
                    (true, true) => Controls::Down,
                    (true, false) => Controls::Up,
                };
                let answer = Ok(Box::new(facts(self.plan, controls)));
                self.send(at, Event::Looked { seq, answer });
            }
            Effect::Probe { seq, place, subject } => self.probe(seq, place, subject),
            Effect::RollBack { seq, .. } => {
                self.called_ms = Some(self.now.ms_since(LIVE));
                let answer = CallAnswer::Accepted { made: None };
                self.send(at, Event::Called { seq, answer });
            }
        }
    }

    fn probe(&mut self, seq: u32, place: Place, subject: Subject) {
        debug_assert_eq!(subject, Subject::Deployment, "a play ends with the call");
        let route = match place {
            Place::Gate => None,
            Place::Check(index) => Some(index),
        };
        let seen = self.world.answer(route, self.now.ms_since(LIVE));
        let at = self.now.plus_ms(u64::from(seen.latency_ms));
        let seen = Box::new(seen);
        self.send(at, Event::Probed { seq, place, seen });
    }

    fn send(&mut self, at: Timestamp, event: Event) {
        self.asked += 1;
        self.coming.insert((at, self.asked), event);
    }
}

/// Nothing stands against a rollback.
pub(super) fn facts(plan: &Plan, controls: Controls) -> Facts {
    let passed = plan.checks.iter().map(|check| (check.name.clone(), check.form.clone()));
    let gate = (WARM_UP.into(), plan.gate_form.clone());
    Facts {
        standing: Standing {
            current: Some(OWN.into()),
            deployments: vec![deployment(OWN, true), deployment(BEFORE, false)],
        },
        known: Known {
            good: vec![(DeploymentId::new(BEFORE), LIVE)],
            bad: BTreeSet::new(),
            rollbacks_at: Vec::new(),
            intents: 0,
            intents_of: BTreeMap::new(),
            passed: passed.chain([gate]).collect(),
            made: BTreeSet::new(),
            before: Vec::new(),
            fleet: Fleet::default(),
            times: Vec::new(),
        },
        controls,
        mode: plan.mode,
        limits: plan.limits.clone(),
        paused_until: None,
        frozen: None,
    }
}

/// That the deployment is live.
pub(super) fn heard() -> Heard {
    Heard {
        event: HeardEvent::Live,
        deployment: OWN.into(),
        project: None,
        app: None,
        environment: None,
        commit: Commit::default(),
        url: None,
        triggered_by: None,
    }
}

/// What stands in a state's place while the machine holds it.
pub(super) fn empty() -> RunState {
    RunState::new("".into(), "".into(), heard(), 0, LIVE)
}

pub(super) fn deployment(id: &str, current: bool) -> Deployment {
    let place = AppPlace {
        key: AppKey {
            platform: "lab".into(),
            project: "1".into(),
            environment: "1".into(),
        },
        app: "app".to_owned(),
        environment: "production".to_owned(),
    };
    Deployment {
        state_word: "live".to_owned(),
        current,
        created_at: Some(LIVE),
        ..Deployment::live(id, place)
    }
}
