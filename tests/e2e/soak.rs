//! A short form of `cargo bench --bench outbox`: endpoints that are slow, failing, lying or gone cost the others nothing.

use crate::load::{Load, soak};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_endpoints_hold_up_nobody() {
    let load = Load {
        endpoints: 40,
        bad_every: 5,
        messages: 10,
    };
    // That every healthy endpoint got each message is asserted inside; a bad one takes 20 s for each that it does not answer.
    let seen = soak(load).await;
    println!("{seen:?}");
    assert_eq!((seen.healthy, seen.bad), (32, 8));
    assert!(
        seen.rest_s < 20.0 && seen.queued_s > 0.0,
        "as slow as the slowest: {seen:?}"
    );
    // What is kept for good (connections, statements, the database's pages) is there after the first parts. Who does not answer holds
    // its messages, and they cost little.
    let [.., middle, _, _, _, _, last] = seen.memory_kib[..] else {
        panic!("{seen:?}")
    };
    assert!(middle > 0 && last < middle + 8 * 1_024, "it grows: {seen:?}");
}
