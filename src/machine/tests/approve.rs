//! Approvals, orders and drills: what a person decides.

use super::*;

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
