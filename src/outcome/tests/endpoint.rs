//! Who is told what, and that an endpoint's address stays unseen.

use super::{endpoint, rolled_back};
use crate::domain::Glob;
use crate::outcome::redact::redactor;
use crate::outcome::{Address, wants};

#[test]
fn only_the_star_is_special_in_patterns() {
    for (pattern, text, expected) in [
        ("*", "", true),
        ("*", "rollback.failed", true),
        ("rollback.*", "rollback.failed", true),
        ("rollback.*", "rollback.", true),
        ("rollback.*", "rollback", false),
        ("rollback.*", "smoke_test.failed", false),
        ("*.failed", "smoke_test.failed", true),
        ("*.failed", "smoke_test.failed.x", false),
        ("smoke_test.failed", "smoke_test.failed", true),
        ("smoke_test.failed", "smoke_test_failed", false),
        ("shop-*-eu-*", "shop-a-eu-1", true),
        ("shop-*-eu-*", "shop-eu-1", false),
        ("a*a", "a", false),
        ("a*a", "aa", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("*b*b", "ab", false),
        ("**", "x", true),
        ("ü*", "über", true),
        ("Shop", "shop", false),
        ("sho?", "shop", false),
        ("", "", true),
        ("", "x", false),
    ] {
        assert_eq!(Glob::new(pattern).matches(text), expected, "{pattern} {text}");
    }
}

#[test]
fn an_endpoint_is_told_what_its_patterns_name() {
    let check = |events: &[&str], app: &[&str], env: &[&str], expected: bool| {
        let owned = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let mut endpoint = endpoint("https://ops.example.com/", None);
        endpoint.events = owned(events);
        endpoint.when.app = owned(app);
        endpoint.when.env = owned(env);
        assert_eq!(wants(&endpoint, &rolled_back()), expected, "{events:?} {app:?} {env:?}");
    };
    check(&[], &[], &[], true);
    check(&["*"], &[], &[], true);
    check(&["smoke_test.*"], &[], &[], false);
    check(&["smoke_test.*", "rollback.*"], &[], &[], true);
    check(&["*"], &["api-*"], &["production"], true);
    check(&["*"], &["shop-*"], &["production"], false);
    check(&["*"], &["api-*"], &["staging"], false);
    check(&["*"], &[], &["staging", "prod*"], true);
}

#[test]
fn only_whole_http_addresses_are_taken_and_a_refusal_does_not_repeat_them() {
    for (text, taken) in [
        ("https://hooks.slack.com/services/T0/B0/s3cr3t", true),
        ("http://127.0.0.1:9000/s3cr3t", true),
        ("hooks.slack.com/services/s3cr3t", false),
        ("ftp://s3cr3t.example.com/", false),
        ("data:s3cr3t", false),
        ("https://", false),
        ("", false),
    ] {
        match Address::parse(text) {
            Ok(_) => assert!(taken, "{text}"),
            Err(error) => assert!(!taken && !error.to_string().contains("s3cr3t"), "{text}: {error}"),
        }
    }
}

#[test]
fn an_endpoint_shown_for_debugging_tells_its_host_and_no_secret() {
    let shown = format!(
        "{:?}",
        endpoint(
            "https://u:pa55@hooks.example.com:8443/T0/s3cr3t?k=s3cr3t",
            Some("whsec_s3cr3t")
        )
    );
    assert!(shown.contains("https://hooks.example.com:8443/[redacted]"), "{shown}");
    assert!(!shown.contains("s3cr3t") && !shown.contains("pa55"), "{shown}");
}

#[test]
fn answers_are_kept_without_the_endpoints_own_secrets() {
    let endpoint = endpoint(
        "https://hooks.example.com/services/T012/B034/AbCdEfGhIjKl?key=0123456789",
        Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    );
    for (answer, expected) in [
        ("ok", "ok"),
        (
            "POST /services/T012/B034/AbCdEfGhIjKl: no_service",
            "POST [redacted]: no_service",
        ),
        ("token AbCdEfGhIjKl is unknown", "token [redacted] is unknown"),
        (
            r#"{"path":"\/services\/T012\/B034\/AbCdEfGhIjKl"}"#,
            r#"{"path":"[redacted]"}"#,
        ),
        ("bad key 0123456789", "bad key [redacted]"),
        (
            "you sign with MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "you sign with [redacted]",
        ),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "[redacted]"),
    ] {
        assert_eq!(redactor(&endpoint).redact(answer), expected);
    }
}
