//! The machine against a small world: a platform, an app that answers as told, and a clock that moves to the next
//! thing that is due.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    AppKey, Before, CallAnswer, Class, Commit, Deployment, DeploymentId, DeploymentState, Fleet, FleetBrake, Heard,
    HeardEvent, Identity, Mode, Observation, OutcomeEvent, Reason, RunId, Severity, Standing, TimesBefore, Timestamp,
    Timing, Verdict,
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
    Deployment {
        key: key(),
        id: id.into(),
        app: "shop".to_owned(),
        environment: "production".to_owned(),
        preview: false,
        state: DeploymentState::Good,
        state_word: "completed".to_owned(),
        current,
        rollback: false,
        rolled_back_from: None,
        commit: Commit {
            sha: Some(sha.to_owned()),
            ..Commit::default()
        },
        url: Some("https://shop.example".to_owned()),
        own_url: None,
        created_at: Some(START.minus(std::time::Duration::from_secs(3600))),
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

#[test]
fn a_good_deployment_is_known_good_after_its_watch() {
    let mut world = World::new(one_check(), ready_after(0.0));
    world.run();
    assert_eq!(world.told(), ["smoke_test.started", "smoke_test.passed"]);
    assert_eq!(world.state.verdict, Some(Verdict::Healthy));
    assert!(
        world
            .records
            .iter()
            .any(|r| matches!(r, Record::KnownGood { deployment, .. } if deployment.as_str() == "42"))
    );
    assert!(world.took_s() >= 300, "the watch lasts: {} s", world.took_s());
}

#[test]
fn a_cold_start_is_not_rolled_back() {
    for seconds in [1.0, 20.0, 90.0, 240.0] {
        let mut world = World::new(one_check(), ready_after(seconds));
        world.run();
        assert_eq!(
            world.told(),
            ["smoke_test.started", "smoke_test.passed"],
            "cold for {seconds} s"
        );
    }
}

#[test]
fn always_500_is_rolled_back_and_verified_in_half_a_minute() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.run();
    let told = [
        "smoke_test.started",
        "smoke_test.failed",
        "rollback.started",
        "rollback.succeeded",
    ];
    assert_eq!(world.told(), told);
    assert_eq!(world.calls, [DeploymentId::new("41")]);
    assert!(world.took_s() < 60, "{} s with verification", world.took_s());
    assert!(
        world
            .state
            .rollback
            .as_ref()
            .is_some_and(|r| r.verified && r.confirmed_at.is_some())
    );
}

#[test]
fn dead_is_not_ready_when_the_warm_up_ends() {
    let mut world = World::new(one_check(), |_, _| Class::Unready);
    world.run();
    assert_eq!(world.calls.len(), 1);
    assert!((300..400).contains(&world.took_s()), "{} s", world.took_s());
}

/// A short, learned warm-up is not over because the platform could not be asked for longer than that.
#[test]
fn while_the_platform_does_not_say_what_it_is_the_warm_up_stands_still() {
    let short = Plan {
        warm_up_ms: 20_000,
        ..one_check()
    };
    let mut world = World::new(short, |_, _| Class::Unready);
    world.unnamed = 12;
    world.run();
    assert_eq!(world.calls.len(), 1, "{:?}", world.told());
}

#[test]
fn dying_after_the_pass_is_seen_in_the_watch() {
    let mut world = World::new(
        one_check(),
        |age, _| if age < 60.0 { Class::Pass } else { Class::Broken },
    );
    world.run();
    let told = [
        "smoke_test.started",
        "smoke_test.passed",
        "smoke_test.failed",
        "rollback.started",
        "rollback.succeeded",
    ];
    assert_eq!(world.told(), told);
}

#[test]
fn failing_for_a_minute_undecided_is_told_once() {
    let failing = |age: f64| age > 4.0 && age % 10.0 < 4.0;
    let mut world = World::new(
        one_check(),
        move |age, _| if failing(age) { Class::Broken } else { Class::Pass },
    );
    world.run();
    let told = [
        "smoke_test.started",
        "smoke_test.suspect",
        "smoke_test.failed",
        "rollback.started",
        "rollback.succeeded",
    ];
    assert_eq!(world.told(), told);
}

#[test]
fn half_wrong_answers_are_enough() {
    let flips = std::cell::Cell::new(0_u64);
    let mut world = World::new(one_check(), move |age, _| {
        flips.set(flips.get() + 1);
        if age > 1.0 && (flips.get() * 2_654_435_761) % 1_000 < 500 {
            Class::Broken
        } else {
            Class::Pass
        }
    });
    world.run();
    assert_eq!(world.calls.len(), 1, "{:#?}", world.story);
}

#[test]
fn one_burst_of_ten_seconds_is_survived() {
    let mut world = World::new(one_check(), |age, _| {
        if (30.0..40.0).contains(&age) {
            Class::Broken
        } else {
            Class::Pass
        }
    });
    world.run();
    assert_eq!(world.told(), ["smoke_test.started", "smoke_test.passed"]);
}

#[test]
fn unknown_answers_never_lead_to_a_rollback() {
    let mut world = World::new(one_check(), |_, _| Class::Unknown);
    world.run();
    assert_eq!(world.told(), ["smoke_test.started", "smoke_test.inconclusive"]);
    assert!(world.calls.is_empty());
}

#[test]
fn the_old_version_still_answering_is_inconclusive() {
    let mut world = World::new(one_check(), |_, _| Class::Unready);
    let old = Observation {
        reason: Reason::OldVersion,
        identity: Identity::Contradicted,
        ..seen(Class::Unready)
    };
    let mut todo = world.step(Event::Began);
    while world.state.phase != Phase::Done {
        let event = match todo.pop() {
            Some(Effect::Probe { seq, place, .. }) => Event::Probed {
                seq,
                place,
                seen: Box::new(old.clone()),
            },
            Some(effect) => world.perform(effect),
            None => {
                world.now = world.state.wake_at.unwrap_or(world.now).max(world.now.plus_ms(1));
                Event::Woke
            }
        };
        todo.extend(world.step(event));
    }
    assert_eq!(world.state.verdict, Some(Verdict::Inconclusive));
    assert!(world.calls.is_empty());
}

#[test]
fn no_checks_is_inconclusive_and_never_green() {
    let mut world = World::new(plan(&[]), ready_after(0.0));
    world.run();
    assert_eq!(world.told(), ["smoke_test.inconclusive"]);
}

#[test]
fn a_check_of_lower_severity_only_degrades() {
    for severity in [Severity::Degraded, Severity::Dependency] {
        let plan = plan(&[("home", Severity::Critical), ("search", severity)]);
        let mut world = World::new(plan, |_, place| {
            if place == Place::Check(1) {
                Class::Broken
            } else {
                Class::Pass
            }
        });
        world.run();
        assert_eq!(world.told(), ["smoke_test.started", "smoke_test.degraded"]);
        assert!(world.calls.is_empty());
    }
}

#[test]
fn a_post_that_may_not_be_repeated_is_sent_once_and_only_degrades() {
    let mut plan = plan(&[("home", Severity::Critical), ("order", Severity::Critical)]);
    plan.checks[1].repeatable = false;
    let mut world = World::new(plan, |_, place| {
        if place == Place::Check(1) {
            Class::Broken
        } else {
            Class::Pass
        }
    });
    world.run();
    let sent = world.state.judge.as_ref().map(|judge| judge.checks[1].probes);
    assert_eq!(
        (sent, world.told()),
        (Some(1), vec!["smoke_test.started", "smoke_test.degraded"])
    );
}

/// Each guard withholds, with its reason, and the platform is never called.
#[test]
fn guards_withhold() {
    let table: &[(&str, Change)] = &[
        ("alert-only", |w| w.facts.mode = Mode::AlertOnly),
        ("alert-only", |w| w.plan.mode = Mode::AlertOnly),
        ("paused this app", |w| {
            w.facts.paused_until = Some(START.plus_ms(9_000_000))
        }),
        ("freeze", |w| {
            w.facts.frozen = Some("Sat 00:00-Mon 06:00 Europe/Berlin".to_owned())
        }),
        ("itself a rollback", |w| w.facts.standing.deployments[0].rollback = true),
        ("has ever passed", |w| w.facts.known.passed = BTreeSet::new()),
        ("has ever passed", |w| w.plan.checks[0].form = "changed".to_owned()),
        ("no known-good version", |w| w.facts.known.good.clear()),
        ("no known-good version is left", |w| {
            w.facts.standing.deployments.truncate(1)
        }),
        ("no known-good version is left", |w| {
            w.facts.known.bad.extend(["41".into(), "40".into()])
        }),
        ("no known-good version is left", |w| {
            for d in &mut w.facts.standing.deployments {
                d.commit.sha = Some("bad0000".to_owned());
            }
        }),
        ("older than 30 days", |w| {
            for d in &mut w.facts.standing.deployments[1..] {
                d.created_at = Some(Timestamp::from_millis(0));
            }
        }),
        ("`[no-rollback]`", |w| {
            w.facts.standing.deployments[0].commit.message = Some("x [no-rollback]".to_owned())
        }),
        ("limit", |w| {
            w.facts.known.rollbacks_at = vec![START.minus(std::time::Duration::from_secs(1_800)); 2]
        }),
        ("cooldown", |w| {
            w.facts.known.rollbacks_at = vec![START.minus(std::time::Duration::from_secs(60))]
        }),
        ("act_within", |w| w.facts.limits.act_within_ms = 1_000),
        ("under way", |w| {
            let newer = Deployment {
                state: DeploymentState::UnderWay,
                created_at: Some(START),
                ..deployment("43", "c", false)
            };
            w.facts.standing.deployments.insert(0, newer);
        }),
    ];
    for (expected, change) in table {
        let mut world = World::new(plan(&[("home", Severity::Critical)]), |_, place| match place {
            Place::Gate => Class::Pass,
            Place::Check(_) => Class::Broken,
        });
        change(&mut world);
        world.run();
        assert!(world.calls.is_empty(), "{expected}: the platform was called");
        assert_eq!(world.told().last(), Some(&"rollback.withheld"), "{expected}");
        assert!(
            world.last_reason().contains(expected),
            "expected {expected:?} in {:?}",
            world.last_reason()
        );
    }
}

type Change = fn(&mut World);

fn before(failed: u32, reason: Reason) -> Before {
    Before {
        check: "home".into(),
        form: "form of home".to_owned(),
        probes: 3,
        failed,
        reason: Some(reason),
        at: START.minus(std::time::Duration::from_secs(60)),
    }
}

/// What speaks against blaming the deployment withholds; what only looks like it does not.
#[test]
fn attribution_comes_before_action() {
    let table: &[(&str, Change)] = &[
        ("version before", |w| {
            w.facts.known.before = vec![before(3, Reason::Status)]
        }),
        ("", |w| w.facts.known.before = vec![before(2, Reason::Status)]),
        ("", |w| w.facts.known.before = vec![before(3, Reason::Refused)]),
        ("", |w| {
            let long_ago = START.minus(std::time::Duration::from_secs(3 * 3_600));
            w.facts.known.before = vec![Before {
                at: long_ago,
                ..before(3, Reason::Status)
            }];
        }),
        ("", |w| {
            let otherwise = "another form".to_owned();
            w.facts.known.before = vec![Before {
                form: otherwise,
                ..before(3, Reason::Status)
            }];
        }),
    ];
    withheld_where_expected(table);
}

#[test]
fn many_apps_that_fail_together_are_nobodys_deployment() {
    let table: &[(&str, Change)] = &[
        ("3 of 8 apps fail together", |w| {
            w.facts.known.fleet = Fleet {
                enrolled: 8,
                failing_at: vec![START, START.plus_ms(9_000)],
            };
        }),
        ("", |w| {
            w.facts.known.fleet = Fleet {
                enrolled: 40,
                failing_at: vec![START; 4],
            }
        }),
        ("", |w| {
            w.facts.known.fleet = Fleet {
                enrolled: 3,
                failing_at: vec![START],
            }
        }),
        ("", |w| {
            let long_ago = START.minus(std::time::Duration::from_secs(600));
            w.facts.known.fleet = Fleet {
                enrolled: 8,
                failing_at: vec![long_ago; 7],
            };
        }),
        ("", |w| {
            w.plan.limits.fleet_brake = None;
            w.facts.limits.fleet_brake = None;
            w.facts.known.fleet = Fleet {
                enrolled: 3,
                failing_at: vec![START; 2],
            };
        }),
    ];
    withheld_where_expected(table);
}

/// A run that would be rolled back but for the change; an empty text expects that it is.
fn withheld_where_expected(table: &[(&str, Change)]) {
    for (number, (expected, change)) in table.iter().enumerate() {
        let mut world = World::new(one_check(), |_, place| match place {
            Place::Gate => Class::Pass,
            Place::Check(_) => Class::Broken,
        });
        change(&mut world);
        world.run();
        assert_eq!(
            world.calls.is_empty(),
            !expected.is_empty(),
            "row {number}: {}",
            world.last_reason()
        );
        assert!(
            world.last_reason().contains(expected),
            "row {number}: {}",
            world.last_reason()
        );
    }
}

/// A dependency that fails argues against the deployment's blame, but not where everything fails: its check goes
/// through the app.
#[test]
fn a_failing_dependency_withholds_as_long_as_something_else_of_the_app_stands() {
    let severities = [
        ("home", Severity::Critical),
        ("orders", Severity::Critical),
        ("search", Severity::Dependency),
    ];
    let fails = |failing: &'static [usize]| {
        move |age: f64, place: Place| match place {
            Place::Check(index) if age > 20.0 && failing.contains(&index) => Class::Broken,
            Place::Gate | Place::Check(_) => Class::Pass,
        }
    };
    let table: &[(&'static [usize], bool, bool)] = &[
        // Failing, asked elsewhere, rolled back.
        (&[1, 2], false, false),
        (&[0, 1, 2], false, true),
        (&[0, 1, 2], true, false),
        (&[1], false, true),
        (&[0, 1], true, true),
    ];
    for (failing, elsewhere, rolled_back) in table {
        let mut plan = plan(&severities);
        plan.checks[2].elsewhere = *elsewhere;
        let mut world = World::new(plan, fails(failing));
        world.run();
        assert_eq!(
            !world.calls.is_empty(),
            *rolled_back,
            "{failing:?}: {}",
            world.last_reason()
        );
        assert!(
            *rolled_back || world.last_reason().contains("`search`, which the app depends on"),
            "{}",
            world.last_reason()
        );
    }
}

/// The last-good version is asked where it answers by itself. Only the same failure, made by the app and again and
/// again, withholds.
#[test]
fn the_last_good_version_is_compared_where_it_can_be_reached() {
    let table: &[(Option<&str>, &'static [Class], bool)] = &[
        (Some("https://41.shop.example"), &[Class::Broken], false),
        (Some("https://41.shop.example"), &[Class::Pass], true),
        (
            Some("https://41.shop.example"),
            &[Class::Broken, Class::Broken, Class::Pass],
            true,
        ),
        // It is not routed, or it cannot be told: no evidence.
        (Some("https://41.shop.example"), &[Class::Unready], true),
        (Some("https://41.shop.example"), &[Class::Unknown], true),
        // Its address is the one where the new version answers.
        (Some("https://shop.example"), &[Class::Broken], true),
        (None, &[Class::Broken], true),
    ];
    for (number, (own_url, answers, rolled_back)) in table.iter().enumerate() {
        let mut world = World::new(
            one_check(),
            |age, _| if age < 20.0 { Class::Pass } else { Class::Broken },
        );
        world.facts.standing.deployments[1].own_url = own_url.map(str::to_owned);
        world.last_good_answers = answers;
        world.run();
        assert_eq!(
            !world.calls.is_empty(),
            *rolled_back,
            "row {number}: {:#?}",
            world.story
        );
        assert!(
            *rolled_back || world.last_reason().contains("fails `home` in the same way"),
            "{}",
            world.last_reason()
        );
    }
}

#[test]
fn a_restart_while_the_last_good_version_is_compared_asks_again() {
    let mut world = World::new(
        one_check(),
        |age, _| if age < 20.0 { Class::Pass } else { Class::Broken },
    );
    world.facts.standing.deployments[1].own_url = Some("https://41.shop.example".to_owned());
    let mut todo = world.step(Event::Began);
    let mut restarted = false;
    while world.state.phase != Phase::Done {
        let event = match todo.pop() {
            Some(Effect::Probe {
                subject: Subject::LastGood,
                ..
            }) if !restarted => {
                restarted = true;
                todo.clear();
                Event::Resumed { hold_ms: 0 }
            }
            Some(effect) => world.perform(effect),
            None => {
                world.now = world.state.wake_at.unwrap_or(world.now).max(world.now.plus_ms(1));
                Event::Woke
            }
        };
        todo.extend(world.step(event));
        world.now = world.now.plus_ms(5);
    }
    assert!(restarted && world.calls.len() == 1, "{:#?}", world.story);
}

#[test]
fn a_newer_deployment_stuck_for_long_is_no_reason_to_wait() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    let stuck = Deployment {
        state: DeploymentState::UnderWay,
        ..deployment("43", "c", false)
    };
    world.facts.standing.deployments.insert(0, stuck);
    world.run();
    assert_eq!(world.calls.len(), 1);
}

#[test]
fn controls_down_makes_it_inconclusive() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.facts.controls = Controls::Down;
    world.run();
    assert_eq!(world.told().last(), Some(&"smoke_test.inconclusive"));
    assert!(world.calls.is_empty());
}

/// A run that waits for an approval: everything that is due until then has been done.
fn awaiting() -> World {
    let plan = Plan {
        mode: Mode::Approve,
        ..one_check()
    };
    let mut world = World::new(plan, |age, _| if age < 20.0 { Class::Pass } else { Class::Broken });
    world.run_until(|world| world.state.phase == Phase::Awaiting);
    world
}

#[test]
fn a_rollback_waits_for_a_person_and_is_made_once_approved() {
    let mut world = awaiting();
    assert_eq!(world.told.last(), Some(&(OutcomeEvent::ApprovalRequested, true)));
    assert!(world.calls.is_empty());
    let asked = world.step(Event::Approved);
    world.finish(asked);
    assert_eq!(world.calls, [DeploymentId::new("41")]);
    assert_eq!(world.told().last(), Some(&"rollback.succeeded"));
}

#[test]
fn an_approval_that_nobody_gives_runs_out_and_cannot_be_given_then() {
    let mut world = awaiting();
    world.finish(Vec::new());
    assert!(world.calls.is_empty());
    assert!(
        world.last_reason().contains("nobody approved it in time"),
        "{}",
        world.last_reason()
    );
    assert!(
        world.now.ms_since(START) <= 1_800_000 + 10_000,
        "as long as acting is allowed"
    );
    assert!(world.step(Event::Approved).is_empty());
}

#[test]
fn an_approval_is_for_one_target_and_the_guards_are_asked_again() {
    let table: &[(&str, Change)] = &[
        ("is no target any more", |w| {
            w.facts.standing.deployments.retain(|d| d.id.as_str() != "41")
        }),
        ("is current", |w| w.make_current(&"41".into())),
        ("paused", |w| w.facts.paused_until = Some(START.plus_ms(9_000_000))),
        ("alert-only", |w| w.facts.mode = Mode::AlertOnly),
    ];
    for (expected, change) in table {
        let mut world = awaiting();
        change(&mut world);
        let asked = world.step(Event::Approved);
        world.finish(asked);
        assert!(
            world.calls.is_empty() && world.last_reason().contains(expected),
            "{}",
            world.last_reason()
        );
    }
}

#[test]
fn health_that_comes_back_ends_the_wait_for_an_approval() {
    let mut world = awaiting();
    world.answers = Box::new(|_, _| Class::Pass);
    world.finish(Vec::new());
    assert!(
        world.calls.is_empty() && world.last_reason().contains("health came back"),
        "{}",
        world.last_reason()
    );
}

#[test]
fn an_order_rolls_back_whatever_was_concluded_and_no_guard_of_ours_but_harm_stands_against_it() {
    // Ended as withheld, in alert-only mode.
    let plan = Plan {
        mode: Mode::AlertOnly,
        ..one_check()
    };
    let mut world = World::new(plan, |_, _| Class::Broken);
    world.run();
    assert!(world.calls.is_empty() && world.state.phase == Phase::Done);
    let asked = world.step(Event::Ordered);
    world.finish(asked);
    assert_eq!(world.calls, [DeploymentId::new("41")]);
    assert_eq!(world.told().last(), Some(&"rollback.succeeded"));
    assert!(world.step(Event::Ordered).is_empty(), "once");

    // Healthy and watched; but nothing to go back to.
    let mut world = World::new(one_check(), ready_after(0.0));
    world.facts.known.good.clear();
    world.run();
    let asked = world.step(Event::Ordered);
    world.finish(asked);
    assert!(
        world.calls.is_empty() && world.last_reason().contains("no known-good version"),
        "{}",
        world.last_reason()
    );
}

#[test]
fn a_drill_comes_as_far_as_the_call_and_leaves_nothing_behind() {
    for (mode, good, action) in [
        (Mode::AlertOnly, true, DRILLED),
        (Mode::AutoRollback, true, DRILLED),
        (Mode::AutoRollback, false, DRILL_WITHHELD),
    ] {
        let mut drill = Plan { mode, ..one_check() };
        drill.checks[0].form = "never passed".to_owned();
        let mut world = World::new(drill, |age, _| if age < 1.0 { Class::Pass } else { Class::Broken });
        world.state.drill = true;
        world.state.began = Began::ByHand;
        world.facts.known.passed.clear();
        if !good {
            world.facts.known.good.clear();
        }
        world.run();
        assert_eq!(world.state.action.as_deref(), Some(action), "{}", world.last_reason());
        assert!(
            world.calls.is_empty() && world.records.is_empty(),
            "{:?}",
            world.records
        );
        assert_eq!(
            world.told.last(),
            Some(&(OutcomeEvent::RollbackWithheld, false)),
            "it tells, and wakes nobody"
        );
        assert_eq!(world.state.verdict, None);
    }
}

#[test]
fn one_that_no_delivery_told_of_says_so_once_and_is_judged() {
    let mut world = World::new(one_check(), |_, _| Class::Pass);
    world.state.began = Began::Missed;
    world.run();
    let missed = world
        .told
        .iter()
        .filter(|(event, _)| *event == OutcomeEvent::DeliveryMissed);
    assert_eq!(missed.count(), 1, "{:?}", world.told);
    assert_eq!(world.told.first(), Some(&(OutcomeEvent::DeliveryMissed, false)));
    assert_eq!(world.state.verdict, Some(Verdict::Healthy));
}

#[test]
fn a_run_by_hand_teaches_no_warm_up_and_counts_from_when_the_deployment_was_made() {
    let mut world = World::new(
        one_check(),
        |age, _| if age < 20.0 { Class::Pass } else { Class::Broken },
    );
    world.state.began = Began::ByHand;
    world.run();
    let is_warm_up = |record: &Record| matches!(record, Record::WarmUp { .. });
    assert!(!world.records.iter().any(is_warm_up));
    assert!(world.last_reason().contains("act_within"), "{}", world.last_reason());
}

/// One that answers well; two times of three it takes 900 ms.
fn mostly_slow(mut plan: Plan, bound: Option<TimeBound>) -> World {
    plan.checks[0].time_bounds = bound.into_iter().collect();
    let mut world = World::new(plan, ready_after(0.0));
    world.times_ms = &[50, 900, 900];
    world
}

#[test]
fn a_percentile_that_is_exceeded_for_sure_fails_or_degrades() {
    let bound = |is_warning| TimeBound {
        percent: 95,
        ms: 400,
        is_warning,
    };
    let mut world = mostly_slow(one_check(), Some(bound(false)));
    world.run();
    assert_eq!(world.calls.len(), 1);
    assert!(
        world.last_reason().contains("`home` is too slow") && world.last_reason().contains("p95"),
        "{}",
        world.last_reason()
    );
    let mut world = mostly_slow(one_check(), Some(bound(true)));
    world.run();
    assert_eq!(
        (world.told(), world.calls.len()),
        (vec!["smoke_test.started", "smoke_test.degraded"], 0)
    );
    let mut world = mostly_slow(
        plan(&[("home", Severity::Degraded), ("orders", Severity::Critical)]),
        Some(bound(false)),
    );
    world.run();
    assert_eq!(
        (world.told(), world.calls.len()),
        (vec!["smoke_test.started", "smoke_test.degraded"], 0)
    );
}

#[test]
fn slower_than_earlier_deployments_degrades_and_is_remembered() {
    let mut world = mostly_slow(one_check(), None);
    world.times_ms = &[300, 320, 340];
    let before = |form: &str| TimesBefore {
        check: "home".into(),
        form: form.to_owned(),
        times_ms: (0..100).map(|k| 50 + k % 20).collect(),
    };
    world.facts.known.times = vec![before("form of home")];
    world.run();
    assert_eq!(world.told(), ["smoke_test.started", "smoke_test.degraded"]);
    assert!(
        world.last_reason().contains("slower than in earlier deployments"),
        "{}",
        world.last_reason()
    );
    let remembered = world
        .records
        .iter()
        .any(|record| matches!(record, Record::Times { times, .. } if times.times_ms.len() > 12));
    assert!(remembered);
    // A check that asks something else now cannot be compared.
    let mut world = mostly_slow(one_check(), None);
    world.times_ms = &[300];
    world.facts.known.times = vec![before("another form")];
    world.run();
    assert_eq!(world.told(), ["smoke_test.started", "smoke_test.passed"]);
}

#[test]
fn what_is_not_current_is_left_alone() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.make_current(&"41".into());
    world.run();
    assert!(world.told().is_empty() && world.calls.is_empty());
    assert_eq!(world.state.action.as_deref(), Some(DISMISSED));
}

#[test]
fn a_secret_opens_only_its_app() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.state.opened_app = Some("other".to_owned());
    world.run();
    assert!(world.told().is_empty() && world.calls.is_empty());
    assert!(world.state.action.as_deref() == Some(DISMISSED) && world.last_reason().contains("does not open"));
}

#[test]
fn what_is_superseded_while_failing_is_left_alone() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    let mut todo = world.step(Event::Began);
    while let Some(effect) = todo.pop() {
        if matches!(effect, Effect::Look { .. }) && world.state.phase == Phase::Guarding {
            world.make_current(&"41".into());
        }
        let event = world.perform(effect);
        todo.extend(world.step(event));
        if todo.is_empty() && world.state.phase != Phase::Done {
            world.now = world.state.wake_at.unwrap_or(world.now).max(world.now.plus_ms(1));
            todo = world.step(Event::Woke);
        }
    }
    assert_eq!(world.told().last(), Some(&"run.superseded"));
    assert!(world.calls.is_empty());
}

#[test]
fn a_refused_target_falls_back_to_the_next_older_one() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.call_answers = vec![
        CallAnswer::Refused {
            reason: "image gone".to_owned(),
        },
        CallAnswer::Accepted { made: None },
    ];
    world.run();
    assert_eq!(world.calls, [DeploymentId::new("41"), DeploymentId::new("40")]);
    assert_eq!(world.told().last(), Some(&"rollback.succeeded"));
}

#[test]
fn refusing_every_target_wakes_somebody() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.call_answers = vec![CallAnswer::Refused {
        reason: "image gone".to_owned(),
    }];
    world.run();
    assert_eq!(world.told.last(), Some(&(OutcomeEvent::RollbackFailed, true)));
    assert_eq!(world.calls.len(), 2);
}

#[test]
fn a_lost_answer_is_looked_up_and_the_call_not_repeated() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.call_answers = vec![CallAnswer::Unknown {
        reason: "timed out".to_owned(),
    }];
    world.run();
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.told().last(), Some(&"rollback.succeeded"));
}

#[test]
fn a_crash_during_the_call_is_looked_up_and_the_call_not_repeated() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.crash_at_call = true;
    world.run();
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.told().last(), Some(&"rollback.succeeded"));
}

#[test]
fn a_call_without_effect_is_repeated_only_after_looking_and_not_without_end() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.call_answers = vec![CallAnswer::Unknown {
        reason: "500 queue is required".to_owned(),
    }];
    world.call_has_effect = false;
    world.run();
    assert_eq!(world.calls.len(), 6);
    assert_eq!(world.told.last(), Some(&(OutcomeEvent::RollbackFailed, true)));
}

#[test]
fn an_unreachable_platform_pages_once_and_is_tried_for_half_an_hour() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.call_answers = vec![CallAnswer::NotSent {
        reason: "connection refused".to_owned(),
    }];
    world.run();
    let unconfirmed = world
        .told
        .iter()
        .filter(|(event, page)| *event == OutcomeEvent::RollbackUnconfirmed && *page);
    assert_eq!(unconfirmed.count(), 1);
    assert_eq!(world.told.last(), Some(&(OutcomeEvent::RollbackFailed, true)));
}

#[test]
fn a_restored_version_that_is_bad_too_is_said_and_nothing_more_is_done() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.restored_answers = Box::new(|_, _| Class::Broken);
    world.run();
    assert_eq!(world.calls.len(), 1);
    assert_eq!(world.told.last(), Some(&(OutcomeEvent::RollbackFailed, true)));
    assert!(world.last_reason().contains("restored version is bad too"));
}

#[test]
fn stale_results_change_nothing() {
    let mut world = World::new(one_check(), ready_after(0.0));
    world.step(Event::Began);
    let before = world.state.clone();
    world.step(Event::Identified {
        seq: 99,
        answer: Err("late".to_owned()),
    });
    world.step(Event::Looked {
        seq: 99,
        answer: Ok(Box::new(world.facts.clone())),
    });
    world.step(Event::Called {
        seq: 99,
        answer: CallAnswer::Accepted { made: None },
    });
    world.step(Event::Probed {
        seq: 99,
        place: Place::Gate,
        seen: Box::new(seen(Class::Broken)),
    });
    assert_eq!(world.state, before);
}

#[test]
fn the_state_survives_its_stored_form() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    world.run();
    let stored = serde_json::to_string(&world.state).expect("a state is JSON");
    assert_eq!(
        serde_json::from_str::<RunState>(&stored).expect("and back"),
        world.state
    );
}

#[test]
fn a_gap_consumes_no_warm_up() {
    let mut world = World::new(one_check(), ready_after(400.0));
    let mut todo = world.step(Event::Began);
    while let Some(effect) = todo.pop() {
        let event = world.perform(effect);
        todo.extend(world.step(event));
    }
    world.now = START.plus_ms(390_000);
    todo = world.step(Event::Resumed { hold_ms: 0 });
    assert_eq!(world.state.phase, Phase::Judging, "{:#?}", world.story);
    assert!(!todo.is_empty(), "it probes again at once");
}

/// An agent that stood still for a while, less than a gap, and noticed it only when the warm-up was over.
#[test]
fn what_the_agent_lost_by_itself_consumes_no_warm_up() {
    let mut world = World::new(one_check(), |_, _| Class::Unready);
    let end = START.plus_ms(world.plan.warm_up_ms);
    let mut todo = world.step(Event::Began);
    let seq = loop {
        let effect = todo.pop().expect("it looks on until the end");
        if let Effect::Probe { seq, .. } = effect
            && world.now.plus_ms(8_000) > end
        {
            break seq;
        }
        let event = world.perform(effect);
        todo.extend(world.step(event));
        if todo.is_empty() {
            world.now = world.state.wake_at.expect("it looks again");
            todo = world.step(Event::Woke);
        }
    };
    world.now = world.now.plus_ms(9_000);
    let stood_still = Observation {
        reason: Reason::LocalTrouble,
        latency_ms: 9_000,
        ..seen(Class::Unknown)
    };
    world.step(Event::Probed {
        seq,
        place: Place::Gate,
        seen: Box::new(stood_still),
    });
    assert!(world.now > end);
    assert_eq!(world.state.phase, Phase::Judging, "{:#?}", world.story);
}

/// An agent that stood still while a check had still to pass, less than a gap for its timer, and noticed it by the answer.
#[test]
fn time_that_was_lost_before_a_first_pass_is_given_back() {
    let mut short = one_check();
    short.warm_up_ms = 20_000;
    let mut world = World::new(short, |_, place| match place {
        Place::Gate => Class::Pass,
        Place::Check(_) => Class::Unready,
    });
    let mut todo = world.step(Event::Began);
    let mut probed = 0;
    let seq = loop {
        while let Some(effect) = todo.pop() {
            if let Effect::Probe { seq, place, .. } = effect
                && place != Place::Gate
            {
                probed += 1;
                if probed == 2 {
                    todo = vec![Effect::Probe {
                        seq,
                        place,
                        subject: Subject::Deployment,
                    }];
                    break;
                }
            }
            let event = world.perform(effect);
            todo.extend(world.step(event));
        }
        if let [Effect::Probe { seq, .. }] = todo[..]
            && probed == 2
        {
            break seq;
        }
        world.now = world.state.wake_at.expect("it looks again");
        todo = world.step(Event::Woke);
    };
    world.now = world.now.plus_ms(34_000);
    let late_ms = world.state.wake_at.map_or(0, |at| world.now.ms_since(at));
    assert!(late_ms < 10_000, "the timer alone shows no gap: {late_ms} ms");
    world.step(Event::Woke);
    let stood_still = Observation {
        reason: Reason::LocalTrouble,
        latency_ms: 34_000,
        ..seen(Class::Unknown)
    };
    todo = world.step(Event::Probed {
        seq,
        place: Place::Check(0),
        seen: Box::new(stood_still),
    });
    assert_eq!(world.state.phase, Phase::Judging, "{:#?}", world.story);
    // The end still comes, as much later as nobody looked.
    while world.state.phase == Phase::Judging {
        while let Some(effect) = todo.pop() {
            let event = world.perform(effect);
            todo.extend(world.step(event));
        }
        world.now = world.state.wake_at.expect("it looks again");
        todo = world.step(Event::Woke);
    }
    assert!(
        world.now.ms_since(START) >= 60_000 && world.now.ms_since(START) <= 80_000,
        "{}",
        world.now
    );
}

/// An agent that stood still in the watch while a probe was out. Its timer may be heard before the probe's end.
#[test]
fn a_watch_in_which_nobody_watched_goes_on() {
    for (stood_still_ms, timer_first) in [(200_000, false), (305_000, false), (305_000, true)] {
        let mut world = World::new(
            one_check(),
            |age_s, _| if age_s < 60.0 { Class::Pass } else { Class::Broken },
        );
        world.facts.known.good.clear();
        let mut todo = world.step(Event::Began);
        let seq = loop {
            while let Some(effect) = todo.pop() {
                if matches!(effect, Effect::Probe { .. }) && world.told().contains(&"smoke_test.passed") {
                    todo = vec![effect];
                    break;
                }
                let event = world.perform(effect);
                todo.extend(world.step(event));
            }
            if let [Effect::Probe { seq, .. }] = todo[..] {
                break seq;
            }
            world.now = world.state.wake_at.expect("it looks again");
            todo = world.step(Event::Woke);
        };
        world.now = world.now.plus_ms(stood_still_ms);
        todo.clear();
        if timer_first {
            let late_ms = world.state.wake_at.map_or(0, |at| world.now.ms_since(at));
            assert!(late_ms < 10_000, "the timer alone shows no gap: {late_ms} ms");
            todo.extend(world.step(Event::Woke));
        }
        let stood_still = Observation {
            reason: Reason::LocalTrouble,
            latency_ms: u32::try_from(stood_still_ms).unwrap(),
            ..seen(Class::Unknown)
        };
        let (place, seen) = (Place::Check(0), Box::new(stood_still));
        todo.extend(world.step(Event::Probed { seq, place, seen }));
        world.finish(todo);
        assert_eq!(world.state.verdict, Some(Verdict::Unhealthy), "{:#?}", world.story);
    }
}

/// An agent that stood still while its first probe was out, until long after the warm-up should have ended.
#[test]
fn a_warm_up_that_nobody_looked_at_is_looked_at_again() {
    let mut world = World::new(one_check(), |_, _| Class::Broken);
    let mut todo = world.step(Event::Began);
    while let Some(effect) = todo.pop() {
        if matches!(effect, Effect::Probe { .. }) {
            break;
        }
        let event = world.perform(effect);
        todo.extend(world.step(event));
    }
    world.now = world.now.plus_ms(world.plan.warm_up_ms + 60_000);
    todo = world.step(Event::Woke);
    assert_eq!(world.state.phase, Phase::Judging, "{:#?}", world.story);
    assert!(matches!(todo[..], [Effect::Probe { .. }]), "{todo:?}");
}

/// Taken over just before the warm-up ends: what it amounts to waits for an answer of now.
#[test]
fn a_warm_up_that_ends_after_a_gap_waits_for_an_answer() {
    let mut world = World::new(one_check(), |_, _| Class::Unready);
    let mut todo = world.step(Event::Began);
    let end = START.plus_ms(world.plan.warm_up_ms);
    while world.now.plus_ms(world.plan.every_ms * 2) < end {
        while let Some(effect) = todo.pop() {
            let event = world.perform(effect);
            todo.extend(world.step(event));
        }
        world.now = world.state.wake_at.expect("it looks again");
        todo = world.step(Event::Woke);
    }
    world.now = end.plus_ms(100_000);
    todo = world.step(Event::Resumed { hold_ms: 0 });
    let limit = world.state.wake_at.expect("the limit");
    world.now = limit.plus_ms(500);
    todo.extend(world.step(Event::Woke));
    assert_eq!(world.state.phase, Phase::Judging, "{:#?}", world.story);
    let event = world.perform(todo.pop().expect("a probe"));
    world.step(event);
    assert_ne!(world.state.phase, Phase::Judging, "{:#?}", world.story);
}

fn any_class() -> impl Strategy<Value = Class> {
    prop_oneof![
        4 => Just(Class::Pass),
        1 => Just(Class::Slow),
        2 => Just(Class::Unready),
        3 => Just(Class::Broken),
        1 => Just(Class::Unknown),
    ]
}

fn any_answer() -> impl Strategy<Value = CallAnswer> {
    prop_oneof![
        Just(CallAnswer::Accepted { made: None }),
        Just(CallAnswer::Refused {
            reason: "no".to_owned()
        }),
        Just(CallAnswer::NotSent {
            reason: "no route".to_owned()
        }),
        Just(CallAnswer::Unknown {
            reason: "timeout".to_owned()
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the app and the platform answer: every run ends, an effective call is never repeated, nothing is
    /// called in alert-only mode or without an unhealthy verdict and a recorded intent, and success is verified.
    #[test]
    fn every_run_ends_and_acts_at_most_once(
        classes in proptest::collection::vec(any_class(), 1..60),
        answers in proptest::collection::vec(any_answer(), 1..8),
        effective in any::<bool>(),
        alert_only in any::<bool>(),
    ) {
        let mut world = World::new(one_check(), move |age, place| {
            let slot = (age / 3.0) as usize + usize::from(place != Place::Gate);
            classes[slot % classes.len()]
        });
        world.call_answers = answers;
        world.call_has_effect = effective;
        if alert_only { world.facts.mode = Mode::AlertOnly; }
        world.run();
        let intents = world.records.iter().filter(|r| matches!(r, Record::Intent { .. })).count();
        prop_assert_eq!(intents, world.calls.len());
        prop_assert!(!alert_only || world.calls.is_empty());
        prop_assert!(world.calls.is_empty() || world.state.verdict == Some(Verdict::Unhealthy));
        let back = world.facts.standing.current != Some("42".into());
        prop_assert!(!world.told().contains(&"rollback.succeeded") || back);
        let ends = world.told.iter().filter(|(e, _)| matches!(e,
            OutcomeEvent::RollbackSucceeded | OutcomeEvent::RollbackFailed | OutcomeEvent::RollbackWithheld)).count();
        prop_assert!(ends <= 1);
    }

    /// Appending a failure never raises a budget, and a pass never lowers it.
    #[test]
    fn budgets_move_the_right_way(classes in proptest::collection::vec((any_class(), 1_u64..20_000), 1..80)) {
        let mut track = Track::new(6, 3, START);
        let mut now = START;
        for (class, pause_ms) in classes {
            now = now.plus_ms(pause_ms);
            let moved = track.take(&seen(class), 12, Some(START), now);
            match class {
                Class::Pass => prop_assert!(moved.to >= moved.from),
                Class::Unknown => prop_assert_eq!(moved.to, moved.from),
                Class::Slow | Class::Unready | Class::Broken => prop_assert!(moved.to <= moved.from),
            }
            prop_assert!(track.budget <= track.budget_max);
        }
    }

    /// What says nothing about the deployment, alone, never rolls back and is never a verdict on it.
    #[test]
    fn inconclusive_evidence_alone_never_rolls_back(
        looks in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..40),
        checks in 1_usize..4,
    ) {
        let severities = ["home", "orders", "login"].map(|name| (name, Severity::Critical));
        let mut world = World::new(plan(&severities[..checks]), |_, _| Class::Unknown);
        let mut answered = 0;
        let old = Observation {
            reason: Reason::OldVersion,
            identity: Identity::Contradicted,
            ..seen(Class::Unready)
        };
        let mut todo = world.step(Event::Began);
        while world.state.phase != Phase::Done {
            let event = match todo.pop() {
                Some(Effect::Probe { seq, place, .. }) => {
                    // Our own trouble, or another version: neither is about this one. The gate opens if it may.
                    let (opens, ours) = looks[answered % looks.len()];
                    answered += 1;
                    let seen = match place {
                        Place::Gate if opens => seen(Class::Pass),
                        _ if ours => seen(Class::Unknown),
                        Place::Gate | Place::Check(_) => old.clone(),
                    };
                    Event::Probed { seq, place, seen: Box::new(seen) }
                }
                Some(effect) => world.perform(effect),
                None => {
                    world.now = world.state.wake_at.unwrap_or(world.now).max(world.now.plus_ms(1));
                    Event::Woke
                }
            };
            todo.extend(world.step(event));
        }
        prop_assert!(world.calls.is_empty());
        prop_assert_eq!(world.state.verdict, Some(Verdict::Inconclusive));
    }

    /// Observations of one moment, in any order, are the same evidence and lead to the same conclusion.
    #[test]
    fn the_order_of_simultaneous_observations_changes_nothing(
        moments in proptest::collection::vec((proptest::collection::vec(any_class(), 3), 500_u64..6_000), 1..40),
        order in Just(vec![0_usize, 1, 2]).prop_shuffle(),
    ) {
        let severities = ["home", "orders", "login"].map(|name| (name, Severity::Critical));
        let plan = plan(&severities);
        let judged = |order: &[usize]| {
            let mut judge = Judge::new(&plan, START);
            judge.take(&plan, Place::Gate, &seen(Class::Pass), 1_000, START);
            let (mut now, mut conclusions) = (START, Vec::new());
            for (classes, pause_ms) in &moments {
                now = now.plus_ms(*pause_ms);
                for index in order {
                    judge.take(&plan, Place::Check(*index), &seen(classes[*index]), 1_000, now);
                }
                conclusions.push(judge.conclusion(&plan, now));
            }
            (judge, conclusions)
        };
        prop_assert_eq!(judged(&[0, 1, 2]), judged(&order));
    }

    /// The same for a whole run: what is concluded and what is called does not depend on which of several answers of
    /// one moment is taken first.
    #[test]
    fn the_order_of_simultaneous_answers_changes_no_decision(
        classes in proptest::collection::vec(any_class(), 1..60),
        last_first in any::<bool>(),
    ) {
        let severities = ["home", "orders", "login"].map(|name| (name, Severity::Critical));
        let run = |last_first: bool| {
            let classes = classes.clone();
            // Without a watch, whose slower pace is not that of the moments.
            let plan = Plan { watch_ms: 0, ..plan(&severities) };
            let mut world = World::new(plan, move |age, place| match place {
                Place::Gate => Class::Pass,
                Place::Check(index) => classes[((age / 4.0) as usize * 3 + index) % classes.len()],
            });
            world.run_in_moments(last_first);
            (world.state.verdict, world.calls)
        };
        prop_assert_eq!(run(false), run(last_first));
    }

    /// Good and bad both need evidence: a check that passed, or a place that failed.
    #[test]
    fn no_verdict_without_evidence(
        classes in proptest::collection::vec(any_class(), 1..40),
        gaps in proptest::collection::vec(any::<bool>(), 1..40),
    ) {
        let mut world = World::new(one_check(), move |age, _| classes[(age / 5.0) as usize % classes.len()]);
        let mut todo = world.step(Event::Began);
        let mut steps = 0;
        while world.state.phase == Phase::Confirming || world.state.phase == Phase::Judging {
            prop_assert!(world.state.verdict.is_none_or(|verdict| is_grounded(&world.state, verdict)), "{:#?}", world.state);
            // Some answers never come: the agent was restarted.
            steps += 1;
            let lost = gaps[steps % gaps.len()] && steps % 7 == 0;
            let event = match todo.pop() {
                Some(_) if lost => Event::Resumed { hold_ms: 0 },
                Some(effect) => world.perform(effect),
                None => {
                    world.now = world.state.wake_at.unwrap_or(world.now).max(world.now.plus_ms(1));
                    Event::Woke
                }
            };
            todo.extend(world.step(event));
        }
        if world.state.phase != Phase::Done {
            prop_assert!(world.state.verdict.is_some_and(|verdict| is_grounded(&world.state, verdict)), "{:#?}", world.state);
        }
    }
}

#[test]
fn checks_that_fail_at_one_moment_are_all_named_in_whatever_order_they_are_seen() {
    let severities = ["home", "orders"].map(|name| (name, Severity::Critical));
    for last_first in [false, true] {
        let mut world = World::new(
            plan(&severities),
            |age, _| if age < 30.0 { Class::Pass } else { Class::Broken },
        );
        world.run_in_moments(last_first);
        assert_eq!(world.state.failing, [Place::Check(0), Place::Check(1)]);
        assert!(world.last_reason().contains("`home`"), "{}", world.last_reason());
    }
}

#[test]
fn a_failure_while_the_platform_is_asked_at_the_end_of_the_watch_still_counts() {
    let plan = one_check();
    let mut world = World::new(plan.clone(), ready_after(0.0));
    let mut todo = world.step(Event::Began);
    let asked_at_the_end = |world: &World| {
        let look = world.state.look.as_ref();
        look.is_some_and(|look| look.purpose == LookFor::WatchEnd && look.seq.is_some())
    };
    while !asked_at_the_end(&world) {
        let event = match todo.pop() {
            Some(effect) => world.perform(effect),
            None => {
                world.now = world.state.wake_at.unwrap_or(world.now).max(world.now.plus_ms(1));
                Event::Woke
            }
        };
        todo.extend(world.step(event));
    }
    let judge = world.state.judge.as_mut().expect("judging");
    judge.take(&plan, Place::Check(0), &seen(Class::Broken), 1_000, world.now);
    let asked = todo
        .into_iter()
        .find(|effect| matches!(effect, Effect::Look { .. }))
        .expect("asked");
    let answer = world.perform(asked);
    world.step(answer);
    assert_eq!(world.state.phase, Phase::Judging, "it is not known good yet");
    let is_good = |record: &Record| matches!(record, Record::KnownGood { .. });
    assert!(!world.records.iter().any(is_good));
}

/// Whether what was seen can carry the verdict.
fn is_grounded(state: &RunState, verdict: Verdict) -> bool {
    let Some(judge) = &state.judge else {
        return verdict == Verdict::Inconclusive;
    };
    match verdict {
        Verdict::Inconclusive => true,
        Verdict::Healthy | Verdict::Degraded => judge.checks.iter().any(|track| track.first_pass_at.is_some()),
        Verdict::Unhealthy => {
            let failed = |place: &Place| judge.track(*place).is_some_and(|track| track.failed > 1);
            !state.failing.is_empty() && state.failing.iter().all(failed)
        }
    }
}
