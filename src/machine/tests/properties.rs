//! Whatever is answered, and in whatever order.

use super::*;

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
