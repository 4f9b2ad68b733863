//! The rollback as an act: made once, looked up, verified.

use super::*;

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
