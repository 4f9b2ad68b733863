//! What any store must do, shown on a real file.

use std::collections::BTreeSet;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::domain::{
    Before, CheckName, Commit as DeployedCommit, DeploymentState, Fleet, Heard, HeardEvent, OutcomeEvent, Reason,
    TimesBefore, Verdict,
};

const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);

struct Open {
    store: Store,
    clock: ManualClock,
    folder: TempDir,
}

async fn open() -> Open {
    let folder = tempfile::tempdir().unwrap();
    let (clock, hand) = Clock::manual(START);
    let store = Store::open(&url(&folder), clock).await.unwrap();
    Open {
        store,
        clock: hand,
        folder,
    }
}

fn url(folder: &TempDir) -> String {
    format!("sqlite://{}/test.db", folder.path().display())
}

fn delivery(number: u32, event: HeardEvent) -> NewDelivery {
    NewDelivery {
        id: DeliveryId::new(format!("dlv_{number:04}")),
        platform: "temps".into(),
        received_at: START,
        event_word: Some("deploy.live".to_owned()),
        heard: Some(Heard {
            event,
            deployment: format!("dep_{number}").as_str().into(),
            project: None,
            app: Some("shop".to_owned()),
            environment: None,
            commit: DeployedCommit::default(),
            url: None,
            triggered_by: None,
        }),
        note: None,
        opened_app: None,
        dedup_key: format!("key {number}").into_bytes(),
        headers: vec![("user-agent".to_owned(), "temps".to_owned())],
        body: b"{}".to_vec(),
    }
}

fn key() -> AppKey {
    AppKey {
        platform: "temps".into(),
        project: "7".into(),
        environment: "3".into(),
    }
}

fn run(number: u32, version: u64) -> RunRecord {
    RunRecord {
        is_rollback: false,
        id: RunId::new(format!("run_{number:04}")),
        platform: "temps".into(),
        deployment: format!("dep_{number}").as_str().into(),
        key: Some(key()),
        app: "shop".to_owned(),
        environment: "production".to_owned(),
        commit_sha: Some("abc".to_owned()),
        started_at: START,
        ended_at: None,
        phase: "judging".to_owned(),
        verdict: None,
        action: None,
        reason: None,
        config_hash: "hash".to_owned(),
        state: "{}".to_owned(),
        version,
    }
}

fn commit(run: RunRecord) -> Commit {
    Commit {
        run,
        journal: Vec::new(),
        messages: Vec::new(),
        ledger: Vec::new(),
        delivery: None,
    }
}

fn message(number: u32, page: bool) -> NewMessage {
    NewMessage {
        id: MessageId::new(format!("whk_{number:04}")),
        endpoint: "ops".into(),
        run: Some(RunId::new("run_0001")),
        event: OutcomeEvent::SmokeTestPassed,
        content_type: "application/json".to_owned(),
        body: format!("{{\"number\":{number}}}").into_bytes(),
        page,
        created_at: START.plus_ms(u64::from(number)),
    }
}

fn attempt(message: &MessageId) -> Attempt {
    Attempt {
        message: message.clone(),
        at: START,
        url_host: "ops.example".to_owned(),
        status: Some(500),
        error: None,
        response: "no".to_owned(),
        latency_ms: 12,
    }
}

fn intent(run: u32, deployment: &str) -> LedgerWrite {
    LedgerWrite::Intent {
        key: key(),
        run: RunId::new(format!("run_{run:04}")),
        deployment: deployment.into(),
        target: "dep_0".into(),
        at: START,
    }
}

#[tokio::test]
async fn a_delivery_is_there_once() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
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
    assert_eq!(store.list_deliveries(None, 50).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn deduplication_is_kept_for_48_hours() {
    let Open {
        store,
        clock,
        folder: _folder,
    } = open().await;
    store.accept(delivery(1, HeardEvent::Ready)).await.unwrap();
    let again = |id: &str| NewDelivery {
        id: DeliveryId::new(id),
        ..delivery(1, HeardEvent::Ready)
    };
    clock.advance(Duration::from_secs(47 * 3_600));
    store.purge(START.plus(Duration::from_secs(47 * 3_600))).await.unwrap();
    assert!(matches!(
        store.accept(again("dlv_2")).await.unwrap(),
        Accepted::Duplicate { .. }
    ));
    store.purge(START.plus(Duration::from_secs(49 * 3_600))).await.unwrap();
    assert_eq!(store.accept(again("dlv_3")).await.unwrap(), Accepted::Stored);
}

#[tokio::test]
async fn deliveries_wait_in_order_until_they_are_dealt_with() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
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

#[tokio::test]
async fn a_decision_is_committed_whole_or_not_at_all() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
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

#[tokio::test]
async fn one_intent_for_each_deployment() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
    let with = |number: u32, version: u64, deployment: &str| Commit {
        ledger: vec![intent(number, deployment)],
        ..commit(run(number, version))
    };
    store.commit(with(1, 1, "dep_1")).await.unwrap();
    // The same run says it again before a second call; another run may not.
    store.commit(with(1, 2, "dep_1")).await.unwrap();
    assert!(matches!(
        store.commit(with(2, 1, "dep_1")).await,
        Err(Error::IntentTaken(_))
    ));
    assert!(store.run(&"run_0002".into()).await.unwrap().is_none());
    store.commit(with(2, 1, "dep_2")).await.unwrap();
    assert_eq!(store.history(&key(), START).await.unwrap().rollbacks_at.len(), 2);
}

#[tokio::test]
async fn the_ledger_remembers_by_app_and_environment() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
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

#[tokio::test]
async fn the_fleet_is_the_apps_that_were_good_and_those_of_them_that_fail_now() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
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

#[tokio::test]
async fn the_times_of_the_last_five_good_deployments_are_kept() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
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

#[tokio::test]
async fn what_was_seen_of_the_version_before_gives_way_to_a_newer_look() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
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

#[tokio::test]
async fn messages_are_due_gravest_first_until_they_are_delivered_or_dead() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
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
        let found = store.due_messages(at, 10).await.unwrap();
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
    assert_eq!(store.next_due().await.unwrap(), Some(later.plus_ms(500)));
    assert_eq!(due(later.plus_ms(500)).await, ["whk_0001"]);
    let dead = store.message(&"whk_0003".into()).await.unwrap().unwrap();
    assert_eq!((dead.state.as_str(), dead.reason.as_deref()), ("dead", Some("refused")));
    assert_eq!(dead.attempt_log.unwrap()[0].status, Some(500));
    // A person may send it again: the same bytes.
    assert!(store.replay(&"whk_0003".into(), later).await.unwrap());
    let again = store.due_messages(later, 10).await.unwrap();
    assert_eq!(
        (again[0].body.as_slice(), again[0].attempts),
        (b"{\"number\":3}".as_slice(), 0)
    );
    assert!(!store.replay(&"whk_none".into(), later).await.unwrap());
}

#[tokio::test]
async fn an_endpoint_that_is_off_is_left_alone_until_it_is_wanted_again() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
    store
        .commit(Commit {
            messages: vec![message(1, false)],
            ..commit(run(1, 1))
        })
        .await
        .unwrap();
    let later = START.plus_ms(1_000);
    store
        .endpoint_off("ops".into(), "it answered 410 Gone".to_owned())
        .await
        .unwrap();
    assert!(store.due_messages(later, 10).await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), None);
    assert_eq!(
        store.endpoints().await.unwrap()[0].off_reason.as_deref(),
        Some("it answered 410 Gone")
    );
    assert!(store.replay(&"whk_0001".into(), later).await.unwrap());
    assert_eq!(store.due_messages(later, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn lists_are_paged_and_filtered() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
    for number in 1..=5 {
        let record = RunRecord {
            verdict: (number % 2 == 0).then_some(Verdict::Healthy),
            ..run(number, 1)
        };
        store.commit(commit(record)).await.unwrap();
    }
    let filter = |before: Option<String>, verdict: Option<&str>| RunFilter {
        before,
        verdict: verdict.map(str::to_owned),
        limit: 2,
        ..RunFilter::default()
    };
    let ids = |page: &Page<RunView>| page.items.iter().map(|run| run.id.clone()).collect::<Vec<_>>();
    let first = store.list_runs(filter(None, None)).await.unwrap();
    assert_eq!(ids(&first), ["run_0005", "run_0004"]);
    let second = store.list_runs(filter(first.next, None)).await.unwrap();
    assert_eq!(ids(&second), ["run_0003", "run_0002"]);
    let last = store.list_runs(filter(second.next, None)).await.unwrap();
    assert_eq!((ids(&last), last.next), (vec!["run_0001".to_owned()], None));
    assert_eq!(
        ids(&store.list_runs(filter(None, Some("healthy"))).await.unwrap()),
        ["run_0004", "run_0002"]
    );
    assert_eq!(store.unfinished_runs().await.unwrap().len(), 5);
    assert_eq!(store.apps().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_pause_ends_by_itself_or_by_hand() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
    let until = START.plus_ms(5_000);
    store.pause("shop", until).await.unwrap();
    assert_eq!(store.paused_until("shop", START).await.unwrap(), Some(until));
    assert_eq!(store.paused_until("blog", START).await.unwrap(), None);
    assert_eq!(store.paused_until("shop", until.plus_ms(1)).await.unwrap(), None);
    assert!(store.resume("shop").await.unwrap());
    assert!(!store.resume("shop").await.unwrap());
    assert!(store.pauses(START).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let Open { store, folder, .. } = open().await;
    store.accept(delivery(1, HeardEvent::Ready)).await.unwrap();
    store.save_config("hash", "text").await.unwrap();
    store.close().await;
    drop(store);
    let again = Store::open(&url(&folder), Clock::manual(START).0).await.unwrap();
    assert_eq!(again.unhandled_deliveries(10).await.unwrap().len(), 1);
    assert_eq!(again.config("hash").await.unwrap().as_deref(), Some("text"));
}

#[tokio::test]
async fn what_arrives_together_is_committed_together() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
    let before = store.counters();
    let accepts = (0..200).map(|number| store.accept(delivery(number, HeardEvent::Live)));
    let stored = futures_util::future::join_all(accepts).await;
    assert!(stored.iter().all(|accepted| matches!(accepted, Ok(Accepted::Stored))));
    let after = store.counters();
    assert_eq!(after.items - before.items, 200);
    assert!(after.commits - before.commits < 50, "{after:?}");
}

#[tokio::test]
async fn a_failing_item_leaves_those_beside_it_alone() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
    store.commit(commit(run(1, 1))).await.unwrap();
    let (stale, fine, accepted) = futures_util::join!(
        store.commit(commit(run(1, 7))),
        store.commit(commit(run(2, 1))),
        store.accept(delivery(1, HeardEvent::Ready))
    );
    assert!(matches!(stale, Err(Error::Stale { .. })));
    assert!(fine.is_ok() && accepted.is_ok());
}

#[tokio::test]
async fn who_may_not_open_it_is_told_why() {
    let Open { store, folder, .. } = open().await;
    let clock = || Clock::manual(START).0;
    let second = Store::open(&url(&folder), clock()).await;
    assert!(matches!(second, Err(Error::Locked(_))));
    store.close().await;
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    assert!(matches!(
        Store::open(&url(&folder), clock()).await,
        Err(Error::NewerSchema { found: 99, .. })
    ));
    assert!(matches!(
        Store::open("mysql://x", clock()).await,
        Err(Error::Address(_))
    ));
    std::fs::write(folder.path().join("bad.db"), vec![7; 5_000]).unwrap();
    let damaged = Store::open(&format!("sqlite://{}/bad.db", folder.path().display()), clock()).await;
    assert!(matches!(damaged, Err(Error::Corrupt(_))));
}

#[tokio::test]
async fn a_file_that_somebody_holds_is_busy_and_then_works_again() {
    let Open { store, folder, .. } = open().await;
    let file = rusqlite::Connection::open(folder.path().join("test.db")).unwrap();
    file.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.accept(delivery(1, HeardEvent::Ready)).await;
    assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
    file.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        store.accept(delivery(1, HeardEvent::Ready)).await.unwrap(),
        Accepted::Stored
    );
}

#[tokio::test]
async fn names_are_read_without_a_trace() {
    let folder = TempDir::new().unwrap();
    let files = || -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names_seen(&url(&folder)), None);
    assert_eq!(files(), Vec::<String>::new());
    let store = Store::open(&url(&folder), Clock::manual(START).0).await.unwrap();
    store.accept(delivery(1, HeardEvent::Ready)).await.unwrap();
    let seen = Some(Names {
        apps: ["shop".to_owned()].into(),
        environments: BTreeSet::new(),
    });
    // While somebody has it open, and after.
    assert_eq!(names_seen(&url(&folder)), seen);
    store.close().await;
    drop(store);
    let before = files();
    assert_eq!(names_seen(&url(&folder)), seen);
    assert_eq!(files(), before);
    std::fs::write(folder.path().join("test.db"), "this is no database").unwrap();
    assert_eq!(names_seen(&url(&folder)), None);
}

/// What is live is known if a run was about it, or about one in its place that was made no earlier.
#[tokio::test]
async fn what_no_run_was_about_is_known_only_if_it_is_older() {
    let Open {
        store, folder: _folder, ..
    } = open().await;
    let made_at = START.plus_ms(5_000);
    let state = format!("{{\"deployment\":{{\"created_at\":{}}}}}", made_at.as_millis());
    let heard = RunRecord { state, ..run(1, 1) };
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

fn live(id: &str, key: AppKey, created_at: Option<Timestamp>) -> Deployment {
    Deployment {
        key,
        id: id.into(),
        app: "shop".to_owned(),
        environment: "production".to_owned(),
        preview: false,
        state: DeploymentState::Good,
        state_word: String::new(),
        current: true,
        rollback: false,
        rolled_back_from: None,
        commit: DeployedCommit::default(),
        url: None,
        own_url: None,
        created_at,
    }
}
