//! What is a server's own: agents that start together, a server that goes away, a newer schema.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn agents_that_start_together_make_the_schema_once() {
    let (_server, url) = fresh_database().await;
    let opens = (0..8).map(|_| Store::open(&url, Clock::manual(START).0));
    let stores = futures_util::future::join_all(opens).await;
    for store in stores {
        let store = store.unwrap();
        store.writable().await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
async fn what_two_agents_decide_at_once_one_of_them_does() {
    let (_server, url) = fresh_database().await;
    let first = Store::open(&url, Clock::manual(START).0).await.unwrap();
    let second = Store::open(&url, Clock::manual(START).0).await.unwrap();
    for number in 0..40 {
        let about = |by: u32| {
            let run = RunRecord {
                deployment: format!("dep_{number}").as_str().into(),
                ..run(number * 2 + by, 1)
            };
            Commit {
                only: true,
                ..commit(run)
            }
        };
        let both = tokio::join!(first.commit(about(0)), second.commit(about(1)));
        assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
        let loser = both.0.and(both.1).unwrap_err();
        assert!(loser.is_conflict(), "{loser:?}");
    }
    for number in 0..20 {
        let with = |by: u32| Commit {
            ledger: vec![intent(
                1_000 + number * 2 + by,
                &format!("bad_{number}_{by}"),
                u64::from(number),
            )],
            ..commit(run(1_000 + number * 2 + by, 1))
        };
        let both = tokio::join!(first.commit(with(0)), second.commit(with(1)));
        assert!(both.0.is_ok() != both.1.is_ok(), "{both:?}");
    }
    assert_eq!(first.history(&key(), START).await.unwrap().intents, 20);
}

#[tokio::test]
async fn a_server_that_goes_away_is_an_error_and_then_works_again() {
    let server = Arc::new(tokio::task::spawn_blocking(|| Cluster::start(false)).await.unwrap());
    let at = Arc::clone(&server);
    let url = tokio::task::spawn_blocking(move || at.database()).await.unwrap();
    let store = Store::open(&url, Clock::manual(START).0).await.unwrap();
    store.accept(delivery(1, HeardEvent::Live)).await.unwrap();
    let at = Arc::clone(&server);
    tokio::task::spawn_blocking(move || at.kill()).await.unwrap();
    for _ in 0..10 {
        let refused = store.accept(delivery(2, HeardEvent::Live)).await;
        assert!(matches!(refused, Err(Error::Unreachable { .. })), "{refused:?}");
    }
    assert!(store.list_deliveries(deliveries(10)).await.is_err());
    let at = Arc::clone(&server);
    tokio::task::spawn_blocking(move || at.serve()).await.unwrap();
    assert_eq!(
        store.accept(delivery(2, HeardEvent::Live)).await.unwrap(),
        Accepted::Stored
    );
    assert_eq!(store.list_deliveries(deliveries(10)).await.unwrap().items.len(), 2);
    store.close().await;
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_an_address_does_not_tell_its_password() {
    let (server, url) = fresh_database().await;
    Store::open(&url, Clock::manual(START).0).await.unwrap().close().await;
    let (at, behind) = (url.clone(), Arc::clone(&server));
    let newer = move || {
        behind
            .connect(&at)
            .batch_execute("UPDATE backstop_schema SET version = 99")
    };
    tokio::task::spawn_blocking(newer).await.unwrap().unwrap();
    let refused = Store::open(&url, Clock::manual(START).0).await;
    assert!(
        matches!(refused, Err(Error::NewerSchema { found: 99, .. })),
        "{:?}",
        refused.err()
    );
    let clock = Clock::manual(START).0;
    let nobody = Store::open("postgres://me:hunter2@127.0.0.1:1/db", clock.clone())
        .await
        .err()
        .unwrap();
    assert!(matches!(nobody, Error::Unreachable { .. }));
    let wrong = Store::open("postgres://me:hunter2@host:port/db", clock)
        .await
        .err()
        .unwrap();
    for error in [nobody, wrong] {
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_call_reaches_the_others() {
    let (_server, url) = fresh_database().await;
    let first = Store::open(&url, Clock::manual(START).0).await.unwrap();
    let second = Store::open(&url, Clock::manual(START).0).await.unwrap();
    // Each hears one call of its own when it begins to listen.
    second.called().await;
    first.call_others().await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), second.called())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_zero_byte_in_a_text_is_stored_as_what_it_is_not() {
    let (_server, url) = fresh_database().await;
    let store = Store::open(&url, Clock::manual(START).0).await.unwrap();
    let odd = NewDelivery {
        event_word: Some("a\0b".to_owned()),
        ..delivery(1, HeardEvent::Live)
    };
    store.accept(odd).await.unwrap();
    let event = store.list_deliveries(deliveries(10)).await.unwrap().items[0]
        .event
        .clone();
    assert_eq!(event.as_deref(), Some("a\u{fffd}b"));
}
