//! What answers are judged to be.

use std::time::Duration;

use super::{read, response, values};
use crate::domain::{Identity, Reason};
use crate::step::{Assessment, Response, Step, Values, assess};

const COMMIT: &str = "f4c8e2a91b0d5577e2a0c6f1b2d3e4f5a6b7c8d9";

/// The failures in words, one a line; `ok` if there are none.
fn told(assessment: &Assessment) -> String {
    let lines: Vec<String> = assessment
        .failures
        .iter()
        .map(|miss| format!("{}: {}", miss.reason.as_str(), miss.detail))
        .collect();
    if lines.is_empty() {
        "ok".to_owned()
    } else {
        lines.join("\n")
    }
}

fn judged(expect: &str, answer: &Response) -> String {
    let step = read(&format!("get = '/'\n{expect}"));
    told(&assess(
        &step,
        answer,
        &values(&[("deploy.commit", COMMIT), ("deploy.id", "42"), ("vars.word", "boots")]),
    ))
}

fn json(expect: &str, body: &str) -> String {
    judged(expect, &response(200, &[], body))
}

#[test]
fn statuses() {
    let status = |expect: &str, status: u16| judged(expect, &response(status, &[], ""));
    assert_eq!(status("", 204), "ok");
    assert_eq!(status("expect.status = 200", 200), "ok");
    assert_eq!(status("expect.status = [200, 204, '500-503']", 503), "ok");
    insta::assert_snapshot!(status("", 500), @"status: 500, expected 2xx");
    insta::assert_snapshot!(status("expect.status = 200", 404), @"status: 404, expected 200");
    insta::assert_snapshot!(status("expect.status = [200, 204, '4xx']", 301), @"status: 301, expected 200, 204 or 4xx");
    insta::assert_snapshot!(status("expect.status = '200-204'", 205), @"status: 205, expected 200-204");
    insta::assert_snapshot!(status("expect.body.contains = 'x'", 304), @"status: 304, expected 2xx");
}

#[test]
fn json_literals() {
    let body = r#"{"status":"ok","n":1,"f":1.0,"deep":{"list":[1,"a",null]},"with space":true}"#;
    for good in [
        "expect.json.status = 'ok'",
        "expect.json.n = 1.0",
        "expect.json.f = 1",
        "expect.json.deep.list = { length = 3 }",
        "expect.json.'with space' = true",
        "expect.json.'$.deep.list[1]' = 'a'",
        "expect.json = { status = 'ok', deep = { list = { type = 'array' } } }",
        "expect.json.type = 'object'",
    ] {
        assert_eq!(json(good, body), "ok", "{good}");
    }
    insta::assert_snapshot!(json("expect.json.status = 'up'", body), @r#"json: $.status is "ok", expected "up""#);
    insta::assert_snapshot!(json("expect.json.status = true", body), @r#"json: $.status is "ok", expected true"#);
    insta::assert_snapshot!(json("expect.json.gone = 1", body), @"json: $.gone is missing, expected 1");
    insta::assert_snapshot!(json("expect.json.deep.x.y = 1", body), @"json: $.deep.x.y is missing, expected 1");
    insta::assert_snapshot!(json("expect.json.'with space' = false", body), @r#"json: $["with space"] is true, expected false"#);
    insta::assert_snapshot!(json("expect.json.deep.list = [1]", body), @r#"json: $.deep.list is [1,"a",null], expected [1]"#);
}

#[test]
fn what_is_not_json_is_told_once() {
    let two = "expect.json.a = 1\nexpect.json.b = 2";
    insta::assert_snapshot!(json(two, "<html>"), @"json: the body is not JSON: expected value at line 1 column 1");
    insta::assert_snapshot!(json(two, " \n"), @"json: the body is empty, expected JSON");
    insta::assert_snapshot!(json(two, "{\"a\":1} x"), @"json: the body is not JSON: trailing characters at line 1 column 9");
    let deep = "[".repeat(100_000);
    insta::assert_snapshot!(json(two, &deep), @"json: the body is not JSON: recursion limit exceeded at line 1 column 128");
    assert_eq!(json("expect.json.a = 1", "\u{feff}{\"a\":1}"), "ok");
}

#[test]
fn matchers_hold() {
    let body = r#"{"s":"boots","n":5,"list":[1,2,3],"objects":[{"id":1,"p":2},{"id":2,"p":0}],"o":{"k":1},"null":null,"e":[]}"#;
    for good in [
        "expect.json.s = { is = 'boots' }",
        "expect.json.s = '{{ vars.word }}'",
        "expect.json.s = { not = 'shoes' }",
        "expect.json.s = { not = { contains = 'shoe' } }",
        "expect.json.s = { one_of = ['a', 'boots'] }",
        "expect.json.n = { min = 5, max = 5.5 }",
        "expect.json.s = { contains = ['bo', '{{ vars.word }}'], lacks = ['x', 'y'] }",
        "expect.json.list = { contains = [1, 3], lacks = 4 }",
        "expect.json.o = { contains = 'k', lacks = 'q' }",
        "expect.json.s = { matches = '^b.+s$' }",
        "expect.json.gone = { exists = false }",
        "expect.json.null = { exists = true, type = 'null' }",
        "expect.json.n = { type = 'integer' }",
        "expect.json.list = { count = 3 }",
        "expect.json.list = { count = { min = 1, max = 3 } }",
        "expect.json.s = { length = 5 }",
        "expect.json.list = { any = 2, all = { min = 1 }, none = 9 }",
        "expect.json.'$.objects[*].p' = { any = 2, all = { max = 2 }, none = { min = 3 }, count = 2 }",
        "expect.json.'$..id' = { count = { not = 0 } }",
        "expect.json.'$.objects[?@.p > 1]' = { count = 1 }",
        "expect.json.e = { none = 1, count = 0 }",
        "expect.json.'$.gone[*]' = { exists = false, count = 0 }",
        "expect.json.'$.objects[0]' = { id = 1, p = { min = 1 } }",
    ] {
        assert_eq!(json(good, body), "ok", "{good}");
    }
}

#[test]
fn matchers_tell_what_is_wrong() {
    let body = r#"{"s":"boots","n":5,"list":[1,2,3],"hits":[],"null":null,"o":{"k":1}}"#;
    let mut report = String::new();
    for bad in [
        "s = { not = 'boots' }",
        "s = { one_of = ['a', 'b', 'c'] }",
        "n = { min = 6 }",
        "n = { max = 4.5 }",
        "s = { min = 1 }",
        "s = { contains = ['boo', 'x'] }",
        "n = { contains = 'x' }",
        "s = { lacks = 'oo' }",
        "s = { matches = '^x' }",
        "gone = { exists = true }",
        "gone = { not = 1 }",
        "s = { exists = false }",
        "null = { exists = false }",
        "n = { type = 'string' }",
        "hits = { count = { min = 1 } }",
        "s = { count = 5 }",
        "s = { length = { min = 9 } }",
        "n = { length = 1 }",
        "list = { any = 9 }",
        "list = { all = { min = 2 } }",
        "list = { none = { is = 3 } }",
        "hits = { all = { min = 2 } }",
        "o = { all = 1 }",
        "'$.list[*]' = { all = { max = 2 } }",
        "'$.list[*]' = { count = { max = 2 } }",
        "'$.gone[*]' = { exists = true }",
        "'$.gone[*]' = { any = 1 }",
    ] {
        report.push_str(&json(&format!("expect.json.{bad}"), body));
        report.push('\n');
    }
    insta::assert_snapshot!(report, @r#"
    json: $.s is "boots", expected not "boots"
    json: $.s is "boots", expected "a", "b" or "c"
    json: $.n is 5, expected at least 6
    json: $.n is 5, expected at most 4.5
    json: $.s is "boots", expected at least 1
    json: $.s does not contain "x"
    json: $.n is 5, expected something that contains "x"
    json: $.s contains "oo"
    json: $.s is "boots", expected a match of /^x/
    json: $.gone is missing
    json: $.gone is missing, expected not 1
    json: $.s is "boots", expected it not to be there
    json: $.null is null, expected it not to be there
    json: $.n is 5, expected type string
    json: $.hits has 0 items, expected at least 1
    json: $.s is "boots", expected a list
    json: $.s has 5 characters, expected at least 9
    json: $.n is 5, expected a length of 1
    json: $.list has 3 items, expected at least one to be 9
    json: $.list has 1, expected all to be at least 2
    json: $.list has 3, expected none to be 3
    json: $.hits has 0 items, expected all to be at least 2
    json: $.o is {"k":1}, expected a list
    json: $.list[*] has 3, expected all to be at most 2
    json: $.list[*] has 3 items, expected at most 2
    json: $.gone[*] is missing
    json: $.gone[*] has 0 items, expected at least one to be 1
    "#);
}

#[test]
fn headers_and_body() {
    let answer = response(
        200,
        &[
            ("content-type", "text/html; charset=utf-8"),
            ("vary", "a"),
            ("vary", "b"),
        ],
        "<h1>Acme</h1> Application error",
    );
    for good in [
        "expect.headers.Content-Type = { contains = 'html' }",
        "expect.headers.vary = 'a, b'",
        "expect.headers.x-powered-by = { exists = false }",
        "expect.body.contains = ['Acme', '<h1>']",
        "expect.body = { lacks = 'Traceback', matches = '<h[0-9]>', length = { min = 5 } }",
    ] {
        assert_eq!(judged(good, &answer), "ok", "{good}");
    }
    let bad = "expect.headers.content-type = 'application/json'\nexpect.headers.etag = { matches = '.' }\n\
               expect.body.contains = 'Basket'\nexpect.body.lacks = ['Traceback', 'Application error']";
    insta::assert_snapshot!(judged(bad, &answer), @r#"
    header: header content-type is "text/html; charset=utf-8", expected "application/json"
    header: header etag is missing, expected a match of /./
    body: the body does not contain "Basket"
    "#);
    let only_lacks = "expect.body.lacks = ['Traceback', 'Application error']";
    insta::assert_snapshot!(judged(only_lacks, &answer), @r#"body: the body contains "Application error""#);
}

#[test]
fn time_is_told_beside_the_rest() {
    let mut answer = response(200, &[], "{}");
    answer.elapsed = Duration::from_millis(2310);
    insta::assert_snapshot!(judged("expect.time = '800ms'", &answer), @"time: took 2.31 s, expected at most 800 ms");
    assert_eq!(judged("expect.time = '2310ms'", &answer), "ok");
}

#[test]
fn warnings_are_looked_at_when_nothing_failed() {
    let step = read("get = '/'\nexpect.json.a = 1\nwarn.json.b = 2\nwarn.status = 200\nwarn.time = '1ms'");
    let good = assess(&step, &response(201, &[], r#"{"a":1,"b":3}"#), &Values::new());
    let reasons: Vec<Reason> = good.warnings.iter().map(|miss| miss.reason).collect();
    assert_eq!(
        (told(&good).as_str(), reasons),
        ("ok", vec![Reason::Status, Reason::Json, Reason::Time])
    );
    let bad = assess(&step, &response(201, &[], r#"{"a":2,"b":3}"#), &Values::new());
    assert!(bad.warnings.is_empty());
}

#[test]
fn what_is_shown_is_short_clean_and_without_secrets() {
    let values = values(&[("secret.K", "s3cret-key")]);
    let shown = |expect: &str, body: &str| {
        told(&assess(
            &read(&format!("get = '/'\n{expect}")),
            &response(200, &[], body),
            &values,
        ))
    };
    insta::assert_snapshot!(shown("expect.json.a = 'x'", r#"{"a":"\u001b[31mred\r\n\u202e!"}"#), @r#"json: $.a is "\u{1b}[31mred\r\n\u{202e}!", expected "x""#);
    let long = format!("{{\"a\":\"{}\"}}", "y".repeat(1000));
    insta::assert_snapshot!(shown("expect.json.a = 'x'", &long), @r#"json: $.a is "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…", expected "x""#);
    insta::assert_snapshot!(shown("expect.json.a = 'x'", r#"{"a":"key=s3cret-key."}"#), @r#"json: $.a is "key=[redacted].", expected "x""#);
    insta::assert_snapshot!(shown("expect.json.a = '{{ secret.K }}'", r#"{"a":"other"}"#), @r#"json: $.a is "other", expected "{{ secret.K }}""#);
    // Cut through the middle of the secret: nothing of it is left.
    let cut = format!("{{\"a\":\"{}s3cret-key\"}}", "y".repeat(75));
    assert!(!shown("expect.json.a = 'x'", &cut).contains("s3c"));
}

#[test]
fn captures() {
    let step = read("post = '/'\ncapture.token = '$.token'\ncapture.next = { header = 'location', secret = false }");
    let good = assess(
        &step,
        &response(201, &[("location", "/a")], r#"{"token":"tok-1"}"#),
        &Values::new(),
    );
    assert_eq!(told(&good), "ok");
    let mut kept: Vec<String> = good
        .captured
        .iter()
        .map(|(name, value)| format!("{name}={} {}", value.json, value.secret))
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, [r#"next="/a" false"#, r#"token="tok-1" true"#]);
    assert_eq!(good.secrets, ["tok-1"]);

    let without = |body: &str| {
        told(&assess(
            &step,
            &response(200, &[("location", "/a")], body),
            &Values::new(),
        ))
    };
    insta::assert_snapshot!(without("{}"), @"capture: $.token is missing, so `token` cannot be kept");
    insta::assert_snapshot!(without(r#"{"token":null}"#), @"capture: $.token is null, so `token` cannot be kept");
    insta::assert_snapshot!(without(r#"{"token":""}"#), @"capture: $.token is empty, so `token` cannot be kept");
    insta::assert_snapshot!(without("no"), @"capture: the body is not JSON: expected ident at line 1 column 2");
    let huge = format!("{{\"token\":\"{}\"}}", "x".repeat(20_000));
    insta::assert_snapshot!(without(&huge), @"capture: $.token is too long, so `token` cannot be kept");

    insta::assert_snapshot!(without(r#"{"token":["a"]}"#), @"capture: $.token is a list or an object and cannot be a secret, so `token` cannot be kept");
    let list = read("get = '/'\ncapture.all = { json = '$', secret = false }");
    let kept = assess(&list, &response(200, &[], &huge), &Values::new()).captured;
    assert_eq!(kept.len(), 1);

    let failed = assess(
        &step,
        &response(500, &[("location", "/a")], r#"{"token":"tok-1"}"#),
        &Values::new(),
    );
    assert_eq!((failed.captured.len(), failed.secrets), (0, vec!["tok-1".to_owned()]));
}

fn identity(expect: &str, status: u16, body: &str) -> Identity {
    let step: Step = read(&format!("get = '/version'\n{expect}"));
    let values = values(&[("deploy.commit", COMMIT), ("deploy.id", "42"), ("vars.word", "boots")]);
    assess(&step, &response(status, &[("x-version", body)], body), &values).identity
}

#[test]
fn a_commit_is_known_by_seven_digits() {
    let expect = "expect.json.commit = '{{ deploy.commit }}'";
    for (commit, expected) in [
        (COMMIT, Identity::Proven),
        ("f4c8e2a", Identity::Proven),
        ("F4C8E2A91B", Identity::Proven),
        ("f4c8e2", Identity::Contradicted),
        ("0be11d2", Identity::Contradicted),
        ("f4c8e2a91b0d5577e2a0c6f1b2d3e4f5a6b7c8d9ff", Identity::Proven),
        ("f4c8e2a-dirty", Identity::Contradicted),
        ("", Identity::Unknown),
    ] {
        assert_eq!(
            identity(expect, 200, &format!("{{\"commit\":\"{commit}\"}}")),
            expected,
            "{commit}"
        );
    }
    assert_eq!(identity(expect, 200, "{}"), Identity::Unknown);
    assert_eq!(identity(expect, 200, "{\"commit\":null}"), Identity::Unknown);
    assert_eq!(identity(expect, 404, "not found"), Identity::Unknown);
    assert_eq!(identity(expect, 500, "{\"commit\":\"f4c8e2a\"}"), Identity::Proven);
    assert_eq!(
        identity(expect, 500, "{\"commit\":\"0be11d2\"}"),
        Identity::Contradicted
    );
}

#[test]
fn a_rule_that_equals_the_version_proves_it() {
    for (expect, body, expected) in [
        ("json.id = '{{ deploy.id }}'", "{\"id\":42}", Identity::Proven),
        ("json.id = '{{ deploy.id }}'", "{\"id\":41}", Identity::Contradicted),
        ("headers.x-version = '{{ deploy.commit }}'", "f4c8e2a", Identity::Proven),
        (
            "headers.x-version = '{{ deploy.commit }}'",
            "v7",
            Identity::Contradicted,
        ),
        ("json.c = 'x'", "{\"c\":\"x\"}", Identity::Unknown),
    ] {
        assert_eq!(
            identity(&format!("expect.{expect}"), 200, body),
            expected,
            "{expect} {body}"
        );
    }
}

#[test]
fn a_page_that_contains_the_version_proves_it() {
    let commit = "expect.body.contains = '{{ deploy.commit }}'";
    for (status, body, expected) in [
        (200, "<meta v=f4c8e2a9>", Identity::Proven),
        (200, "<meta v=v2-gf4c8e2a9>", Identity::Proven),
        (200, "<meta v=0be11d2>", Identity::Contradicted),
        (200, "", Identity::Unknown),
        (502, "bad gateway", Identity::Unknown),
    ] {
        assert_eq!(identity(commit, status, body), expected, "{status} {body}");
    }
    // `42` stands in many a page by chance.
    let id = "expect.body.contains = '{{ deploy.id }}'";
    assert_eq!(identity(id, 200, "it is 42"), Identity::Unknown);
}

#[test]
fn a_rule_that_holds_for_others_proves_nothing() {
    for (rule, value) in [
        ("expect.json.c = { not = '{{ deploy.commit }}' }", "x"),
        ("expect.json.c = { one_of = ['{{ deploy.commit }}', 'dev'] }", "dev"),
        ("expect.json.c = { lacks = '{{ deploy.commit }}' }", "x"),
        ("warn.json.c = '{{ deploy.commit }}'", "0be11d2"),
    ] {
        let body = format!("{{\"c\":\"{value}\"}}");
        assert_eq!(identity(rule, 200, &body), Identity::Unknown, "{rule}");
    }
}

#[test]
fn an_unknown_version_is_a_missing_value_and_can_be_dropped() {
    let step = read(
        "get = '/'\nexpect.json.commit = '{{ deploy.commit }}'\nexpect.body = { contains = ['a', '{{ deploy.id }}'], lacks = 'z' }",
    );
    assert!(step.tells_identity());
    let answer = response(200, &[], "{\"commit\":\"\",\"a\":1}");
    for values in [Values::new(), values(&[("deploy.commit", ""), ("deploy.id", "")])] {
        let assessment = assess(&step, &answer, &values);
        assert_eq!(assessment.identity, Identity::Unknown);
        assert!(
            assessment
                .failures
                .iter()
                .all(|miss| miss.reason == Reason::MissingValue),
            "{assessment:?}"
        );
    }
    let dropped = step.without_identity();
    assert!(!dropped.tells_identity() && dropped.slots().is_empty());
    assert_eq!(told(&assess(&dropped, &answer, &Values::new())), "ok");
    insta::assert_snapshot!(told(&assess(&dropped, &response(200, &[], "z"), &Values::new())), @r#"body: the body contains "z""#);
}
