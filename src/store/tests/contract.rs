//! What any store does, whichever engine it is on.

use super::*;

pub(super) async fn a_delivery_is_there_once(open: Open) {
    let store = open.store;
    let first = delivery(1, HeardEvent::Ready);
    assert_eq!(store.accept(first.clone()).await.unwrap(), Accepted::Stored);
    let again = NewDelivery {
        id: DeliveryId::new("dlv_9999"),
        ..first.clone()
    };
    let of = first.id.clone();
    assert_eq!(store.accept(again.clone()).await.unwrap(), Accepted::Duplicate { of });
    // The same key of another platform is another thing.
    let elsewhere = NewDelivery {
        platform: "other".into(),
        ..again
    };
    assert_eq!(store.accept(elsewhere).await.unwrap(), Accepted::Stored);
    assert_eq!(store.list_deliveries(deliveries(50)).await.unwrap().items.len(), 2);
}

pub(super) async fn deduplication_is_kept_for_48_hours(open: Open) {
    let Open { store, clock, .. } = open;
    store.accept(delivery(1, HeardEvent::Ready)).await.unwrap();
    let again = |id: &str| NewDelivery {
        id: DeliveryId::new(id),
        ..delivery(1, HeardEvent::Ready)
    };
    clock.advance(Duration::from_secs(47 * 3_600));
    store
        .purge(START.plus(Duration::from_secs(47 * 3_600)), Retention::default())
        .await
        .unwrap();
    assert!(matches!(
        store.accept(again("dlv_2")).await.unwrap(),
        Accepted::Duplicate { .. }
    ));
    store
        .purge(START.plus(Duration::from_secs(49 * 3_600)), Retention::default())
        .await
        .unwrap();
    assert_eq!(store.accept(again("dlv_3")).await.unwrap(), Accepted::Stored);
}

pub(super) async fn deliveries_wait_in_order_until_they_are_dealt_with(open: Open) {
    let store = open.store;
    for number in [2, 1, 3] {
        store.accept(delivery(number, HeardEvent::Live)).await.unwrap();
    }
    let kept = NewDelivery {
        note: Some("kept".to_owned()),
        ..delivery(4, HeardEvent::Started)
    };
    store.accept(kept).await.unwrap();
    let waiting = async || -> Vec<String> {
        let found = store.unhandled_deliveries(10).await.unwrap();
        found.iter().map(|delivery| delivery.id.to_string()).collect()
    };
    assert_eq!(waiting().await, ["dlv_0001", "dlv_0002", "dlv_0003"]);
    store
        .mark_handled(vec![("dlv_0001".into(), "told run_1".to_owned())])
        .await
        .unwrap();
    let taken = Commit {
        delivery: Some("dlv_0002".into()),
        ..commit(run(1, 1))
    };
    store.commit(taken).await.unwrap();
    assert_eq!(waiting().await, ["dlv_0003"]);
    let shown = store.delivery(&"dlv_0002".into()).await.unwrap().unwrap();
    assert_eq!(shown.run.as_deref(), Some("run_0001"));
    assert_eq!(store.unhandled_deliveries(0).await.unwrap().len(), 0);
}

pub(super) async fn a_decision_is_committed_whole_or_not_at_all(open: Open) {
    let store = open.store;
    store.commit(commit(run(1, 1))).await.unwrap();
    let stale = Commit {
        messages: vec![message(1, false)],
        journal: vec![JournalEntry {
            at: START,
            kind: "note".to_owned(),
            text: "lost".to_owned(),
            data: None,
        }],
        ledger: vec![LedgerWrite::Bad {
            key: key(),
            deployment: "dep_1".into(),
            at: START,
        }],
        ..commit(run(1, 3))
    };
    let refused = store.commit(stale).await.unwrap_err();
    assert!(matches!(refused, Error::Stale { found: 1, asked: 3, .. }), "{refused}");
    assert!(store.journal(&"run_0001".into(), 0, 10).await.unwrap().items.is_empty());
    assert!(store.message(&"whk_0001".into()).await.unwrap().is_none());
    assert!(store.history(&key(), START).await.unwrap().bad.is_empty());
    store.commit(commit(run(1, 2))).await.unwrap();
    assert!(matches!(
        store.commit(commit(run(1, 2))).await,
        Err(Error::Stale { .. })
    ));
}

pub(super) async fn one_intent_for_each_deployment(open: Open) {
    let store = open.store;
    let with = |number: u32, version: u64, deployment: &str, seen: u64| Commit {
        ledger: vec![intent(number, deployment, seen)],
        ..commit(run(number, version))
    };
    store.commit(with(1, 1, "dep_1", 0)).await.unwrap();
    // The same run says it again before a second call; another run may not.
    store.commit(with(1, 2, "dep_1", 0)).await.unwrap();
    let second = store.commit(with(2, 1, "dep_1", 1)).await;
    assert!(matches!(second, Err(Error::IntentTaken(_))), "{second:?}");
    assert!(store.run(&"run_0002".into()).await.unwrap().is_none());
    // Nor may one whose guards looked before the first intent was there.
    let blind = store.commit(with(2, 1, "dep_2", 0)).await;
    assert!(matches!(blind, Err(Error::Overtaken(_))), "{blind:?}");
    store.commit(with(2, 1, "dep_2", 1)).await.unwrap();
    let history = store.history(&key(), START).await.unwrap();
    assert_eq!((history.rollbacks_at.len(), history.intents), (2, 2));
    assert_eq!(history.intents_of[&"dep_1".into()], "run_0001".into());
}

pub(super) async fn the_ledger_remembers_by_app_and_environment(open: Open) {
    let store = open.store;
    let good = |deployment: &str, at: u64| LedgerWrite::KnownGood {
        key: key(),
        deployment: deployment.into(),
        commit_sha: None,
        at: START.plus_ms(at),
    };
    let passed = LedgerWrite::CheckPassed {
        key: key(),
        check: CheckName::new("home"),
        form: "f1".to_owned(),
        at: START,
    };
    let ledger = vec![
        good("dep_1", 1),
        good("dep_2", 2),
        passed,
        LedgerWrite::WarmUp {
            key: key(),
            ms: 900,
            at: START,
        },
        LedgerWrite::Made {
            key: key(),
            deployment: "dep_9".into(),
            run: "run_0001".into(),
            at: START,
        },
    ];
    store
        .commit(Commit {
            ledger,
            ..commit(run(1, 1))
        })
        .await
        .unwrap();
    let history = store.history(&key(), START.plus_ms(10)).await.unwrap();
    let names: Vec<&str> = history.known_good.iter().map(|good| good.deployment.as_str()).collect();
    assert_eq!(names, ["dep_2", "dep_1"]);
    assert!(
        history
            .passed_checks
            .contains(&(CheckName::new("home"), "f1".to_owned()))
    );
    assert_eq!((history.warmups_ms, history.made.len()), (vec![900], 1));
    let other = AppKey {
        environment: "4".into(),
        ..key()
    };
    let alone = Fleet {
        enrolled: 1,
        failing_at: Vec::new(),
    };
    let expected = History {
        fleet: alone,
        ..History::default()
    };
    assert_eq!(store.history(&other, START).await.unwrap(), expected);
}

pub(super) async fn the_fleet_is_the_apps_that_were_good_and_those_of_them_that_fail_now(open: Open) {
    let store = open.store;
    let app = |number: u32| AppKey {
        project: number.to_string().as_str().into(),
        ..key()
    };
    let good = |number: u32| LedgerWrite::KnownGood {
        key: app(number),
        deployment: "good".into(),
        commit_sha: None,
        at: START,
    };
    let bad = |number: u32, at: Timestamp| LedgerWrite::Bad {
        key: app(number),
        deployment: "bad".into(),
        at,
    };
    let now = START.plus_ms(2 * 24 * 3_600_000);
    let recently = Timestamp::from_millis(now.as_millis() - 60_000);
    // 1 asks and fails, too; 2 fails, 3 did so two days ago, 4 was never good, 5 is failing in a run under way.
    let ledger = vec![
        good(1),
        bad(1, recently),
        good(2),
        bad(2, recently),
        good(3),
        bad(3, START),
        bad(4, recently),
        good(5),
    ];
    let under_way = RunRecord {
        key: Some(app(5)),
        verdict: Some(Verdict::Unhealthy),
        ended_at: None,
        ..run(1, 1)
    };
    store
        .commit(Commit {
            ledger,
            ..commit(under_way)
        })
        .await
        .unwrap();
    let mut fleet = store.history(&app(1), now).await.unwrap().fleet;
    fleet.failing_at.sort();
    let expected = Fleet {
        enrolled: 4,
        failing_at: vec![recently, now],
    };
    assert_eq!(fleet, expected);
}

pub(super) async fn the_times_of_the_last_five_good_deployments_are_kept(open: Open) {
    let store = open.store;
    let times = |deployment: u32, form: &str| LedgerWrite::Times {
        key: key(),
        deployment: deployment.to_string().as_str().into(),
        times: TimesBefore {
            check: CheckName::new("home"),
            form: form.to_owned(),
            times_ms: vec![deployment; 2],
        },
        at: START,
    };
    // The seventh is judged twice; only its last times count.
    let mut ledger: Vec<LedgerWrite> = (1..=7).map(|deployment| times(deployment, "f1")).collect();
    ledger.extend([times(7, "f1"), times(8, "f2")]);
    store
        .commit(Commit {
            ledger,
            ..commit(run(1, 1))
        })
        .await
        .unwrap();
    let kept = store.history(&key(), START).await.unwrap().times;
    let kept: Vec<(&str, Vec<u32>)> = kept
        .iter()
        .map(|times| (times.form.as_str(), times.times_ms.clone()))
        .collect();
    assert_eq!(kept, [("f1", vec![4, 4, 5, 5, 6, 6, 7, 7]), ("f2", vec![8, 8])]);
}

pub(super) async fn what_was_seen_of_the_version_before_gives_way_to_a_newer_look(open: Open) {
    let store = open.store;
    let look = |failed: u32, at: u64| Before {
        check: CheckName::new("home"),
        form: "f1".to_owned(),
        probes: 3,
        failed,
        reason: (failed > 0).then_some(Reason::Status),
        at: START.plus_ms(at),
    };
    for before in [look(3, 0), look(0, 60_000)] {
        store.looked_before(&key(), vec![before.clone()]).await.unwrap();
        assert_eq!(store.history(&key(), START).await.unwrap().before, [before]);
    }
}

pub(super) async fn messages_are_due_gravest_first_until_they_are_delivered_or_dead(open: Open) {
    let store = open.store;
    let messages = vec![message(1, false), message(2, true), message(3, false)];
    store
        .commit(Commit {
            messages,
            ..commit(run(1, 1))
        })
        .await
        .unwrap();
    let later = START.plus_ms(1_000);
    let due = async |at: Timestamp| -> Vec<String> {
        let found = store.take_due(&"agt_1".into(), at, due_any(10)).await.unwrap();
        found.iter().map(|message| message.id.to_string()).collect()
    };
    assert_eq!(due(START).await, Vec::<String>::new());
    assert_eq!(due(later).await, ["whk_0002", "whk_0001", "whk_0003"]);
    let record = async |id: &str, next: Next| store.record_attempt(attempt(&id.into()), next).await.unwrap();
    record("whk_0002", Next::Delivered).await;
    record("whk_0001", Next::RetryAt(later.plus_ms(500))).await;
    record(
        "whk_0003",
        Next::Dead {
            reason: "refused".to_owned(),
        },
    )
    .await;
    assert_eq!(due(later).await, Vec::<String>::new());
    assert_eq!(store.next_due(later).await.unwrap(), Some(later.plus_ms(500)));
    assert_eq!(due(later.plus_ms(500)).await, ["whk_0001"]);
    let dead = store.message(&"whk_0003".into()).await.unwrap().unwrap();
    assert_eq!((dead.state.as_str(), dead.reason.as_deref()), ("dead", Some("refused")));
    assert_eq!(dead.attempt_log.unwrap()[0].status, Some(500));
    // A person may send it again: the same bytes.
    assert!(store.replay(&"whk_0003".into(), later).await.unwrap());
    let again = store.take_due(&"agt_1".into(), later, due_any(10)).await.unwrap();
    assert_eq!(
        (again[0].body.as_slice(), again[0].attempts),
        (b"{\"number\":3}".as_slice(), 0)
    );
    assert!(!store.replay(&"whk_none".into(), later).await.unwrap());
}

pub(super) async fn an_endpoint_that_is_off_is_left_alone_until_it_is_wanted_again(open: Open) {
    let store = open.store;
    store
        .commit(Commit {
            messages: vec![message(1, false)],
            ..commit(run(1, 1))
        })
        .await
        .unwrap();
    let later = START.plus_ms(1_000);
    store
        .endpoint_off("ops".into(), "it answered 410 Gone".to_owned(), false, Vec::new())
        .await
        .unwrap();
    assert!(
        store
            .take_due(&"agt_1".into(), later, due_any(10))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.next_due(START).await.unwrap(), None);
    assert_eq!(
        store.endpoints().await.unwrap()[0].off_reason.as_deref(),
        Some("it answered 410 Gone")
    );
    let standing = store.outbox_standing().await.unwrap();
    assert_eq!(standing.len(), 1, "{standing:?}");
    let found = &standing[0];
    assert_eq!((found.name.as_str(), found.queued, found.off), ("ops", 1, true));
    assert!(found.oldest.is_some());
    assert!(store.replay(&"whk_0001".into(), later).await.unwrap());
    assert_eq!(
        store.take_due(&"agt_1".into(), later, due_any(10)).await.unwrap().len(),
        1
    );
    assert!(
        store
            .outbox_standing()
            .await
            .unwrap()
            .iter()
            .all(|endpoint| !endpoint.off)
    );
}

pub(super) async fn an_endpoint_that_is_off_for_good_stays_so(open: Open) {
    let store = open.store;
    let ops = crate::domain::EndpointName::new("ops");
    let messages = vec![message(1, false), message(2, false)];
    store
        .commit(Commit {
            messages,
            ..commit(run(1, 1))
        })
        .await
        .unwrap();
    let soon = START.plus_ms(1_000);
    let taken = store.take_due(&"agt_1".into(), soon, due_any(10)).await.unwrap();
    let off = async |reason: &str, probed| {
        let reason = reason.to_owned();
        store
            .endpoint_off(ops.clone(), reason, probed, Vec::new())
            .await
            .unwrap()
    };
    let reason = async || store.endpoints().await.unwrap()[0].off_reason.clone();
    assert!(off("it keeps failing", true).await);
    assert!(!off("it keeps failing", true).await, "no news");
    assert!(off("by hand", false).await, "it is probed no more");
    assert!(!off("it keeps failing", true).await, "a person's word stays");
    assert_eq!(reason().await.as_deref(), Some("by hand"));
    // What was on its way when it was switched off arrives.
    let attempt = Attempt {
        message: taken[0].id.clone(),
        endpoint: ops.clone(),
        at: START.plus_ms(1_000),
        url_host: "ops.example.com".to_owned(),
        status: Some(204),
        error: None,
        response: String::new(),
        latency_ms: 5,
    };
    store.record_attempt(attempt, Next::Delivered).await.unwrap();
    assert_eq!(reason().await.as_deref(), Some("by hand"));
    let later = START.plus_ms(24 * 60 * 60 * 1_000);
    assert!(
        store
            .take_due(&"agt_1".into(), later, due_any(10))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(store.endpoint_on(ops.clone()).await.unwrap());
    assert_eq!(reason().await, None);
    assert_eq!(
        store.take_due(&"agt_1".into(), later, due_any(10)).await.unwrap().len(),
        1
    );
}

pub(super) async fn a_pause_ends_by_itself_or_by_hand(open: Open) {
    let store = open.store;
    let until = START.plus_ms(5_000);
    store.pause("shop", until).await.unwrap();
    assert_eq!(store.paused_until("shop", START).await.unwrap(), Some(until));
    assert_eq!(store.paused_until("blog", START).await.unwrap(), None);
    assert_eq!(store.paused_until("shop", until.plus_ms(1)).await.unwrap(), None);
    assert!(store.resume("shop").await.unwrap());
    assert!(!store.resume("shop").await.unwrap());
    assert!(store.pauses(START).await.unwrap().is_empty());
}

/// What is live is known if a run was about it, or about one in its place that was made no earlier.
pub(super) async fn what_no_run_was_about_is_known_only_if_it_is_older(open: Open) {
    let store = open.store;
    let made_at = START.plus_ms(5_000);
    let heard = RunRecord {
        deployed_at: Some(made_at),
        ..run(1, 1)
    };
    store.commit(commit(heard)).await.unwrap();
    let other_place = AppKey {
        environment: "4".into(),
        ..key()
    };
    let table = [
        ("dep_1", key(), Some(made_at.plus_ms(9_000)), true),
        ("dep_2", key(), Some(made_at.plus_ms(1)), false),
        ("dep_2", key(), Some(made_at), true),
        ("dep_2", key(), Some(START), true),
        ("dep_2", key(), None, true),
        ("dep_2", other_place, Some(START), false),
    ];
    for (id, key, created_at, known) in table {
        let deployment = live(id, key.clone(), created_at);
        assert_eq!(
            store.knows(&deployment).await.unwrap(),
            known,
            "{id} {key:?} {created_at:?}"
        );
    }
}

pub(super) async fn what_was_live_at_first_sight_is_known(open: Open) {
    let store = open.store;
    let place = |project: &str| AppPlace {
        key: AppKey {
            project: project.into(),
            ..key()
        },
        app: format!("app-{project}"),
        environment: "production".to_owned(),
    };
    let of = |id: &str, project: &str, ms: u64| live(id, place(project).key, Some(START.plus_ms(ms)));
    assert!(store.adopt(place("7"), Some(of("dep_5", "7", 5_000))).await.unwrap());
    assert!(!store.adopt(place("7"), Some(of("dep_6", "7", 6_000))).await.unwrap());
    assert!(store.adopt(place("8"), None).await.unwrap());
    for (id, project, ms, known) in [
        ("dep_5", "7", 5_000, true),
        ("dep_4", "7", 4_000, true),
        ("dep_6", "7", 6_000, false),
        ("dep_1", "8", 1_000, false),
    ] {
        assert_eq!(store.knows(&of(id, project, ms)).await.unwrap(), known, "{id}");
    }
    let listed = store.places(10).await.unwrap();
    assert_eq!(listed, [place("7"), place("8")]);
    // A run's names are newer than what was adopted.
    store.commit(commit(run(1, 1))).await.unwrap();
    let names: Vec<String> = store
        .places(10)
        .await
        .unwrap()
        .into_iter()
        .map(|place| place.app)
        .collect();
    assert_eq!(names, ["app-8", "shop"]);
    assert_eq!(store.places_of("app-8").await.unwrap(), [place("8")]);
    assert_eq!(store.places(1).await.unwrap().len(), 1);
}

pub(super) async fn what_became_ready_is_waited_for_until_more_is_heard(open: Open) {
    let store = open.store;
    for number in 1..=4 {
        store.accept(delivery(number, HeardEvent::Ready)).await.unwrap();
    }
    let live = NewDelivery {
        id: DeliveryId::new("dlv_0012"),
        dedup_key: b"live 2".to_vec(),
        ..delivery(2, HeardEvent::Live)
    };
    store.accept(live).await.unwrap();
    store.commit(commit(run(3, 1))).await.unwrap();
    let awaited = async |before: Timestamp| -> Vec<String> {
        let found = store.awaited(&"temps".into(), before).await.unwrap();
        found.iter().map(|heard| heard.deployment.to_string()).collect()
    };
    assert!(awaited(START.minus(Duration::from_secs(1))).await.is_empty());
    assert_eq!(awaited(START).await, ["dep_1", "dep_4"]);
    let told = || vec![message(1, false)];
    assert!(
        store
            .end_waiting(&"temps".into(), &"dep_1".into(), told())
            .await
            .unwrap()
    );
    assert!(
        !store
            .end_waiting(&"temps".into(), &"dep_1".into(), told())
            .await
            .unwrap()
    );
    assert_eq!(awaited(START).await, ["dep_4"]);
    assert_eq!(store.list_messages(messages(10)).await.unwrap().items.len(), 1);
}

pub(super) async fn a_trouble_is_told_of_once(open: Open) {
    let store = open.store;
    assert!(
        store
            .begin_trouble("platform temps", "401", vec![message(1, false)])
            .await
            .unwrap()
    );
    assert!(
        !store
            .begin_trouble("platform temps", "403", vec![message(2, false)])
            .await
            .unwrap()
    );
    let known = store.troubles().await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].0.as_str(), known[0].1.as_str()), ("platform temps", "401"));
    assert!(
        store
            .end_trouble("platform temps", vec![message(3, false)])
            .await
            .unwrap()
    );
    assert!(
        !store
            .end_trouble("platform temps", vec![message(4, false)])
            .await
            .unwrap()
    );
    assert!(store.troubles().await.unwrap().is_empty());
    let told = store.list_messages(messages(10)).await.unwrap().items;
    assert_eq!(
        told.iter().map(|told| told.id.as_str()).collect::<Vec<_>>(),
        ["whk_0003", "whk_0001"]
    );
}

fn live(id: &str, key: AppKey, created_at: Option<Timestamp>) -> Deployment {
    let place = AppPlace {
        key,
        app: "shop".to_owned(),
        environment: "production".to_owned(),
    };
    Deployment {
        created_at,
        ..Deployment::live(id, place)
    }
}

pub(super) async fn a_failing_item_leaves_those_beside_it_alone(open: Open) {
    let store = open.store;
    store.commit(commit(run(1, 1))).await.unwrap();
    let (stale, fine, accepted) = futures_util::join!(
        store.commit(commit(run(1, 7))),
        store.commit(commit(run(2, 1))),
        store.accept(delivery(1, HeardEvent::Ready))
    );
    assert!(matches!(stale, Err(Error::Stale { .. })));
    assert!(fine.is_ok() && accepted.is_ok());
}
