//! One attempt at one message, against receivers of every kind.
#![expect(clippy::expect_used, reason = "these are tests")]

#[path = "outcomes/github.rs"]
mod github;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::IntoResponse as _;
use axum::routing::post;
use backstop::domain::{EndpointName, MessageId, Timestamp};
use backstop::http::{Client, Network};
use backstop::outcome::{Address, Attempted, Endpoint, Format, Next, RESPONSE_BYTES_MAX, attempt, judge_attempt};
use backstop::signature::{sign_standard, sign_timestamped};
use http::{HeaderMap, Response, StatusCode};
use tokio::net::TcpListener;

const SECRET: &str = "whsec_b3V0Y29tZS1zZWNyZXQtb2YtdGhlLXRlc3Rz";
const BODY: &[u8] = br#"{"event":"rollback.succeeded"}"#;
const WALL: Timestamp = Timestamp::from_millis(1_773_325_867_000);

type Seen = Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>;
type Answer = fn(&HeaderMap) -> Response<Body>;

/// A receiver that answers as told and keeps what it got; `/elsewhere` is where redirects lead.
async fn receiver(answer: Answer) -> (String, Seen) {
    let seen = Seen::default();
    let keep = move |path: &'static str| {
        post(
            move |State(seen): State<Seen>, headers: HeaderMap, body: Bytes| async move {
                let response = answer(&headers);
                seen.lock().expect("lock").push((path.to_owned(), headers, body));
                response
            },
        )
    };
    let router = Router::new()
        .route("/hooks/the-token-in-the-path", keep("hooks"))
        .route("/elsewhere", keep("elsewhere"))
        .with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}/hooks/the-token-in-the-path"), seen)
}

fn endpoint(url: &str, format: Format, secret: Option<&str>) -> Endpoint {
    Endpoint {
        secrets: secret.into_iter().map(Into::into).collect(),
        ..Endpoint::new(
            EndpointName::new("ops"),
            format,
            Address::parse(url).expect("an address"),
        )
    }
}

async fn attempted(endpoint: &Endpoint) -> Attempted {
    let client = Client::new(Network::default()).expect("a client");
    attempt(
        &client,
        endpoint,
        &MessageId::new("whk_1"),
        BODY,
        "application/json",
        WALL,
    )
    .await
}

async fn answered(answer: Answer) -> (Attempted, Seen) {
    let (url, seen) = receiver(answer).await;
    (attempted(&endpoint(&url, Format::Plain, Some(SECRET))).await, seen)
}

#[tokio::test]
async fn a_plain_message_is_signed_in_both_styles() {
    let (result, seen) = answered(|_| StatusCode::NO_CONTENT.into_response()).await;
    assert_eq!(
        (result.status, judge_attempt(&result, 1, 0)),
        (Some(204), Next::Delivered)
    );
    let seen = seen.lock().expect("lock");
    let [(_, headers, body)] = seen.as_slice() else {
        panic!("one request: {seen:?}")
    };
    assert_eq!(body.as_ref(), BODY);
    let signature = sign_timestamped(SECRET, WALL.as_secs(), BODY);
    let standard = sign_standard(SECRET, "whk_1", WALL.as_secs(), BODY).expect("a signature");
    for (name, value) in [
        ("x-webhook-timestamp", "1773325867"),
        ("x-webhook-signature", &signature),
        ("webhook-id", "whk_1"),
        ("webhook-timestamp", "1773325867"),
        ("webhook-signature", &standard),
        ("content-type", "application/json"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_chat_gets_no_signature_and_a_plain_secret_only_ours() {
    for (format, secret, ours, standard) in [
        (Format::Slack, None, false, false),
        (Format::Discord, Some(SECRET), false, false),
        (Format::Plain, None, false, false),
        (Format::Plain, Some("a-plain-secret"), true, false),
    ] {
        let (url, seen) = receiver(|_| StatusCode::OK.into_response()).await;
        attempted(&endpoint(&url, format, secret)).await;
        let (_, headers, _) = seen.lock().expect("lock").remove(0);
        assert_eq!(
            headers.contains_key("x-webhook-signature"),
            ours,
            "{format:?} {secret:?}"
        );
        assert_eq!(
            headers.contains_key("webhook-signature"),
            standard,
            "{format:?} {secret:?}"
        );
    }
}

#[tokio::test]
async fn while_a_secret_is_rotated_both_sign_and_the_address_is_signed_where_asked() {
    const NEW: &str = "whsec_bmV3LXNlY3JldC1vZi10aGUtb3V0Y29tZS10ZXN0cw==";
    let (url, seen) = receiver(|_| StatusCode::OK.into_response()).await;
    let rotating = Endpoint {
        secrets: vec![NEW.into(), SECRET.into()],
        key_id: Some("k1".to_owned()),
        headers: vec![(http::header::AUTHORIZATION, "Bearer a-token".parse().expect("a header"))],
        ..endpoint(&url, Format::Plain, None)
    };
    attempted(&rotating).await;
    let (_, headers, _) = seen.lock().expect("lock").remove(0);
    let of = |secret: &str| sign_standard(secret, "whk_1", WALL.as_secs(), BODY).expect("a signature");
    assert_eq!(headers["webhook-signature"], format!("{} {}", of(NEW), of(SECRET)));
    assert_eq!(
        headers["x-webhook-signature"],
        sign_timestamped(NEW, WALL.as_secs(), BODY)
    );
    assert_eq!(headers["authorization"], "Bearer a-token");
    let request = backstop::signature::SignedRequest {
        method: "POST",
        target_uri: &url,
        content_type: "application/json",
        body: BODY,
    };
    let signed = backstop::signature::sign_request(NEW, "k1", WALL.as_secs(), request);
    assert_eq!(headers["signature"], signed.signature);
    assert_eq!(headers["signature-input"], signed.signature_input);
    assert_eq!(headers["content-digest"], signed.content_digest);
}

#[tokio::test]
async fn a_key_pair_signs_only_what_its_public_half_can_verify() {
    const PAIR: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    let (url, seen) = receiver(|_| StatusCode::OK.into_response()).await;
    attempted(&endpoint(&url, Format::Plain, Some(PAIR))).await;
    let (_, headers, _) = seen.lock().expect("lock").remove(0);
    assert!(!headers.contains_key("x-webhook-signature"), "{headers:?}");
    let signature = headers["webhook-signature"].to_str().expect("text");
    assert!(signature.starts_with("v1a,") && !signature.contains(' '), "{signature}");
}

#[tokio::test]
async fn a_routing_key_is_sent_and_taken_out_of_what_is_kept() {
    let (url, seen) =
        receiver(|_| (StatusCode::BAD_REQUEST, "key R0UT1NG-KEY-0123456789 is wrong").into_response()).await;
    let pager = Endpoint {
        credential: Some("R0UT1NG-KEY-0123456789".into()),
        ..endpoint(&url, Format::PagerDuty, None)
    };
    let client = Client::new(Network::default()).expect("a client");
    let body = br#"{"routing_key":"","event_action":"resolve"}"#;
    let result = attempt(
        &client,
        &pager,
        &MessageId::new("whk_1"),
        body,
        "application/json",
        WALL,
    )
    .await;
    assert_eq!(result.response_excerpt, "key [redacted] is wrong");
    let (_, _, sent) = seen.lock().expect("lock").remove(0);
    assert_eq!(
        sent.as_ref(),
        br#"{"routing_key":"R0UT1NG-KEY-0123456789","event_action":"resolve"}"#
    );
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let (result, seen) =
        answered(|_| (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response()).await;
    assert_eq!(result.status, Some(307));
    assert!(matches!(judge_attempt(&result, 1, 0), Next::Retry(_)));
    let paths: Vec<String> = seen
        .lock()
        .expect("lock")
        .iter()
        .map(|(path, _, _)| path.clone())
        .collect();
    assert_eq!(paths, ["hooks"]);
}

#[tokio::test]
async fn gone_switches_off_and_retry_after_is_obeyed() {
    let (result, _) = answered(|_| StatusCode::GONE.into_response()).await;
    assert_eq!(judge_attempt(&result, 1, 0), Next::EndpointOff);
    let (result, _) = answered(|_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "120")]).into_response()).await;
    assert_eq!(judge_attempt(&result, 1, 0), Next::Retry(Duration::from_secs(120)));
}

#[tokio::test]
async fn a_large_answer_is_cut_and_is_still_an_answer() {
    let (result, _) = answered(|_| "x".repeat(3_000_000).into_response()).await;
    assert_eq!((result.status, result.error.clone()), (Some(200), None));
    assert_eq!(result.response_excerpt.len(), RESPONSE_BYTES_MAX);
    assert_eq!(judge_attempt(&result, 1, 0), Next::Delivered);
}

#[tokio::test]
async fn what_is_kept_of_an_answer_holds_no_secret() {
    let echo: Answer = |headers| {
        let signature = headers["x-webhook-signature"].to_str().expect("text").to_owned();
        let text = format!("{SECRET} came by /hooks/the-token-in-the-path with {signature}");
        (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
    };
    let (result, _) = answered(echo).await;
    let kept = &result.response_excerpt;
    assert!(kept.contains("came by"), "{kept}");
    assert!(
        !kept.contains(SECRET) && !kept.contains("the-token-in-the-path"),
        "{kept}"
    );
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let result = attempted(&endpoint("http://127.0.0.1:9/hooks", Format::Plain, None)).await;
    assert_eq!(result.status, None);
    assert!(matches!(judge_attempt(&result, 1, 0), Next::Retry(_)), "{result:?}");
    // Metadata addresses are never called, so trying again cannot help.
    let result = attempted(&endpoint("http://169.254.169.254/hooks", Format::Plain, None)).await;
    assert!(matches!(judge_attempt(&result, 1, 0), Next::Dead(_)), "{result:?}");
}
