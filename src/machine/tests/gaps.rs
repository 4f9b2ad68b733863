//! Time in which nobody looked.

use super::*;

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
