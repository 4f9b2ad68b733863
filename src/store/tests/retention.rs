//! What is removed, in which order, and what never is.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const DAY_MS: u64 = 24 * 3_600_000;

fn days(number: u64) -> Timestamp {
    START.plus_ms(number * DAY_MS)
}

/// Nothing goes for its size.
fn by_age(days: u64) -> Retention {
    Retention {
        keep: Duration::from_millis(days * DAY_MS),
        bytes_max: u64::MAX,
    }
}

/// Nothing goes for its age.
fn by_size(bytes_max: u64) -> Retention {
    Retention {
        bytes_max,
        ..by_age(3_650)
    }
}

fn told(count: usize, bytes: usize) -> Vec<JournalEntry> {
    let entry = |_| JournalEntry {
        at: START,
        kind: "probes".to_owned(),
        text: "x".repeat(bytes),
        data: None,
    };
    (0..count).map(entry).collect()
}

/// A run that ended at `at`, or is under way, with a story.
async fn begin(store: &Store, number: u32, ended_at: Option<Timestamp>, journal: Vec<JournalEntry>) {
    let run = RunRecord {
        ended_at,
        ..run(number, 1)
    };
    let commit = Commit { journal, ..commit(run) };
    store.commit(commit).await.unwrap();
}

async fn post(store: &Store, number: u32, at: Timestamp, bytes: usize, is_delivered: bool) {
    let new = NewMessage {
        body: vec![b'x'; bytes],
        created_at: at,
        ..message(number, false)
    };
    let id = new.id.clone();
    let carrier = Commit {
        messages: vec![new],
        ..commit(run(90_000 + number, 1))
    };
    store.commit(carrier).await.unwrap();
    if is_delivered {
        store.record_attempt(attempt(&id), Next::Delivered).await.unwrap();
    }
}

async fn receive(store: &Store, number: u32, at: Timestamp, bytes: usize, is_done: bool) -> Accepted {
    let new = NewDelivery {
        received_at: at,
        note: is_done.then(|| "kept".to_owned()),
        body: vec![b'x'; bytes],
        ..delivery(number, HeardEvent::Live)
    };
    store.accept(new).await.unwrap()
}

async fn runs_left(store: &Store) -> BTreeSet<String> {
    let filter = RunFilter {
        limit: PAGE_MAX,
        ..RunFilter::default()
    };
    let runs = store.list_runs(filter).await.unwrap().items;
    runs.into_iter()
        .map(|run| run.id)
        .filter(|id| !id.starts_with("run_9"))
        .collect()
}

async fn deliveries_left(store: &Store) -> BTreeSet<String> {
    let left = store.list_deliveries(deliveries(PAGE_MAX)).await.unwrap().items;
    left.into_iter().map(|delivery| delivery.id).collect()
}

async fn messages_left(store: &Store) -> BTreeSet<String> {
    let left = store.list_messages(messages(PAGE_MAX)).await.unwrap().items;
    left.into_iter().map(|message| message.id).collect()
}

fn ids<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.map(str::to_owned).into()
}

pub(super) async fn what_is_old_goes_and_what_somebody_waits_for_stays(open: Open) {
    let store = open.store;
    store.save_config("hash", "of the run under way").await.unwrap();
    store.save_config("other", "of nobody").await.unwrap();
    begin(&store, 1, Some(START), told(3, 10)).await;
    begin(&store, 2, None, told(3, 10)).await;
    begin(&store, 3, Some(days(20)), told(3, 10)).await;
    receive(&store, 1, START, 10, true).await;
    receive(&store, 2, START, 10, false).await;
    receive(&store, 3, days(20), 10, true).await;
    post(&store, 1, START, 10, true).await;
    post(&store, 2, START, 10, false).await;
    post(&store, 3, days(20), 10, true).await;
    let ledger = vec![intent(2, "dep_2", 0)];
    let decided = Commit {
        ledger,
        ..commit(run(2, 2))
    };
    store.commit(decided).await.unwrap();
    let purged = store.purge(days(31), by_age(30)).await.unwrap();
    assert_eq!(
        purged,
        Purged {
            too_old: 3,
            ..Purged::default()
        }
    );
    assert_eq!(runs_left(&store).await, ids(["run_0002", "run_0003"]));
    assert_eq!(deliveries_left(&store).await, ids(["dlv_0002", "dlv_0003"]));
    assert_eq!(messages_left(&store).await, ids(["whk_0002", "whk_0003"]));
    let story = async |id: &str| store.journal(&RunId::new(id), 0, 10).await.unwrap().items.len();
    assert_eq!(
        (
            story("run_0001").await,
            story("run_0002").await,
            story("run_0003").await
        ),
        (0, 3, 3)
    );
    assert_eq!(store.history(&key(), days(31)).await.unwrap().intents, 1);
    assert!(store.config("hash").await.unwrap().is_some());
    assert!(store.config("other").await.unwrap().is_none());
    // And again: there is nothing left to do.
    let again = store.purge(days(31), by_age(30)).await.unwrap();
    assert_eq!(again, Purged::default());
}

pub(super) async fn a_config_in_force_stays_although_no_run_is_left_of_it(open: Open) {
    let Open { store, clock, .. } = open;
    store.save_config("in force", "text").await.unwrap();
    store.save_config("gone", "text").await.unwrap();
    clock.advance(Duration::from_millis(40 * DAY_MS));
    store.save_config("in force", "text").await.unwrap();
    store.purge(days(40), by_age(30)).await.unwrap();
    assert!(store.config("in force").await.unwrap().is_some());
    assert!(store.config("gone").await.unwrap().is_none());
}

pub(super) async fn what_is_too_much_goes_oldest_first_until_the_rest_fits(open: Open) {
    let store = open.store;
    // The oldest of all are under way, waited for, queued.
    begin(&store, 900, None, told(2, 20_000)).await;
    receive(&store, 900, START, 20_000, false).await;
    post(&store, 900, START, 20_000, false).await;
    for number in 0..90_u32 {
        let at = START.plus_ms(1 + u64::from(number) * 1_000);
        match number % 3 {
            0 => begin(&store, number, Some(at), told(2, 20_000)).await,
            1 => drop(receive(&store, number, at, 20_000, true).await),
            _ => post(&store, number, at, 20_000, true).await,
        }
    }
    let held = store.bytes().await.unwrap();
    assert!(held > 2_000_000, "{held}");
    let fits = store.purge(days(1), by_size(held)).await.unwrap();
    assert_eq!(fits, Purged::default());
    let purged = store.purge(days(1), by_size(held / 2)).await.unwrap();
    assert_eq!((purged.too_old, purged.over_bytes), (0, 0));
    assert!(store.bytes().await.unwrap() <= held / 2);
    let left = |ids: BTreeSet<String>| -> BTreeSet<u32> { ids.iter().map(|id| id[4..].parse().unwrap()).collect() };
    let mut left = [
        left(runs_left(&store).await),
        left(deliveries_left(&store).await),
        left(messages_left(&store).await),
    ];
    for kind in &mut left {
        assert!(kind.remove(&900), "what somebody waits for is there");
    }
    let left: BTreeSet<u32> = left.into_iter().flatten().collect();
    // Not one that is older than one that went, and not much more than had to.
    let first = *left.first().unwrap();
    assert_eq!(left, (first..90).collect());
    assert!((35..60).contains(&first), "{first}");
    assert_eq!(u64::from(first), purged.too_much);
    // A duplicate of what is gone is still a duplicate.
    let again = receive(&store, 1, days(1), 1, true).await;
    assert!(matches!(again, Accepted::Duplicate { .. }), "{again:?}");
}

pub(super) async fn where_nothing_may_go_it_is_said_by_how_much_there_is_too_much(open: Open) {
    let store = open.store;
    begin(&store, 1, None, told(2, 20_000)).await;
    let held = store.bytes().await.unwrap();
    let purged = store.purge(days(1), by_size(held - 1_000)).await.unwrap();
    assert_eq!((purged.too_old, purged.too_much), (0, 0));
    assert!((1_000..10_000).contains(&purged.over_bytes), "{purged:?}");
    assert_eq!(runs_left(&store).await, ids(["run_0001"]));
}

pub(super) async fn no_transaction_removes_more_than_some_hundred_rows(open: Open) {
    let store = open.store;
    begin(&store, 1, Some(START), told(2_600, 1)).await;
    for number in 0..1_100 {
        receive(&store, number, START, 1, true).await;
    }
    let before = store.counters().commits;
    store.purge(days(31), by_age(30)).await.unwrap();
    let commits = store.counters().commits - before;
    // A story of 2,600 entries is six of them, 1,100 deliveries 100 each, their keys three, the rest one.
    assert!((17..=24).contains(&commits), "{commits}");
    assert_eq!(runs_left(&store).await, ids([]));
    assert_eq!(deliveries_left(&store).await, ids([]));
    assert!(matches!(receive(&store, 1, days(31), 1, true).await, Accepted::Stored));
}

pub(super) async fn a_run_that_was_taken_up_again_stays(open: Open) {
    let store = open.store;
    begin(&store, 1, Some(START), told(3, 10)).await;
    let found = sql::retention::oldest;
    let found = store
        .read(move |db| found(db, sql::retention::Kind::Run, None, 10))
        .await;
    let found = found.unwrap();
    assert_eq!(found.len(), 1);
    let reopened = RunRecord {
        ended_at: None,
        ..run(1, 2)
    };
    store.commit(commit(reopened)).await.unwrap();
    store.write(move |db| sql::retention::remove(db, &found)).await.unwrap();
    assert_eq!(runs_left(&store).await, ids(["run_0001"]));
    assert_eq!(
        store.journal(&RunId::new("run_0001"), 0, 10).await.unwrap().items.len(),
        3
    );
}

/// A kind of row, its age in hours before the purge, its size in bytes, and whether nothing waits for it.
type Item = (u8, u64, usize, bool);

/// What is left of `items`, by their index, after a purge at day 100.
async fn left_of(items: &[Item], retention: Retention, over_by: Option<u64>) -> (BTreeMap<usize, Item>, Purged, Store) {
    let store = Open::memory().store;
    for (index, (kind, hours, bytes, is_done)) in items.iter().enumerate() {
        let (number, at) = (
            u32::try_from(index).unwrap(),
            days(100).minus(Duration::from_secs(hours * 3_600)),
        );
        match kind {
            0 => begin(&store, number, is_done.then_some(at), told(2, *bytes)).await,
            1 => drop(receive(&store, number, at, *bytes, *is_done).await),
            _ => post(&store, number, at, *bytes, *is_done).await,
        }
    }
    let held = store.bytes().await.unwrap();
    let bytes_max = over_by.map_or(u64::MAX, |over| held.saturating_sub(over));
    let purged = store
        .purge(days(100), Retention { bytes_max, ..retention })
        .await
        .unwrap();
    assert!(store.bytes().await.unwrap() <= bytes_max.saturating_add(purged.over_bytes));
    let all = [
        runs_left(&store).await,
        deliveries_left(&store).await,
        messages_left(&store).await,
    ];
    let there: BTreeSet<(u8, usize)> = (0..)
        .zip(all)
        .flat_map(|(kind, ids)| ids.into_iter().map(move |id| (kind, id[4..].parse().unwrap())))
        .collect();
    let left = items.iter().copied().enumerate();
    let left = left.filter(|(index, item)| there.contains(&(item.0, *index))).collect();
    (left, purged, store)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_there_is_the_oldest_goes_and_no_more(
        // Deliveries have ids that sort by age; so they are drawn oldest first.
        mut items in prop::collection::vec((0..3_u8, 0..2_400_u64, 1..30_000_usize, any::<bool>()), 1..40),
        keep_days in 2..100_u64,
        over_by in prop::option::of(1..400_000_u64),
    ) {
        items.sort_by_key(|(_, hours, _, _)| std::cmp::Reverse(*hours));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (left, purged, _store) = runtime.block_on(left_of(&items, by_age(keep_days), over_by));
        let gone = items.iter().enumerate().filter(|(index, _)| !left.contains_key(index)).map(|(_, item)| *item);
        let gone: Vec<Item> = gone.collect();
        prop_assert!(gone.iter().all(|(_, _, _, is_done)| *is_done), "something was waited for: {gone:?}");
        prop_assert_eq!(gone.len() as u64, purged.too_old + purged.too_much);
        let too_old = |item: &Item| item.3 && item.1 > keep_days * 24;
        prop_assert!(!left.values().any(too_old), "too old and there: {left:?}");
        if over_by.is_none() {
            prop_assert!(gone.iter().all(too_old), "not too old and gone: {gone:?}");
        }
        let youngest_gone = gone.iter().map(|item| item.1).min().unwrap_or(u64::MAX);
        let oldest_left = left.values().filter(|item| item.3).map(|item| item.1).max().unwrap_or(0);
        prop_assert!(oldest_left <= youngest_gone, "{oldest_left} h is there, {youngest_gone} h is gone");
        if purged.over_bytes > 0 {
            prop_assert!(left.values().all(|item| !item.3), "over, and something could go: {left:?}");
        }
    }
}
