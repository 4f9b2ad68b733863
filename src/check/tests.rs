//! Tests of classification.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use regex::Regex;

use super::{
    BODY_BYTES_MAX, DETAIL_CHARS_MAX, Makers, Meaning, Placeholder, Redactor, Seen, Unanswered, classify, unsent,
};
use crate::document::{Document, Problems, Source};
use crate::domain::{CheckName, Class, Identity, Reason, Timing};
use crate::step::{NoFiles, Response, Step, Values, assess, read_step, render};

fn step(text: &str) -> Step {
    let source = Source::new("checks.toml", text);
    let mut problems = Problems::new();
    let document = Document::parse(&source, &mut problems).unwrap();
    let step = read_step(&mut document.table(), &NoFiles, &mut problems);
    assert!(problems.is_empty(), "{:?}", problems.into_vec());
    step.unwrap()
}

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    Response {
        status,
        headers: map,
        body: body.as_bytes().to_vec(),
        elapsed: Duration::from_millis(120),
        ..Response::empty("https://shop.example.com/".parse().unwrap())
    }
}

fn placeholders() -> Vec<Placeholder> {
    let of = |means, status, title: Option<&str>| Placeholder {
        means,
        status,
        header: None,
        title_matches: title.map(|title| Regex::new(title).unwrap()),
    };
    vec![
        of(Meaning::NotServing, None, Some("^Temps( |$)")),
        of(Meaning::Challenge, Some(426), None),
        of(Meaning::NotServing, None, None),
    ]
}

fn seen(text: &str, answer: &Response) -> Seen {
    let mut values = Values::new();
    values.insert("deploy.commit", "f4c8e2a91b0d", false);
    values.insert("secret.K", "s3cret-key", true);
    let step = step(text);
    let assessment = assess(&step, answer, &values);
    classify(&step, Ok((answer, assessment)), &placeholders(), &Redactor::of(&values))
}

/// Class, reason, identity and whether an app made it, in words.
fn said(text: &str, answer: &Response) -> String {
    let observation = seen(text, answer).observation;
    let made = if observation.app_made { " app" } else { "" };
    let identity = match observation.identity {
        Identity::Unknown => "",
        Identity::Proven => " proven",
        Identity::Contradicted => " contradicted",
    };
    format!(
        "{:?} {}{identity}{made}",
        observation.class,
        observation.reason.as_str()
    )
}

const HOME: &str = "get = '/'";
const VERSION: &str = "get = '/'\nexpect.json.commit = '{{ deploy.commit }}'";

#[test]
fn an_unexpected_status_has_its_class() {
    for (status, expected) in [
        (200, "Pass ok"),
        (500, "Broken status app"),
        (501, "Broken status app"),
        (502, "Unready status"),
        (503, "Unready status"),
        (504, "Unready status"),
        (404, "Broken status"),
        (403, "Broken status"),
        (301, "Broken status"),
        (408, "Unknown throttled"),
        (425, "Unknown throttled"),
        (429, "Unknown throttled"),
    ] {
        assert_eq!(said(HOME, &response(status, &[], "")), expected, "{status}");
    }
    let limited = "get = '/'\nexpect.status = 429";
    assert_eq!(said(limited, &response(429, &[], "")), "Pass ok");
}

#[test]
fn a_challenge_says_nothing_of_the_deployment() {
    for (status, header, expected) in [
        (403, ("cf-mitigated", "challenge"), "Unknown throttled"),
        (503, ("CF-Mitigated", "Challenge"), "Unknown throttled"),
        (202, ("x-amzn-waf-action", "captcha"), "Unknown throttled"),
        (403, ("x-vercel-mitigated", "deny"), "Unknown throttled"),
        (426, ("x-other", ""), "Unknown throttled"),
        (403, ("cf-mitigated", "other"), "Broken status"),
        (500, ("server", "cloudflare"), "Broken status app"),
        (200, ("cf-ray", "1"), "Pass ok"),
    ] {
        assert_eq!(said(HOME, &response(status, &[header], "")), expected, "{header:?}");
    }
    // The 403 that a check expects is the app's, not the firewall's.
    let forbidden = "get = '/debug'\nexpect.status = 403";
    let challenge = response(403, &[("cf-mitigated", "challenge")], "");
    assert_eq!(said(forbidden, &challenge), "Unknown throttled");
}

#[test]
fn a_page_of_the_platform_is_not_the_app() {
    for (status, title, expected) in [
        (200, "<TITLE lang=en>\n Temps </TITLE>", "Unready placeholder"),
        (500, "<title>Temps</title>", "Unready placeholder"),
        (200, "<title>Temps for rent", "Unready placeholder"),
        (200, "<title>Temperature</title>", "Pass ok"),
        (200, "Temps", "Pass ok"),
    ] {
        let body = format!("<!doctype html><html><head>{title}");
        assert_eq!(said(HOME, &response(status, &[], &body)), expected, "{title}");
    }
    let proven = "get = '/'\nexpect.body.contains = '{{ deploy.commit }}'";
    let own = "<title>Temps</title><meta name=v content=f4c8e2a>";
    assert_eq!(said(proven, &response(200, &[], own)), "Pass ok proven app");
}

#[test]
fn identity_comes_before_the_status() {
    for (status, commit, expected) in [
        (200, "f4c8e2a", "Pass ok proven app"),
        (500, "f4c8e2a", "Broken status proven app"),
        (503, "f4c8e2a", "Unready status proven app"),
        (200, "0be11d2", "Unready old_version contradicted"),
        (500, "0be11d2", "Unready old_version contradicted"),
        (200, "", "Broken json"),
    ] {
        let body = format!("{{\"commit\":\"{commit}\"}}");
        assert_eq!(
            said(VERSION, &response(status, &[], &body)),
            expected,
            "{status} {commit}"
        );
    }
    assert_eq!(said(VERSION, &response(404, &[], "")), "Broken status");
}

#[test]
fn content_and_time_have_their_class() {
    for (expect, body, expected) in [
        ("expect.json.a = 1", "[[[", "Broken json"),
        ("expect.json.a = 1", "{}", "Broken json"),
        ("expect.headers.etag.exists = true", "", "Broken header"),
        ("expect.time = '1ms'", "", "Slow time"),
        ("expect.time = '1ms'\nexpect.body.contains = 'x'", "", "Broken body"),
        ("capture.t = '$.t'", "{}", "Broken capture"),
        ("expect.json.t = '{{ gone }}'", "{}", "Unknown missing_value"),
        ("expect.json.t = '{{ gone }}'\nexpect.json.a = 1", "{}", "Broken json"),
    ] {
        let step = format!("get = '/'\n{expect}");
        assert_eq!(said(&step, &response(200, &[], body)), expected, "{expect} {body}");
    }
}

#[test]
fn no_answer_has_its_class() {
    for (reason, expected) in [
        (Reason::Dns, Class::Unready),
        (Reason::Refused, Class::Unready),
        (Reason::Reset, Class::Unready),
        (Reason::Tls, Class::Unready),
        (Reason::Timeout, Class::Unready),
        (Reason::Protocol, Class::Unready),
        (Reason::TooLarge, Class::Broken),
        (Reason::Redirect, Class::Broken),
        (Reason::Forbidden, Class::Unknown),
        (Reason::LocalTrouble, Class::Unknown),
    ] {
        let trouble = Unanswered {
            timing: Timing::default(),
            reason,
            detail: "it failed",
            elapsed: Duration::from_millis(7),
            address: None,
        };
        let observation = classify(&step("get = '/a'"), Err(trouble), &[], &Redactor::default()).observation;
        assert_eq!(observation.class, expected, "{reason:?}");
        assert_eq!((observation.latency_ms, observation.app_made), (7, false));
        assert_eq!(observation.detail, "GET /a: it failed");
    }
}

#[test]
fn a_request_that_cannot_be_made_says_nothing() {
    let step = step("get = '/{{ login.token }}'");
    let error = render(&step, None, &Values::new()).unwrap_err();
    let seen = unsent(&step, &error, &Redactor::default()).observation;
    assert_eq!((seen.class, seen.reason), (Class::Unknown, Reason::MissingValue));
}

#[test]
fn details_are_sentences() {
    let detail = |text: &str, answer: &Response| seen(text, answer).observation.detail;
    insta::assert_snapshot!(detail("get = '/api/orders'", &response(500, &[], "")), @"GET /api/orders answered 500, expected 2xx");
    insta::assert_snapshot!(detail("get = '/'\nexpect.json.status = 'ok'", &response(200, &[], r#"{"status":"down"}"#)), @r#"GET /: $.status is "down", expected "ok""#);
    insta::assert_snapshot!(detail("get = '/'\nexpect.json.commit = '{{ deploy.commit }}'", &response(200, &[], r#"{"commit":"0be11d2"}"#)), @r#"GET / was answered by another version: $.commit is "0be11d2", expected "f4c8e2a91b0d""#);
    insta::assert_snapshot!(detail("get = '/'", &response(200, &[], "<title>Temps</title>")), @"GET / answered 200 with a page of the platform, not of the app");
    insta::assert_snapshot!(detail("get = '/'", &response(429, &[], "")), @"GET / answered 429, which limits or challenges our requests");
    insta::assert_snapshot!(detail("get = '/'\nwarn.body.contains = 'x'", &response(200, &[], "")), @r#"GET /: the body does not contain "x""#);
    insta::assert_snapshot!(detail("get = '/'", &response(204, &[], "")), @"GET / answered 204");
}

#[test]
fn bodies_of_failures_are_kept_redacted_and_short() {
    let long = format!("k=s3cret-key {} end", "é".repeat(3000));
    let body = seen("get = '/'", &response(500, &[], &long)).observation.body.unwrap();
    assert!(body.starts_with("k=[redacted] é") && body.len() <= BODY_BYTES_MAX);
    assert_eq!(seen("get = '/'", &response(200, &[], &long)).observation.body, None);

    // The app's own new secret is not shown either, nor what of it a cut would leave.
    let login = "post = '/'\ncapture.token = '$.token'";
    let seen = seen(
        login,
        &response(500, &[], r#"{"token":"fresh-token-1","again":"fresh-token-1"}"#),
    );
    let body = seen.observation.body.unwrap();
    insta::assert_snapshot!(body, @r#"{"token":"[redacted]","again":"[redacted]"}"#);
    assert!(seen.captured.is_empty());
}

#[test]
fn a_detail_is_bounded_and_without_secrets() {
    let many: String = (0..40).map(|n| format!("expect.json.member{n:03} = 'x'\n")).collect();
    let seen = seen(
        &format!("get = '/{}'\n{many}", "a".repeat(400)),
        &response(200, &[], "{}"),
    );
    assert!(seen.observation.detail.chars().count() <= DETAIL_CHARS_MAX);
    let trouble = Unanswered {
        timing: Timing::default(),
        reason: Reason::Protocol,
        detail: "bad header x: s3cret-key\r\n\u{1b}[0m",
        elapsed: Duration::ZERO,
        address: None,
    };
    let redactor = Redactor::new(["s3cret-key".to_owned()]);
    let seen = classify(&step("get = '/'"), Err(trouble), &[], &redactor);
    insta::assert_snapshot!(seen.observation.detail, @r"GET /: bad header x: [redacted]\r\n\u{1b}[0m");
}

/// An answer, and the class that it has once its maker is known.
type Told = (u16, &'static [(&'static str, &'static str)], Class);

/// Gives each answer in turn to one run's memory.
fn told(answers: &[Told]) {
    let mut makers = Makers::default();
    let name = CheckName::new("home");
    for (number, (status, headers, class)) in answers.iter().enumerate() {
        let response = response(*status, headers, "");
        let observation = seen("get = \"/\"", &response).observation;
        let attributed = makers.attribute(&name, &response, observation);
        assert_eq!(attributed.class, *class, "answer {number} of {answers:?}");
        assert!(attributed.class != Class::Broken || attributed.app_made);
    }
}

#[test]
fn a_gateway_error_is_the_apps_only_after_a_pass_and_only_if_it_looks_so() {
    const APP: &[(&str, &str)] = &[
        ("server", "nginx"),
        ("content-type", "application/json"),
        ("x-shop-build", "7"),
    ];
    const APP_ERROR: &[(&str, &str)] = &[("server", "nginx"), ("content-type", "text/plain")];
    const NGINX: &[(&str, &str)] = &[("server", "nginx"), ("content-type", "text/html")];
    const BARE: &[(&str, &str)] = &[("content-length", "0")];
    // Before the first pass it is what a start looks like, whatever it carries.
    told(&[(503, APP, Class::Unready), (502, NGINX, Class::Unready)]);
    // After it: one that carries what all good answers carry is the app's.
    told(&[
        (200, APP, Class::Pass),
        (503, APP, Class::Broken),
        (502, NGINX, Class::Unready),
        (504, BARE, Class::Unready),
    ]);
    // One that looks like the app's own earlier errors is the app's, too.
    told(&[
        (200, APP, Class::Pass),
        (500, APP_ERROR, Class::Broken),
        (503, APP_ERROR, Class::Broken),
    ]);
    // Not what looked the same before anything had passed: then only a gateway could have answered.
    told(&[
        (503, APP, Class::Unready),
        (200, APP, Class::Pass),
        (503, APP, Class::Unready),
    ]);
    // Headers that anybody sets tell nothing.
    const CLOUD: &[(&str, &str)] = &[("server", "cloudflare"), ("cf-ray", "1"), ("x-request-id", "2")];
    told(&[(200, CLOUD, Class::Pass), (502, CLOUD, Class::Unready)]);
    // A header that only some good answers carry is not the app's mark.
    const OTHER: &[(&str, &str)] = &[("server", "nginx"), ("content-type", "application/json")];
    told(&[
        (200, APP, Class::Pass),
        (200, OTHER, Class::Pass),
        (503, APP, Class::Unready),
    ]);
}

#[test]
fn a_gateway_error_that_proves_its_version_is_the_apps_after_a_pass() {
    let step = "get = \"/\"\nexpect.json.commit = \"{{ deploy.commit }}\"";
    let mut makers = Makers::default();
    let name = CheckName::new("version");
    let body = "{\"commit\":\"f4c8e2a91b0d\"}";
    for (status, class) in [(503, Class::Unready), (200, Class::Pass), (503, Class::Broken)] {
        let response = response(status, &[("content-type", "application/json")], body);
        let observation = seen(step, &response).observation;
        assert_eq!(makers.attribute(&name, &response, observation).class, class);
    }
}
