//! What is concluded of a version, and when.

use super::*;

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
