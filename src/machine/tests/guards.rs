//! What withholds a rollback: guards, attribution, controls.

use super::super::guard::Guard;
use super::*;

/// Which guard says it.
const NAMES: &[(&str, Guard)] = &[
    ("alert-only", Guard::Mode),
    ("paused this app", Guard::Pause),
    ("freeze", Guard::Freeze),
    ("itself a rollback", Guard::OwnRollback),
    ("has ever passed", Guard::NeverPassed),
    ("no known-good version", Guard::NoTarget),
    ("no known-good version is left", Guard::NoTarget),
    ("older than 30 days", Guard::NoTarget),
    ("`[no-rollback]`", Guard::Irreversible),
    ("limit", Guard::MaxPerHour),
    ("cooldown", Guard::Cooldown),
    ("act_within", Guard::ActWithin),
    ("under way", Guard::NewerUnderWay),
];

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
        let named = NAMES.iter().find(|(reason, _)| reason == expected);
        assert_eq!(world.state.held_by, named.map(|(_, guard)| *guard), "{expected}");
    }
}

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
