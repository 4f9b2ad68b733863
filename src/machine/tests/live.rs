//! What a run is about: found by nobody, begun by hand, slower than before, not current.

use super::*;

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
