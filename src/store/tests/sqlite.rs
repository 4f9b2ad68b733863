//! What is a file's own.

use tempfile::TempDir;

use super::*;

struct Open {
    store: Store,
    folder: TempDir,
}

async fn open() -> Open {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(&folder), Clock::manual(START).0).await.unwrap();
    Open { store, folder }
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
    let Open { store, folder: _folder } = open().await;
    let before = store.counters();
    let accepts = (0..200).map(|number| store.accept(delivery(number, HeardEvent::Live)));
    let stored = futures_util::future::join_all(accepts).await;
    assert!(stored.iter().all(|accepted| matches!(accepted, Ok(Accepted::Stored))));
    let after = store.counters();
    assert_eq!(after.items - before.items, 200);
    assert!(after.commits - before.commits < 50, "{after:?}");
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

/// Where no space can be kept back, what is under way is still written; new deliveries are refused until there is space.
#[tokio::test]
async fn without_space_to_keep_back_deliveries_are_refused_and_runs_go_on() {
    let folder = TempDir::new().unwrap();
    let reserve = folder.path().join("test.db.reserve");
    // A folder in its place is as good as a full disk.
    std::fs::create_dir(&reserve).unwrap();
    let (clock, hand) = Clock::manual(START);
    let store = Store::open(&url(&folder), clock).await.unwrap();
    let refused = store.accept(delivery(1, HeardEvent::Live)).await;
    assert!(matches!(refused, Err(Error::Full)), "{refused:?}");
    assert!(matches!(store.writable().await, Err(Error::Full)));
    store.commit(commit(run(1, 1))).await.unwrap();
    std::fs::remove_dir(&reserve).unwrap();
    hand.advance(Duration::from_secs(5));
    store.writable().await.unwrap();
    assert_eq!(
        store.accept(delivery(1, HeardEvent::Live)).await.unwrap(),
        Accepted::Stored
    );
    assert!(reserve.metadata().unwrap().len() > 1_000_000);
}
