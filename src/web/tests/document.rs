//! The API's document: it is the one beside the docs, and everything in it answers.

use super::*;

/// The document as it is served.
async fn document() -> serde_json::Value {
    let (status, _, body) = site().await.get("/api/v1/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn the_document_beside_the_docs_is_the_one_that_is_served() {
    let served = format!("{:#}\n", document().await);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
    if std::env::var_os("BACKSTOP_WRITE_DOCUMENT").is_some() {
        std::fs::write(file, &served).unwrap();
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        kept == served,
        "the API has changed; BACKSTOP_WRITE_DOCUMENT=1 cargo test --lib web::tests::document writes docs/openapi.json anew"
    );
}

#[tokio::test]
async fn everything_in_the_document_stands_behind_the_gate() {
    let site = site_with(TOKENS, |_| ()).await;
    let document = document().await;
    let mut asked = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "x").replace("{name}", "x").replace("{app}", "x");
        for (method, operation) in operations.as_object().unwrap() {
            let method: Method = method.to_ascii_uppercase().parse().unwrap();
            let ask = |token: &'static str| Ask {
                method: method.clone(),
                ..Ask::get(&path).with("authorization", token)
            };
            let nobody = site.ask(ask("Bearer nobody")).await.status();
            assert_eq!(nobody, StatusCode::UNAUTHORIZED, "{method} {path}");
            let reader = site
                .ask(ask(concat!("Bearer ", "the-read-token-of-tests")))
                .await
                .status();
            assert_eq!(
                reader == StatusCode::FORBIDDEN,
                method != Method::GET,
                "{method} {path}: {reader}"
            );
            assert!(operation["summary"].is_string(), "{method} {path} says what it does");
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
}

#[tokio::test]
async fn a_null_character_is_refused_before_a_store_sees_it() {
    let site = site().await;
    let (status, _, body) = site.get("/api/v1/runs?app=a%00b").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let ask = Ask::post("/api/v1/pauses", r#"{"app": "a\u0000b", "for": "2h"}"#);
    assert_eq!(site.ask(ask).await.status(), StatusCode::BAD_REQUEST);
}
