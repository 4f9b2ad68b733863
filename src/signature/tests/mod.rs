//! Vectors and refusals.

mod explained;
mod hostile;
mod vectors;

use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::*;
use crate::domain::Timestamp;

/// The body of Temps's `deployment.succeeded` as its first generation writes it.
const BODY: &str = r#"{"id":"58fe24a7-3e21-451d-9210-33093e6f91cc","event_type":"deployment_succeeded","timestamp":"2026-01-13T17:00:05.123456789Z","project_id":7,"payload":{"deployment_id":42,"project_id":7,"project_name":"","environment":"production","branch":null,"commit_sha":"0123456789abcdef0123456789abcdef01234567","commit_message":null,"url":null,"status":"succeeded","error_message":null,"started_at":null,"finished_at":"2026-01-13T17:00:05.123400000Z"}}"#;
const SECRET: &str = "whsec_test";
const TIMESTAMP_S: i64 = 1_768_323_605;
const SIGNATURE: &str = "89069f35fcbb5735e6b0d793db1843ed41b1d71cf027f09de21e8fc03297b7b4";

fn recipes() -> Vec<Recipe> {
    ["temps", "temps-guide"].map(|name| built_in(name).unwrap()).to_vec()
}

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    map
}

fn verified(lines: &[(&'static str, &str)], body: &str, secrets: &[&str], off_s: i64) -> Result<usize, String> {
    let secrets: Vec<SecretString> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    let wall = Timestamp::from_millis((TIMESTAMP_S + off_s) * 1_000);
    verify(
        &recipes(),
        &Received::new(&headers(lines), body.as_bytes()),
        &secrets,
        wall,
    )
    .map(|by| by.secret_index)
    .map_err(|refusal| refusal.to_string())
}

/// The good delivery with one thing changed.
fn check(lines: &[(&'static str, &str)], expected: Result<usize, &str>) {
    assert_eq!(
        verified(lines, BODY, &[SECRET], 0),
        expected.map_err(str::to_owned),
        "{lines:?}"
    );
}

#[test]
fn the_known_answer_of_temps() {
    assert_eq!(sign_timestamped(SECRET, TIMESTAMP_S, BODY.as_bytes()), SIGNATURE);
}

#[test]
fn the_published_vectors_of_standard_webhooks() {
    let a = sign_standard(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        br#"{"test": 2432232314}"#,
    );
    assert_eq!(a.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    let b = sign_standard(
        "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
        "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
        1_649_367_553,
        br#"{"email":"test@example.com","username":"test_user"}"#,
    );
    assert_eq!(b.as_deref(), Some("v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="));
    for unusable in ["", "whsec_", "plain", "whsec_not base64"] {
        assert_eq!(sign_standard(unusable, "id", 1, b""), None, "{unusable}");
    }
}

#[test]
fn what_holds() {
    let time = TIMESTAMP_S.to_string();
    let prefixed = format!("sha256={SIGNATURE}");
    let of_code = [
        ("x-webhook-signature", prefixed.as_str()),
        ("x-webhook-timestamp", &time),
    ];
    let of_guide = [("x-temps-signature", SIGNATURE), ("x-temps-timestamp", &time)];
    check(&of_code, Ok(0));
    check(&of_guide, Ok(0));
    check(&[of_code, of_guide].concat(), Ok(0));
    // While rotating, either secret opens; an empty one opens nothing.
    assert_eq!(verified(&of_guide, BODY, &["an-old-secret", SECRET], 0), Ok(1));
    assert!(verified(&of_guide, BODY, &[""], 0).is_err());
    assert!(verified(&of_guide, BODY, &[], 0).is_err());
    for off_s in [-300, -1, 1, 300] {
        assert_eq!(verified(&of_guide, BODY, &[SECRET], off_s), Ok(0));
    }
}

#[test]
fn both_pairs_must_hold_under_one_secret() {
    let time = TIMESTAMP_S.to_string();
    let other = sign_timestamped("other-secret", TIMESTAMP_S, BODY.as_bytes());
    let lines = [
        ("x-temps-signature", SIGNATURE),
        ("x-temps-timestamp", time.as_str()),
        ("x-webhook-signature", other.as_str()),
        ("x-webhook-timestamp", time.as_str()),
    ];
    assert!(verified(&lines, BODY, &[SECRET, "other-secret"], 0).is_err());
}

#[test]
fn what_is_refused_and_why() {
    let time = TIMESTAMP_S.to_string();
    let signed = ("x-temps-signature", SIGNATURE);
    let timed = ("x-temps-timestamp", time.as_str());
    let of = |signature: &str, time: &str| {
        verified(
            &[("x-temps-signature", signature), ("x-temps-timestamp", time)],
            BODY,
            &[SECRET],
            0,
        )
        .expect_err("refused")
    };
    check(
        &[timed],
        Err("it is not signed: there is no header `x-webhook-signature` or `x-temps-signature`"),
    );
    check(&[signed], Err("header `x-temps-timestamp` is missing"));
    check(
        &[signed, signed, timed],
        Err("header `x-temps-signature` is there more than once"),
    );
    check(
        &[signed, timed, timed],
        Err("header `x-temps-timestamp` is there more than once"),
    );
    for not_a_time in [
        "",
        "hello",
        "-1768323605",
        "+1768323605",
        "1768323605.0",
        "1768323605abc",
        "0x1",
        "1768323605000000",
    ] {
        assert_eq!(
            of(SIGNATURE, not_a_time),
            "header `x-temps-timestamp` is not a time in whole Unix seconds"
        );
    }
}

#[test]
fn a_signature_is_its_64_digits_of_this_body_and_time() {
    let time = TIMESTAMP_S.to_string();
    let (signed, timed) = (("x-temps-signature", SIGNATURE), ("x-temps-timestamp", time.as_str()));
    let of = |signature: &str, time: &str| {
        let lines = [("x-temps-signature", signature), ("x-temps-timestamp", time)];
        verified(&lines, BODY, &[SECRET], 0).expect_err("refused")
    };
    assert_eq!(
        of(&SIGNATURE[..8], &time),
        "header `x-temps-signature` has 8 characters for its signature, not 64"
    );
    assert_eq!(
        of("", &time),
        "header `x-temps-signature` has 0 characters for its signature, not 64"
    );
    assert!(of(&SIGNATURE.to_uppercase(), &time).contains("capital"));
    assert!(of(&"g".repeat(64), &time).contains("not hex"));
    assert!(of(&"0".repeat(64), &time).contains("the secret is another one"));
    assert!(of(SIGNATURE, &(TIMESTAMP_S + 1).to_string()).contains("the secret is another one"));
    let late = verified(&[signed, timed], BODY, &[SECRET], 301).expect_err("stale");
    assert_eq!(
        late,
        "the timestamp is 301 s in the past, and at most 300 s are allowed; one of the two clocks may be wrong"
    );
    assert!(
        verified(&[signed, timed], BODY, &[SECRET], -301)
            .expect_err("early")
            .contains("in the future")
    );
    assert!(
        verified(&[signed, timed], &format!("{BODY}\n"), &[SECRET], 0)
            .expect_err("changed")
            .contains("line break")
    );
    assert!(
        verified(&[signed, timed], "", &[SECRET], 0)
            .expect_err("lost")
            .contains("empty")
    );
}

#[test]
fn no_refusal_tells_the_right_signature_or_the_secret() {
    let time = TIMESTAMP_S.to_string();
    let wrong = "0".repeat(64);
    let lines = [
        ("x-temps-signature", wrong.as_str()),
        ("x-temps-timestamp", time.as_str()),
    ];
    let said = verified(&lines, BODY, &[SECRET], 0).expect_err("refused");
    assert!(!said.contains(SIGNATURE) && !said.contains(SECRET), "{said}");
}
