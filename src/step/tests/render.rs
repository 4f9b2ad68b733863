//! Requests: every value stays in its place.

use http::HeaderName;
use proptest::prelude::*;
use url::Url;

use super::{read, values};
use crate::step::{RenderError, Request, Values, render};

const BASE: &str = "https://shop.example.com";

/// What attackers and accidents put into values.
pub(super) const HOSTILE: [&str; 22] = [
    "../../admin",
    "..",
    ".",
    "%2e%2e",
    "%2e%2e/",
    "a/b",
    "a\\b",
    "//evil.example",
    "@evil.example",
    "user:pw@evil.example",
    ":80@evil.example/",
    "https://evil.example/",
    "?admin=1",
    "#fragment",
    "&admin=1",
    "a b+c",
    "x\r\nX-Admin: 1",
    "\",\"admin\":true,\"x\":\"",
    "\u{0}\u{7f}\u{85}\u{2028}",
    "{{ secret.X }}",
    "ünï",
    "\t",
];

fn send(text: &str, values: &Values) -> Result<Request, RenderError> {
    render(&read(text), Some(&Url::parse(BASE).unwrap()), values)
}

fn url(text: &str, value: &str) -> String {
    match send(text, &values(&[("v", value), ("secret.X", "hidden")])) {
        Ok(request) => request.url.to_string(),
        Err(error) => format!("error: {error}"),
    }
}

fn header<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
    let found = request.headers.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.to_str().unwrap())
}

#[test]
fn a_target_goes_behind_the_base() {
    for (base, target, expected) in [
        ("https://a.example", "/", "https://a.example/"),
        ("https://a.example/", "/x?y=1", "https://a.example/x?y=1"),
        ("https://a.example/app/", "/x", "https://a.example/app/x"),
        ("https://a.example/app?z=1#f", "/", "https://a.example/app/"),
        ("https://a.example:8443", "/x?", "https://a.example:8443/x?"),
        ("https://a.example", "http://b.example:81/x", "http://b.example:81/x"),
        ("https://a.example", "https://b.example", "https://b.example/"),
    ] {
        let step = read(&format!("get = \"{target}\""));
        let request = render(&step, Some(&Url::parse(base).unwrap()), &Values::new()).unwrap();
        assert_eq!(request.url.as_str(), expected, "{base} {target}");
    }
    assert_eq!(
        render(&read("get = '/'"), None, &Values::new()).unwrap_err(),
        RenderError::NoBase
    );
}

#[test]
fn a_hostile_value_stays_one_segment_of_the_path() {
    for value in HOSTILE {
        for target in [
            "/api/{{ v }}/items",
            "/api/x-{{ v }}",
            "/{{ v }}",
            "https://shop.example.com/{{ v }}",
        ] {
            let values = values(&[("v", value)]);
            let Ok(request) = send(&format!("get = '{target}'"), &values) else {
                assert!(
                    [".", "..", "%2e%2e"].contains(&value),
                    "{value:?} was refused in {target}"
                );
                continue;
            };
            let literal = target.trim_start_matches(BASE);
            let segments = request.url.path_segments().unwrap().count();
            assert_eq!(
                segments,
                literal.matches('/').count(),
                "{value:?} in {target}: {}",
                request.url
            );
            assert_eq!(
                request.url.host_str(),
                Some("shop.example.com"),
                "{value:?} in {target}"
            );
            assert_eq!(
                (request.url.query(), request.url.fragment()),
                (None, None),
                "{value:?} in {target}"
            );
            assert_eq!(request.url.username(), "", "{value:?} in {target}");
        }
    }
}

#[test]
fn a_value_that_would_step_to_another_path_is_refused() {
    insta::assert_snapshot!(url("get = '/a/{{ v }}/b'", ".."), @"error: the value of `v` would step to another path");
    insta::assert_snapshot!(url("get = '/a/{{ v }}'", "."), @"error: the value of `v` would step to another path");
    insta::assert_snapshot!(url("get = '/a/{{ v }}{{ v }}/b'", "."), @"error: the value of `v` would step to another path");
    insta::assert_snapshot!(url("get = '/a/.{{ v }}/b'", "."), @"error: the value of `v` would step to another path");
    insta::assert_snapshot!(url("get = '/a/%2E{{ v }}'", "."), @"error: the value of `v` would step to another path");
    insta::assert_snapshot!(url("get = '/a/{{ v }}/b'", ""), @"error: the value of `v` leaves its part of the path empty");
    insta::assert_snapshot!(url("get = '/a/{{ v }}'", "%2e%2e"), @"https://shop.example.com/a/%252e%252e");
    insta::assert_snapshot!(url("get = '/a/{{ v }}'", "../x"), @"https://shop.example.com/a/..%2Fx");
    insta::assert_snapshot!(url("get = '/{{ v }}'", "/evil.example"), @"https://shop.example.com/%2Fevil.example");
    insta::assert_snapshot!(url("get = '/a/{{ v }}'", "{{ secret.X }}"), @"https://shop.example.com/a/%7B%7B%20secret.X%20%7D%7D");
}

#[test]
fn a_hostile_value_stays_one_value_of_the_query() {
    for value in HOSTILE {
        let request = send("get = '/s?a=1&q={{ v }}&z=2'", &values(&[("v", value)])).unwrap();
        let pairs: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        let expected = [("a", "1"), ("q", value), ("z", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(pairs, expected, "{value:?}");
        assert_eq!(request.url.path(), "/s");
    }
}

#[test]
fn a_value_in_the_host_is_one_label() {
    let target = "get = 'https://{{ v }}.example.com/x'";
    insta::assert_snapshot!(url(target, "shop-12"), @"https://shop-12.example.com/x");
    for value in HOSTILE
        .into_iter()
        .chain(["evil.example", "-a", "a-", "", "a_b", &"a".repeat(64)])
    {
        let expected = "error: the value of `v` is not one label of a host name";
        assert_eq!(url(target, value), expected, "{value:?}");
    }
    insta::assert_snapshot!(url("get = 'http://{{ v }}/x'", "2130706433"), @"error: the value of `v` makes the host an IP address");
    insta::assert_snapshot!(url("get = 'http://{{ v }}/x'", "0x7f000001"), @"error: the value of `v` makes the host an IP address");
}

#[test]
fn a_hostile_value_stays_in_its_header() {
    for value in HOSTILE {
        let sent = send("get = '/'\nheaders.x-a = 'v={{ v }}'", &values(&[("v", value)]));
        if value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            let request = sent.unwrap();
            assert_eq!(header(&request, "x-a"), Some(format!("v={value}").as_str()));
            assert_eq!(request.headers.len(), 1);
        } else {
            let error = sent.unwrap_err().to_string();
            assert_eq!(
                error, "the value of `v` has a character that cannot stand in a header",
                "{value:?}"
            );
        }
    }
}

#[test]
fn a_bearer_token_is_one_word() {
    let text = "get = '/'\nbearer = '{{ v }}'";
    let request = send(text, &values(&[("v", "abc.DEF-_~+/=")])).unwrap();
    assert_eq!(header(&request, "authorization"), Some("Bearer abc.DEF-_~+/="));
    assert!(request.carries_credentials && request.headers[0].1.is_sensitive());
    for value in ["a b", "a\r\nX: y", "a, Basic eA==", "a;b", "\"a\"", "ü", "\t"] {
        let error = send(text, &values(&[("v", value)])).unwrap_err().to_string();
        assert_eq!(
            error, "the value of `v` has a character that cannot stand in a bearer token",
            "{value:?}"
        );
    }
    let error = send(text, &values(&[("v", "")])).unwrap_err().to_string();
    assert_eq!(error, "the value of `v` is empty");
}

#[test]
fn a_hostile_value_stays_in_its_json_string() {
    for value in HOSTILE {
        let text = "post = '/'\njson = { user = '{{ v }}', note = 'to {{ v }}!', n = 1, list = ['{{ v }}'] }";
        let request = send(text, &values(&[("v", value)])).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(request.body.as_deref().unwrap()).unwrap();
        let expected = serde_json::json!({"user": value, "note": format!("to {value}!"), "n": 1, "list": [value]});
        assert_eq!(sent, expected, "{value:?}");
        assert_eq!(header(&request, "content-type"), Some("application/json"));
    }
}

#[test]
fn a_whole_placeholder_keeps_its_type_in_json() {
    let mut values = Values::new();
    values.insert("n", 7, false);
    values.insert("list", serde_json::json!([1, "a"]), false);
    values.insert("null", serde_json::Value::Null, false);
    let request = send(
        "post = '/{{ n }}'\njson = { a = '{{ n }}', b = 'n{{ n }}', c = '{{list}}' }",
        &values,
    )
    .unwrap();
    let body = String::from_utf8(request.body.unwrap()).unwrap();
    insta::assert_snapshot!(body, @r#"{"a":7,"b":"n7","c":[1,"a"]}"#);
    assert_eq!(request.url.path(), "/7");
    let error = send("get = '/{{ null }}'", &values).unwrap_err();
    assert_eq!(
        error,
        RenderError::MissingValue {
            name: "null".to_owned()
        }
    );
}

#[test]
fn a_missing_value_is_told_in_every_place() {
    for text in [
        "get = '/{{ gone }}'",
        "get = '/?q={{ gone }}'",
        "get = 'https://{{ gone }}.example.com/'",
        "get = '/'\nheaders.x = '{{ gone }}'",
        "get = '/'\nbearer = '{{ gone }}'",
        "post = '/'\njson.a = '{{ gone }}'",
        "post = '/'\njson.a = 'x{{ gone }}'",
        "post = '/'\ntext = '{{ gone }}'",
    ] {
        let error = send(text, &Values::new()).unwrap_err();
        assert_eq!(
            error,
            RenderError::MissingValue {
                name: "gone".to_owned()
            },
            "{text}"
        );
    }
}

#[test]
fn credentials_are_noticed_wherever_they_are() {
    let values = values(&[
        ("secret.K", "s3cret-key"),
        ("vars.v", "plain"),
        ("login.token", "tok-en-1"),
    ]);
    for (text, carries) in [
        ("get = '/{{ vars.v }}'", false),
        ("get = '/'\nheaders.accept = 'a/b'", false),
        ("get = '/{{ secret.K }}'", true),
        ("get = '/?k={{ secret.K }}'", true),
        ("get = '/'\nheaders.x-key = '{{ secret.K }}'", true),
        ("get = '/'\nheaders.Cookie = 'a=b'", true),
        ("get = '/'\nheaders.authorization = 'Basic eA=='", true),
        ("get = '/'\nbearer = 'fixed'", true),
        ("post = '/'\njson.a.b = ['{{ login.token }}']", true),
        ("post = '/'\ntext = 'k={{ login.token }}'", true),
    ] {
        assert_eq!(send(text, &values).unwrap().carries_credentials, carries, "{text}");
    }
    let base = Url::parse("https://user:pw@shop.example.com").unwrap();
    assert!(
        render(&read("get = '/'"), Some(&base), &Values::new())
            .unwrap()
            .carries_credentials
    );
}

#[test]
fn a_request_is_bounded() {
    let huge = "x".repeat(60_000);
    for text in [
        "get = '/{{ v }}'",
        "get = '/?{{ v }}'",
        "get = '/'\nheaders.x = '{{ v }}'",
        "get = '/'\nbearer = '{{ v }}'",
    ] {
        assert_eq!(
            send(text, &values(&[("v", &huge)])).unwrap_err(),
            RenderError::TooLarge,
            "{text}"
        );
    }
    let many = "{{ v }}".repeat(20);
    for text in [
        format!("post = '/'\ntext = '{many}'"),
        format!("post = '/'\njson.a = '{many}'"),
    ] {
        assert_eq!(
            send(&text, &values(&[("v", &huge)])).unwrap_err(),
            RenderError::TooLarge,
            "{text}"
        );
    }
}

#[test]
fn redirects_are_followed_unless_one_is_expected() {
    for (text, follows) in [
        ("get = '/'", true),
        ("get = '/'\nfollow = false", false),
        ("get = '/'\nexpect.status = 301", false),
        ("get = '/'\nexpect.status = ['3xx']", false),
        ("get = '/'\nexpect.status = [200, 301]", true),
    ] {
        assert_eq!(send(text, &Values::new()).unwrap().follow_redirects, follows, "{text}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let text = "post = '/p/{{ secret.K }}?k={{ secret.K }}'\nbearer = '{{ secret.K }}'\njson.k = '{{ secret.K }}'";
    let values = values(&[("secret.K", "s3cret-key")]);
    let shown = format!("{:?} {values:?}", send(text, &values).unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
}

proptest! {
    #[test]
    fn any_value_keeps_to_its_segment_and_its_pair(value in any::<String>()) {
        let values = values(&[("v", &value)]);
        if let Ok(request) = send("get = '/a/{{ v }}/b?q={{ v }}&z=1'", &values) {
            prop_assert_eq!(request.url.host_str(), Some("shop.example.com"));
            prop_assert_eq!(request.url.path_segments().unwrap().count(), 3);
            prop_assert!(request.url.path().starts_with("/a/") && request.url.path().ends_with("/b"));
            prop_assert_eq!(request.url.query_pairs().count(), 2);
            let (_, sent) = request.url.query_pairs().next().unwrap();
            prop_assert_eq!(sent.as_ref(), value.as_str());
        }
    }
}
