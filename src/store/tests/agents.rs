//! Several agents on one store: leases, fences, and who takes what.

use super::*;
use crate::domain::AgentId;

const LEASE_MS: u64 = 30_000;

fn agent(number: u32) -> AgentId {
    AgentId::new(format!("agt_{number}"))
}

fn by(number: u32, run: RunRecord) -> Commit {
    Commit {
        agent: agent(number),
        ..commit(run)
    }
}

/// Makes the lease of `agent` run out, whoever measures it.
async fn kill(store: &Store, agent: &AgentId) {
    store.release(agent).await.unwrap();
}

pub(super) async fn a_run_is_its_owners_until_the_lease_ends(open: Open) {
    let store = open.store;
    for number in [1, 2] {
        store.enroll(&agent(number), LEASE_MS).await.unwrap();
    }
    // A store that only one agent can have open takes the second for a successor.
    store.renew(&agent(1), LEASE_MS).await.unwrap();
    store.commit(by(1, run(1, 1))).await.unwrap();
    assert_eq!(store.take_over(&agent(2), 10).await.unwrap(), []);
    kill(&store, &agent(1)).await;
    let taken = store.take_over(&agent(2), 10).await.unwrap();
    assert_eq!((taken.len(), taken[0].run.fence, taken[0].hold_ms), (1, 2, 0));
    // Nobody takes it twice.
    store.renew(&agent(3), LEASE_MS).await.unwrap();
    assert_eq!(store.take_over(&agent(3), 10).await.unwrap(), []);
    // The first one wakes up: what it writes is refused, although its version would follow.
    store.renew(&agent(1), LEASE_MS).await.unwrap();
    let late = store.commit(by(1, run(1, 2))).await;
    assert!(matches!(late, Err(Error::Fenced(_))), "{late:?}");
    let next = RunRecord { fence: 2, ..run(1, 2) };
    store.commit(by(2, next)).await.unwrap();
    assert_eq!(store.take_again(&agent(1), &"run_0001".into()).await.unwrap(), None);
    let again = store.take_again(&agent(2), &"run_0001".into()).await.unwrap().unwrap();
    assert_eq!((again.run.version, again.run.fence), (2, 3));
}

pub(super) async fn ended_runs_are_left_alone_until_a_person_wants_one(open: Open) {
    let store = open.store;
    store.enroll(&agent(1), LEASE_MS).await.unwrap();
    store.commit(by(1, ended(run(1, 1)))).await.unwrap();
    store.commit(by(1, run(2, 1))).await.unwrap();
    kill(&store, &agent(1)).await;
    let taken = store.take_over(&agent(2), 10).await.unwrap();
    assert_eq!(
        taken.iter().map(|taken| taken.run.id.as_str()).collect::<Vec<_>>(),
        ["run_0002"]
    );
    let wanted = store.take_ended(&agent(2), &"run_0001".into()).await.unwrap().unwrap();
    assert_eq!((wanted.fence, wanted.ended_at), (2, Some(START)));
    // One that is under way stays whose it is.
    let other = store.take_ended(&agent(3), &"run_0002".into()).await.unwrap().unwrap();
    assert_eq!((other.fence, other.ended_at), (2, None));
    assert_eq!(store.take_ended(&agent(2), &"run_0009".into()).await.unwrap(), None);
}

fn ended(run: RunRecord) -> RunRecord {
    RunRecord {
        ended_at: Some(START),
        action: Some("none".to_owned()),
        ..run
    }
}

pub(super) async fn whoever_takes_over_knows_for_how_long_a_call_may_be_under_way(open: Open) {
    let store = open.store;
    store.enroll(&agent(1), LEASE_MS).await.unwrap();
    let with = |version: u64, hold: Hold| Commit {
        hold,
        ..by(1, run(1, version))
    };
    store.commit(with(1, Hold::For(600_000))).await.unwrap();
    store.commit(with(2, Hold::Keep)).await.unwrap();
    kill(&store, &agent(1)).await;
    let taken = store.take_over(&agent(2), 10).await.unwrap();
    assert!((590_000..=600_000).contains(&taken[0].hold_ms), "{}", taken[0].hold_ms);
    let released = Commit {
        agent: agent(2),
        hold: Hold::Release,
        ..commit(RunRecord { fence: 2, ..run(1, 3) })
    };
    store.commit(released).await.unwrap();
    kill(&store, &agent(2)).await;
    assert_eq!(store.take_over(&agent(3), 10).await.unwrap()[0].hold_ms, 0);
}

pub(super) async fn one_run_for_each_deployment(open: Open) {
    let store = open.store;
    let about = |number: u32, only: bool, ended_at: Option<Timestamp>, action: &str| Commit {
        only,
        ..commit(RunRecord {
            deployment: "dep_1".into(),
            ended_at,
            action: Some(action.to_owned()),
            ..run(number, 1)
        })
    };
    let refused = |result: Result<(), Error>| assert!(matches!(result, Err(Error::RunTaken(_))), "{result:?}");
    // One that found nothing to judge does not count.
    store.commit(about(1, true, Some(START), "dismissed")).await.unwrap();
    store.commit(about(2, true, None, "")).await.unwrap();
    // While one is under way there is no second, not even by hand.
    refused(store.commit(about(3, true, None, "")).await);
    refused(store.commit(about(3, false, None, "")).await);
    let over = RunRecord {
        deployment: "dep_1".into(),
        version: 2,
        ..ended(run(2, 2))
    };
    store.commit(commit(over)).await.unwrap();
    // Once it was judged, only a person begins another.
    refused(store.commit(about(4, true, None, "")).await);
    store.commit(about(4, false, None, "")).await.unwrap();
}

pub(super) async fn a_delivery_begins_one_run(open: Open) {
    let store = open.store;
    store.accept(delivery(1, HeardEvent::Live)).await.unwrap();
    let takes = |number: u32| Commit {
        delivery: Some("dlv_0001".into()),
        ..commit(run(number, 1))
    };
    store.commit(takes(1)).await.unwrap();
    let second = store.commit(takes(2)).await;
    assert!(matches!(second, Err(Error::RunTaken(_))), "{second:?}");
    assert!(store.run(&"run_0002".into()).await.unwrap().is_none());
    let marks = vec![(DeliveryId::new("dlv_0001"), "kept".to_owned())];
    assert_eq!(store.mark_handled(marks).await.unwrap(), []);
}

pub(super) async fn a_message_is_given_to_one_agent(open: Open) {
    let store = open.store;
    store.enroll(&agent(1), LEASE_MS).await.unwrap();
    let messages = vec![message(1, false), message(2, false), message(3, true)];
    let queued = Commit {
        messages,
        ..commit(run(1, 1))
    };
    store.commit(queued).await.unwrap();
    let later = START.plus_ms(1_000);
    let take = async |number: u32, limit: usize| -> Vec<String> {
        let taken = store.take_due(&agent(number), later, due_any(limit)).await.unwrap();
        taken.into_iter().map(|message| message.id.to_string()).collect()
    };
    assert_eq!(take(1, 1).await, ["whk_0003"]);
    store.renew(&agent(2), LEASE_MS).await.unwrap();
    assert_eq!(take(2, 10).await, ["whk_0001", "whk_0002"]);
    assert_eq!(take(1, 10).await, Vec::<String>::new());
    // What a dead agent had taken is due again.
    kill(&store, &agent(1)).await;
    assert_eq!(take(2, 10).await, ["whk_0003"]);
    let retried = Next::RetryAt(later);
    store
        .record_attempt(attempt(&"whk_0003".into()), retried)
        .await
        .unwrap();
    assert_eq!(take(2, 10).await, ["whk_0003"]);
}

pub(super) async fn busy_endpoints_are_passed_over(open: Open) {
    let store = open.store;
    let other = NewMessage {
        endpoint: "chat".into(),
        ..message(2, false)
    };
    let queued = Commit {
        messages: vec![message(1, false), other],
        ..commit(run(1, 1))
    };
    store.commit(queued).await.unwrap();
    let later = START.plus_ms(1_000);
    let taken = store.take_due(&agent(1), later, full("ops")).await.unwrap();
    assert_eq!(
        taken.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(),
        ["whk_0002"]
    );
}

pub(super) async fn one_agent_has_a_duty(open: Open) {
    let store = open.store;
    store.renew(&agent(1), 30_000).await.unwrap();
    store.renew(&agent(2), 30_000).await.unwrap();
    assert!(store.take_duty(&agent(1), "purge", 60_000).await.unwrap());
    assert!(store.take_duty(&agent(1), "purge", 60_000).await.unwrap());
    assert!(!store.take_duty(&agent(2), "purge", 60_000).await.unwrap());
    assert!(store.take_duty(&agent(2), "reconcile", 60_000).await.unwrap());
}

pub(super) async fn the_duty_of_a_dead_agent_is_free(open: Open) {
    let store = open.store;
    store.renew(&agent(1), 30_000).await.unwrap();
    assert!(store.take_duty(&agent(1), "purge", 60_000).await.unwrap());
    assert!(!store.take_duty(&agent(2), "purge", 60_000).await.unwrap());
    store.release(&agent(1)).await.unwrap();
    assert!(store.take_duty(&agent(2), "purge", 60_000).await.unwrap());
}

pub(super) async fn messages_about_the_same_keep_their_order_but_for_graver_ones(open: Open) {
    let store = open.store;
    store.enroll(&agent(1), LEASE_MS).await.unwrap();
    let about = |number: u32, subject: &str, gravity: u32| NewMessage {
        subject: Some(subject.to_owned()),
        gravity,
        ..message(number, false)
    };
    let moment = |number: u32, seq: u32| NewMessage {
        seq,
        created_at: START.plus_ms(50),
        ..about(number, "c", 0)
    };
    let elsewhere = NewMessage {
        endpoint: "chat".into(),
        ..about(5, "a", 0)
    };
    let messages = vec![
        about(1, "a", 1),
        about(2, "a", 0),
        about(3, "a", 2),
        about(4, "b", 0),
        elsewhere,
        // Of one moment: the place in the run's order tells, and ten comes after nine.
        moment(6, 10),
        moment(7, 9),
    ];
    let queued = Commit {
        messages,
        ..commit(run(1, 1))
    };
    store.commit(queued).await.unwrap();
    let later = START.plus_ms(1_000);
    let take = async |due: Due| -> Vec<String> {
        let taken = store.take_due(&agent(1), later, due).await.unwrap();
        taken.into_iter().map(|message| message.id.to_string()).collect()
    };
    let record = async |id: &str, next: Next| store.record_attempt(attempt(&id.into()), next).await.unwrap();
    // The third overtakes the first, which goes out too; the second is no graver than either.
    assert_eq!(
        take(due_any(10)).await,
        ["whk_0003", "whk_0001", "whk_0005", "whk_0004", "whk_0007"]
    );
    // While they are tried again, what is behind them waits, and nothing else does.
    record("whk_0001", Next::RetryAt(later.plus_ms(60_000))).await;
    record("whk_0003", Next::Delivered).await;
    assert_eq!(take(due_any(10)).await, Vec::<String>::new());
    record("whk_0007", Next::Delivered).await;
    assert_eq!(take(due_any(10)).await, ["whk_0006"]);
    let reason = "given up".to_owned();
    record("whk_0001", Next::Dead { reason }).await;
    let only = |name: &str| Due {
        only: Some([name.into()].into()),
        ..due_any(10)
    };
    assert_eq!(take(only("chat")).await, Vec::<String>::new());
    assert_eq!(take(only("ops")).await, ["whk_0002"]);
}

pub(super) async fn what_was_given_up_is_replayed_by_filter(open: Open) {
    let store = open.store;
    store.enroll(&agent(1), LEASE_MS).await.unwrap();
    let other = NewMessage {
        endpoint: "chat".into(),
        ..message(4, false)
    };
    let messages = vec![message(1, false), message(2, false), message(3, false), other];
    let queued = Commit {
        messages,
        ..commit(run(1, 1))
    };
    store.commit(queued).await.unwrap();
    let later = START.plus_ms(1_000);
    let take = async || -> Vec<String> {
        let taken = store.take_due(&agent(1), later, due_any(10)).await.unwrap();
        taken.into_iter().map(|message| message.id.to_string()).collect()
    };
    take().await;
    for id in ["whk_0001", "whk_0003", "whk_0004"] {
        let reason = "refused".to_owned();
        let next = Next::Dead { reason };
        store.record_attempt(attempt(&id.into()), next).await.unwrap();
    }
    store
        .record_attempt(attempt(&"whk_0002".into()), Next::Delivered)
        .await
        .unwrap();
    let failed = ReplayFilter {
        endpoint: Some("ops".into()),
        failed: true,
        since: None,
        until: None,
        limit: 1,
    };
    let replay = async |filter: ReplayFilter| {
        let done = store.replay_all(filter, later).await.unwrap();
        (done.count, done.more)
    };
    assert_eq!(replay(failed.clone()).await, (1, true));
    assert_eq!(take().await, ["whk_0001"]);
    // What is under way is not doubled.
    assert!(store.replay(&"whk_0001".into(), later).await.unwrap());
    assert_eq!(take().await, Vec::<String>::new());
    let rest = ReplayFilter { limit: 10, ..failed };
    assert_eq!(replay(rest.clone()).await, (1, false));
    assert_eq!(take().await, ["whk_0003"]);
    // By time, and what was delivered too.
    let range = ReplayFilter {
        endpoint: None,
        failed: false,
        since: Some(START.plus_ms(2)),
        until: Some(START.plus_ms(4)),
        ..rest
    };
    assert_eq!(replay(range).await, (1, false));
    assert_eq!(take().await, ["whk_0002"]);
}
