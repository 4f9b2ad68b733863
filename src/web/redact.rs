//! The headers of a received delivery as they are kept: without what may let somebody else in.

use http::HeaderMap;

/// Headers kept of one delivery.
const HEADERS_MAX: usize = 64;
/// Characters kept of one value.
const VALUE_CHARS_MAX: usize = 512;
/// What stands in for a value that may be a secret.
const REDACTED: &str = "[redacted]";

/// Parts of header names whose values may be secrets or signatures, also those of proxies in front of us.
const SECRET_NAMES: &[&str] = &[
    "auth",
    "cookie",
    "signature",
    "token",
    "secret",
    "password",
    "credential",
    "key",
    "hmac",
    "assertion",
    "jwt",
];

/// Names and values in the order received, bounded, secrets replaced, without control characters.
pub(super) fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let kept = headers.iter().take(HEADERS_MAX).map(|(name, value)| {
        let is_secret = value.is_sensitive() || SECRET_NAMES.iter().any(|part| name.as_str().contains(part));
        let value = if is_secret {
            REDACTED.to_owned()
        } else {
            shown(value.as_bytes())
        };
        (name.to_string(), value)
    });
    kept.collect()
}

/// `text` without the tokens of approval links.
pub(super) fn approvals(text: &str) -> String {
    const MARK: &str = "?token=";
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let (before, after) = rest.split_at(at + MARK.len());
        masked.push_str(before);
        masked.push_str(REDACTED);
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        rest = after.trim_start_matches(is_token);
    }
    masked.push_str(rest);
    masked
}

fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.chars()
        .take(VALUE_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn what_may_let_somebody_in_is_not_kept() {
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "x-webhook-signature",
            "x-temps-signature",
            "webhook-signature",
            "x-hub-signature-256",
            "x-gitlab-token",
            "heroku-webhook-hmac-sha256",
            "x-api-key",
            "cf-access-jwt-assertion",
            "x-my-secret",
        ] {
            let mut map = HeaderMap::new();
            map.insert(HeaderName::from_static(name), HeaderValue::from_static("hunter2"));
            assert_eq!(headers(&map), [(name.to_owned(), REDACTED.to_owned())]);
        }
    }

    #[test]
    fn a_message_is_shown_without_what_approves() {
        let body = r#"{"approve":"https://b.example/approve/run_1?token=aB3-_x","run":"https://b.example/runs/run_1"}"#;
        let shown = approvals(body);
        assert!(
            !shown.contains("aB3") && shown.contains("?token=[redacted]\""),
            "{shown}"
        );
        assert!(shown.ends_with(r#""run":"https://b.example/runs/run_1"}"#));
        assert_eq!(approvals("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn the_rest_is_kept_bounded_and_readable() {
        let mut map = HeaderMap::new();
        map.insert("user-agent", HeaderValue::from_static("temps/1.0"));
        map.insert("x-webhook-timestamp", HeaderValue::from_static("1773325321"));
        map.insert("x-odd", HeaderValue::from_bytes(b"a\tb\xff").unwrap());
        map.insert("x-long", HeaderValue::from_str(&"x".repeat(5_000)).unwrap());
        let kept = headers(&map);
        assert_eq!(kept[0], ("user-agent".to_owned(), "temps/1.0".to_owned()));
        assert_eq!(kept[1], ("x-webhook-timestamp".to_owned(), "1773325321".to_owned()));
        assert_eq!(kept[2], ("x-odd".to_owned(), "a b\u{fffd}".to_owned()));
        assert_eq!(kept[3].1.len(), VALUE_CHARS_MAX);
    }
}
