//! The stream of what changes: what it tells, and how it ends.

use std::time::Duration;

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use serde_json::Value as Json;

use super::*;

const PATH: &str = "/api/v1/events";
/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

fn quick(app: &mut App) {
    app.events.look_every = Duration::from_millis(10);
}

async fn listen(site: &Site, ask: Ask<'_>) -> BodyDataStream {
    let answer = site.ask(ask).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    answer.into_body().into_data_stream()
}

fn bearer(token: &'static str) -> Ask<'static> {
    let line = if token == ADMIN {
        "Bearer the-admin-token-of-tests"
    } else {
        "Bearer the-read-token-of-tests"
    };
    Ask::get(PATH).with("authorization", line)
}

/// The next piece; `None` when the stream has ended.
async fn next(site: &Site, stream: &mut BodyDataStream) -> Option<String> {
    let waited = async {
        loop {
            // The looks are apart by the program's time, which stands still unless moved.
            site.hand.advance(Duration::from_millis(20));
            match tokio::time::timeout(Duration::from_millis(20), stream.next()).await {
                Ok(piece) => return piece.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap()),
                Err(_) => continue,
            }
        }
    };
    tokio::time::timeout(SOON, waited).await.expect("soon")
}

/// The next event that is one, and its id.
async fn event(site: &Site, stream: &mut BodyDataStream) -> (String, String, Json) {
    loop {
        let piece = next(site, stream).await.expect("no end");
        let field = |name: &str| {
            piece
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::to_owned)
        };
        if let (Some(id), Some(event), Some(data)) = (field("id: "), field("event: "), field("data: ")) {
            return (id, event, serde_json::from_str(&data).unwrap());
        }
    }
}

#[tokio::test]
async fn a_listener_is_told_what_changed_and_nothing_of_what_was_there() {
    let site = site_with("", quick).await;
    site.fill("before").await;
    let mut stream = listen(&site, Ask::get(PATH)).await;
    assert_eq!(event(&site, &mut stream).await.1, "reset", "whoever is new reads all");
    site.store.pause("shop", START.plus_ms(3_600_000)).await.unwrap();
    let (_, kind, data) = event(&site, &mut stream).await;
    assert_eq!(kind, "change");
    assert_eq!(data, serde_json::json!({"kind": "pause", "app": "shop"}));
    site.store.resume("shop").await.unwrap();
    assert_eq!(
        event(&site, &mut stream).await.2["kind"],
        "pause",
        "its end is a change too"
    );
    site.fill_run("run_0002", "shop").await;
    let (_, _, data) = event(&site, &mut stream).await;
    let expected = serde_json::json!({
        "kind": "run", "id": "run_0002", "run": "run_0002", "app": "shop", "environment": "shop",
        "phase": "done", "verdict": "unhealthy",
    });
    assert_eq!(data, expected);
}

#[tokio::test]
async fn whoever_comes_again_is_told_what_was_missed_or_to_read_all() {
    let site = site_with("", quick).await;
    let mut stream = listen(&site, Ask::get(PATH)).await;
    let (start, ..) = event(&site, &mut stream).await;
    site.store.pause("a", START.plus_ms(3_600_000)).await.unwrap();
    let (id, ..) = event(&site, &mut stream).await;
    drop(stream);
    site.store.pause("b", START.plus_ms(3_600_000)).await.unwrap();
    site.hand.advance(Duration::from_secs(1));
    let mut again = listen(&site, Ask::get(PATH).with("last-event-id", &id)).await;
    assert_eq!(event(&site, &mut again).await.2["app"], "b");
    let mut both = listen(&site, Ask::get(PATH).with("last-event-id", &start)).await;
    let missed = next(&site, &mut both).await.unwrap();
    assert!(missed.contains("\"a\"") && missed.contains("\"b\""), "{missed}");
    for unknown in ["evt_other-1", "nonsense", "", &format!("{start}9999")] {
        let mut stream = listen(&site, Ask::get(PATH).with("last-event-id", unknown)).await;
        assert_eq!(event(&site, &mut stream).await.1, "reset", "{unknown}");
    }
    // Nobody looked for long: more may have passed than a look finds.
    let newest = event(&site, &mut listen(&site, Ask::get(PATH)).await).await.0;
    site.hand.advance(Duration::from_secs(60));
    let mut late = listen(&site, Ask::get(PATH).with("last-event-id", &newest)).await;
    assert_eq!(event(&site, &mut late).await.1, "reset");
    assert_eq!(
        event(&site, &mut again).await.1,
        "reset",
        "and who listened all the time"
    );
}

#[tokio::test]
async fn a_stream_ends_with_what_let_it_begin() {
    let site = site_with(TOKENS, quick).await;
    let cookie = sign_in::sign_in(&site, READ).await;
    let mut of_session = listen(&site, Ask::get(PATH).with("cookie", &cookie)).await;
    let mut of_reader = listen(&site, bearer(READ)).await;
    let mut of_admin = listen(&site, bearer(ADMIN)).await;
    for stream in [&mut of_session, &mut of_reader, &mut of_admin] {
        assert_eq!(event(&site, stream).await.1, "reset");
    }
    let out = Ask::post("/sign-out", "").with("cookie", &cookie);
    site.ask(out).await;
    assert_eq!(next(&site, &mut of_session).await, None, "signed out");
    site.config
        .store(Arc::new(config(&TOKENS.replace("secret.ADMIN", "secret.OTHER"))));
    assert_eq!(next(&site, &mut of_admin).await, None, "another token");
    site.store.pause("a", START.plus_ms(3_600_000)).await.unwrap();
    assert_eq!(
        event(&site, &mut of_reader).await.2["app"],
        "a",
        "this one's token still holds"
    );
    assert_eq!(site.ask(Ask::get(PATH)).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn streams_end_with_the_agent_and_are_bounded() {
    let stop = CancellationToken::new();
    let site = site_with("", |app| {
        quick(app);
        app.events.stop = stop.clone();
    })
    .await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(listen(&site, Ask::get(PATH)).await);
    }
    let refused = site.ask(Ask::get(PATH)).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["retry-after"], "10");
    streams.pop();
    let mut last = listen(&site, Ask::get(PATH)).await;
    assert_eq!(event(&site, &mut last).await.1, "reset");
    stop.cancel();
    assert_eq!(next(&site, &mut last).await, None);
}

#[tokio::test]
async fn whoever_is_too_slow_is_let_go() {
    let site = site_with("", quick).await;
    let mut slow = listen(&site, Ask::get(PATH)).await;
    let mut quick = listen(&site, Ask::get(PATH)).await;
    assert_eq!(event(&site, &mut slow).await.1, "reset");
    assert_eq!(event(&site, &mut quick).await.1, "reset");
    // More than is kept for somebody who does not read.
    for number in 0..300 {
        let app = format!("app-{number:03}");
        site.store.pause(&app, START.plus_ms(3_600_000)).await.unwrap();
        assert_eq!(event(&site, &mut quick).await.2["app"], app);
    }
    assert_eq!(next(&site, &mut slow).await, None);
}

#[tokio::test]
async fn a_quiet_stream_gives_signs_of_life() {
    let site = site_with("", quick).await;
    let mut stream = listen(&site, Ask::get(PATH)).await;
    assert_eq!(event(&site, &mut stream).await.1, "reset");
    assert_eq!(next(&site, &mut stream).await.unwrap(), ": still here\n\n");
}

#[tokio::test]
async fn what_another_agent_on_the_store_did_is_told_too() {
    let site = site_with("", quick).await;
    let other = site_over(site.store.clone(), "", quick);
    let mut stream = listen(&other, Ask::get(PATH)).await;
    assert_eq!(event(&other, &mut stream).await.1, "reset");
    site.fill_run("run_0001", "shop").await;
    assert_eq!(event(&other, &mut stream).await.2["run"], "run_0001");
}
