//! The machine against a small world: a platform, an app that answers as told, and a clock that moves to the next
//! thing that is due.

mod act;
mod approve;
mod gaps;
mod guards;
mod judging;
mod live;
mod properties;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    AppKey, AppPlace, Before, CallAnswer, Class, Commit, Deployment, DeploymentId, DeploymentState, Fleet, FleetBrake,
    Heard, HeardEvent, Identity, Mode, Observation, OutcomeEvent, Reason, RunId, Severity, Standing, TimesBefore,
    Timestamp, Timing, Verdict,
};

const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);

fn key() -> AppKey {
    AppKey {
        platform: "temps".into(),
        project: "7".into(),
        environment: "3".into(),
    }
}

fn deployment(id: &str, sha: &str, current: bool) -> Deployment {
    let place = AppPlace {
        key: key(),
        app: "shop".to_owned(),
        environment: "production".to_owned(),
    };
    Deployment {
        state_word: "completed".to_owned(),
        current,
        commit: Commit {
            sha: Some(sha.to_owned()),
            ..Commit::default()
        },
        url: Some("https://shop.example".to_owned()),
        created_at: Some(START.minus(std::time::Duration::from_secs(3600))),
        ..Deployment::live(id, place)
    }
}

fn plan(checks: &[(&str, Severity)]) -> Plan {
    Plan {
        mode: Mode::AutoRollback,
        checks: checks
            .iter()
            .map(|(name, severity)| CheckPlan {
                name: (*name).into(),
                severity: *severity,
                repeatable: true,
                needs: Vec::new(),
                elsewhere: false,
                time_bounds: Vec::new(),
                form: format!("form of {name}"),
            })
            .collect(),
        gate_form: "form of the gate".to_owned(),
        limits: limits(),
        ..Plan::unconfirmed()
    }
}

fn limits() -> Limits {
    Limits {
        per_hour_max: 2,
        cooldown_ms: 600_000,
        act_within_ms: 1_800_000,
        irreversible: vec!["[no-rollback]".to_owned()],
        fleet_brake: Some(FleetBrake {
            share_percent: 30,
            window_ms: 300_000,
        }),
    }
}

fn seen(class: Class) -> Observation {
    let (reason, status, detail) = match class {
        Class::Pass => (Reason::Ok, Some(200), "GET / answered 200"),
        Class::Slow => (Reason::Time, Some(200), "GET / took 3 s, expected 2 s"),
        Class::Unready => (Reason::Refused, None, "GET /: connection refused"),
        Class::Broken => (Reason::Status, Some(500), "GET / answered 500, expected 2xx"),
        Class::Unknown => (Reason::Throttled, Some(429), "GET / answered 429"),
    };
    Observation {
        class,
        reason,
        identity: Identity::Unknown,
        app_made: class == Class::Broken,
        warned: false,
        latency_ms: 20,
        timing: Timing::default(),
        http_version: None,
        status,
        address: None,
        detail: detail.to_owned(),
        body: None,
    }
}

/// What the app answers, by seconds since it went live.
type Answers = Box<dyn Fn(f64, Place) -> Class>;

type Change = fn(&mut World);

/// A platform and an app around one run.
struct World {
    plan: Plan,
    state: RunState,
    now: Timestamp,
    answers: Answers,
    restored_answers: Answers,
    /// How long answers take, in turn.
    times_ms: &'static [u32],
    answered: usize,
    last_good_answers: &'static [Class],
    asked_last_good: usize,
    facts: Facts,
    call_answers: Vec<CallAnswer>,
    call_has_effect: bool,
    platform_up: bool,
    /// So often the platform does not say what the deployment is.
    unnamed: usize,
    crash_at_call: bool,
    calls: Vec<DeploymentId>,
    told: Vec<(OutcomeEvent, bool)>,
    records: Vec<Record>,
    story: Vec<String>,
}

impl World {
    fn new(plan: Plan, answers: impl Fn(f64, Place) -> Class + 'static) -> Self {
        let heard = Heard {
            event: HeardEvent::Live,
            deployment: "42".into(),
            project: Some("7".into()),
            app: None,
            environment: None,
            commit: Commit::default(),
            url: None,
            triggered_by: None,
        };
        let passed = plan.checks.iter().map(|c| (c.name.clone(), c.form.clone()));
        let passed = passed.chain([("warm-up".into(), plan.gate_form.clone())]).collect();
        let deployments = vec![
            deployment("42", "bad0000", true),
            deployment("41", "good111", false),
            deployment("40", "good000", false),
        ];
        let facts = Facts {
            standing: Standing {
                current: Some("42".into()),
                deployments,
            },
            known: Known {
                good: vec![("41".into(), START), ("40".into(), START)],
                passed,
                ..Known::default()
            },
            controls: Controls::Up,
            mode: plan.mode,
            limits: plan.limits.clone(),
            paused_until: None,
            frozen: None,
        };
        Self {
            plan,
            state: RunState::new(RunId::new("run_1"), "temps".into(), heard, 7, START),
            now: START,
            answers: Box::new(answers),
            restored_answers: Box::new(|_, _| Class::Pass),
            times_ms: &[20],
            answered: 0,
            last_good_answers: &[Class::Pass],
            asked_last_good: 0,
            facts,
            call_answers: vec![CallAnswer::Accepted { made: None }],
            call_has_effect: true,
            unnamed: 0,
            platform_up: true,
            crash_at_call: false,
            calls: Vec::new(),
            told: Vec::new(),
            records: Vec::new(),
            story: Vec::new(),
        }
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let advance = advance(&self.plan, self.state.clone(), event, self.now);
        // Whatever is due was asked for; a moment that has passed would wake the run again and again.
        assert!(
            advance.wake_at.is_none_or(|(at, _)| at > self.now),
            "{:?}",
            advance.wake_at
        );
        self.state = advance.state;
        self.told.extend(advance.outcomes.iter().map(|o| (o.event, o.page)));
        self.records.extend(advance.records);
        self.story.extend(
            advance
                .journal
                .into_iter()
                .filter(|e| e.kind != EntryKind::Probe)
                .map(|e| e.text),
        );
        advance.effects
    }

    /// Runs until the run ends; fails if it takes more than three simulated hours.
    fn run(&mut self) -> &mut Self {
        let mut todo = self.step(Event::Began);
        while self.state.phase != Phase::Done {
            assert!(
                self.now.ms_since(START) < 3 * 3_600_000,
                "the run does not end: {:#?}",
                self.story
            );
            if todo.is_empty() {
                let wake_at = self
                    .state
                    .wake_at
                    .unwrap_or_else(|| panic!("nothing to wake for: {:#?}", self.state));
                self.now = self.now.max(wake_at);
                todo = self.step(Event::Woke);
                if todo.is_empty() {
                    self.now = self.now.plus_ms(1);
                }
                continue;
            }
            let effect = todo.remove(0);
            let event = self.perform(effect);
            self.now = self.now.plus_ms(20);
            todo.extend(self.step(event));
        }
        self
    }

    /// Goes on with `todo` until the run ends.
    fn finish(&mut self, todo: Vec<Effect>) {
        self.go_on(todo, |world| world.state.phase == Phase::Done);
    }

    fn run_until(&mut self, is_over: impl Fn(&Self) -> bool) {
        let todo = self.step(Event::Began);
        self.go_on(todo, is_over);
    }

    fn go_on(&mut self, mut todo: Vec<Effect>, is_over: impl Fn(&Self) -> bool) {
        while !is_over(self) {
            let event = match todo.pop() {
                Some(effect) => self.perform(effect),
                None => {
                    self.now = self.state.wake_at.unwrap_or(self.now).max(self.now.plus_ms(1));
                    Event::Woke
                }
            };
            todo.extend(self.step(event));
            self.now = self.now.plus_ms(5);
        }
    }

    /// Like [`World::run`], but answers arrive only every four seconds, and then all at once: observations in one order
    /// or the other, then what else was asked.
    fn run_in_moments(&mut self, last_first: bool) {
        let mut asked = self.step(Event::Began);
        let mut moment = START;
        while self.state.phase != Phase::Done {
            moment = moment.plus_ms(4_000);
            while let Some(wake_at) = self.state.wake_at.filter(|at| *at < moment) {
                self.now = self.now.max(wake_at);
                asked.extend(self.step(Event::Woke));
            }
            self.now = moment;
            let arrived = asked.drain(..).map(|effect| self.perform(effect));
            let (mut seen, others): (Vec<Event>, Vec<Event>) =
                arrived.partition(|event| matches!(event, Event::Probed { .. }));
            if last_first {
                seen.reverse();
            }
            for event in seen.into_iter().chain(others) {
                asked.extend(self.step(event));
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Event {
        match effect {
            Effect::Identify { seq } if self.unnamed > 0 => {
                self.unnamed -= 1;
                Event::Identified {
                    seq,
                    answer: Err("503".to_owned()),
                }
            }
            Effect::Identify { seq } => {
                let own = self.facts.standing.find(&"42".into()).cloned();
                Event::Identified {
                    seq,
                    answer: own.map(Box::new).ok_or_else(|| "gone".to_owned()),
                }
            }
            Effect::Probe {
                seq,
                place,
                subject: Subject::LastGood,
            } => {
                let class = self.last_good_answers[self.asked_last_good % self.last_good_answers.len()];
                self.asked_last_good += 1;
                Event::Probed {
                    seq,
                    place,
                    seen: Box::new(seen(class)),
                }
            }
            Effect::Probe { seq, place, subject } => {
                let age_s = self.now.ms_since(START) as f64 / 1_000.0;
                let answers = if subject == Subject::Restored {
                    &self.restored_answers
                } else {
                    &self.answers
                };
                self.answered += 1;
                let seen = Observation {
                    latency_ms: self.times_ms[self.answered % self.times_ms.len()],
                    ..seen(answers(age_s, place))
                };
                let seen = Box::new(seen);
                Event::Probed { seq, place, seen }
            }
            Effect::Look { seq, .. } if !self.platform_up => Event::Looked {
                seq,
                answer: Err("no route".to_owned()),
            },
            Effect::Look { seq, .. } => Event::Looked {
                seq,
                answer: Ok(Box::new(self.facts.clone())),
            },
            Effect::RollBack { seq, target, .. } => self.roll_back(seq, target),
        }
    }

    fn roll_back(&mut self, seq: u32, target: DeploymentId) -> Event {
        self.calls.push(target.clone());
        let answer = if self.call_answers.len() > 1 {
            self.call_answers.remove(0)
        } else {
            self.call_answers[0].clone()
        };
        if self.call_has_effect && !matches!(answer, CallAnswer::Refused { .. } | CallAnswer::NotSent { .. }) {
            self.make_current(&target);
        }
        if self.crash_at_call {
            Event::Resumed { hold_ms: 0 }
        } else {
            Event::Called { seq, answer }
        }
    }

    fn make_current(&mut self, id: &DeploymentId) {
        self.facts.standing.current = Some(id.clone());
        for deployment in &mut self.facts.standing.deployments {
            deployment.current = &deployment.id == id;
        }
    }

    fn told(&self) -> Vec<&'static str> {
        self.told.iter().map(|(event, _)| event.as_str()).collect()
    }

    fn took_s(&self) -> u64 {
        self.now.ms_since(START) / 1_000
    }

    fn last_reason(&self) -> &str {
        self.state.reason.as_deref().unwrap_or("")
    }
}

fn one_check() -> Plan {
    plan(&[("home", Severity::Critical)])
}

fn ready_after(seconds: f64) -> impl Fn(f64, Place) -> Class {
    move |age, _| if age < seconds { Class::Unready } else { Class::Pass }
}
