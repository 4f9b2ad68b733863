//! The pages of what was received and sent: what they show, how much of it, and to whom.

use super::*;
use crate::domain::{EndpointName, MessageId, OutcomeEvent};
use crate::store::{NewDelivery, NewMessage};

const PAGES: [&str; 7] = [
    "/deliveries",
    "/deliveries/dlv_1",
    "/messages",
    "/messages/whk_1",
    "/endpoints",
    "/config",
    "/pauses",
];

/// A delivery, a message and a pause; what others wrote of them is `text`, and their payload `body`.
async fn fill(site: &Site, text: &str, body: &str) {
    let delivery = NewDelivery {
        id: "dlv_1".into(),
        platform: "temps".into(),
        received_at: START,
        event_word: Some(text.to_owned()),
        heard: None,
        note: Some(text.to_owned()),
        opened_app: None,
        dedup_key: b"1".to_vec(),
        headers: vec![("user-agent".to_owned(), text.to_owned())],
        body: body.as_bytes().to_vec(),
    };
    site.store.accept(delivery).await.unwrap();
    let message = NewMessage {
        id: MessageId::new("whk_1"),
        endpoint: EndpointName::new("ops"),
        run: None,
        subject: None,
        seq: 0,
        gravity: 0,
        event: OutcomeEvent::SmokeTestFailed,
        content_type: "application/json".to_owned(),
        body: body.as_bytes().to_vec(),
        page: false,
        created_at: START,
    };
    site.store.queue(vec![message]).await.unwrap();
    site.store.pause(text, START.plus_ms(60_000)).await.unwrap();
}

#[tokio::test]
async fn what_others_wrote_stays_text() {
    let site = site().await;
    fill(&site, HOSTILE, &serde_json::json!({ HOSTILE: HOSTILE }).to_string()).await;
    for path in PAGES {
        let (status, _, page) = site.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(!page.contains("<script>") && !page.contains("<img"), "{path}: {page}");
        let shows = !matches!(path, "/messages" | "/endpoints" | "/config");
        assert_eq!(page.contains("alert(1)"), shows, "{path}: {page}");
    }
    assert_eq!(site.get("/deliveries/dlv_2").await.0, StatusCode::NOT_FOUND);
    assert_eq!(site.get("/messages/whk_2").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_payload_is_laid_out_and_only_its_beginning_is_shown() {
    let site = site().await;
    fill(
        &site,
        "shop",
        &serde_json::json!({ "a": "é".repeat(200_000) }).to_string(),
    )
    .await;
    for path in ["/deliveries/dlv_1", "/messages/whk_1"] {
        let (_, _, page) = site.get(path).await;
        assert!(
            page.contains("{\n  &#34;a&#34;: ") && page.contains("This is its beginning"),
            "{path}"
        );
        assert!(page.len() < 60_000, "{path}: {}", page.len());
    }
}

#[tokio::test]
async fn whoever_may_only_see_is_given_nothing_to_press() {
    let site = site_with(TOKENS, |_| ()).await;
    fill(&site, "shop", "{}").await;
    let shown = async |path, token: &str| {
        let bearer = format!("Bearer {token}");
        let answer = site.ask(Ask::get(path).with("authorization", &bearer)).await;
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec())
            .unwrap()
            .matches("<form method=\"post\"")
            .count()
    };
    for path in PAGES {
        assert_eq!(shown(path, READ).await, 0, "{path}");
    }
    assert_eq!(
        (shown("/messages/whk_1", ADMIN).await, shown("/pauses", ADMIN).await),
        (1, 2)
    );
    for path in [
        "/messages/whk_1/replay",
        "/endpoints/ops/test",
        "/endpoints/ops/enable",
        "/endpoints/ops/disable",
        "/endpoints/ops/replay",
        "/pauses",
        "/pauses/shop/resume",
    ] {
        let bearer = format!("Bearer {READ}");
        let answer = site.ask(Ask::post(path, "").with("authorization", &bearer)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn a_form_pauses_and_resumes() {
    let site = site().await;
    let paused = async || {
        let pauses = site.store.pauses(START).await.unwrap();
        pauses.into_iter().map(|pause| pause.app).collect::<Vec<_>>()
    };
    let answer = site.ask(Ask::post("/pauses", "app=+shop+eu&for=2h")).await;
    assert_eq!(
        (answer.status(), &answer.headers()["location"]),
        (StatusCode::SEE_OTHER, &HeaderValue::from_static("/pauses"))
    );
    assert_eq!(paused().await, ["shop eu"]);
    for wrong in ["app=&for=2h", "app=shop&for=", "app=shop&for=2y", ""] {
        assert_eq!(
            site.ask(Ask::post("/pauses", wrong)).await.status(),
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
    site.ask(Ask::post("/pauses/shop%20eu/resume", "")).await;
    assert_eq!(paused().await, Vec::<String>::new());
}
