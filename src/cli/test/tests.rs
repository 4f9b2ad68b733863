//! Every format over one report that has every verdict and text of the hostile kind.

use super::formats::render;
use super::report::{CheckReport, Report, StepReport, Verdict};
use crate::cli::Exit;
use crate::cli::args::TestFormat;
use crate::domain::Severity;

fn check(name: &str, result: Verdict, detail: &str) -> CheckReport {
    CheckReport {
        check: name.to_owned(),
        title: None,
        result,
        severity: Severity::Critical,
        reason: Some(if result == Verdict::Pass { "ok" } else { "body" }),
        detail: detail.to_owned(),
        looks: 1,
        latency_ms: Some(184),
        status: Some(200),
        address: Some("10.0.3.17".to_owned()),
        http_version: Some("HTTP/2.0".to_owned()),
        steps: Vec::new(),
        curl: None,
    }
}

fn report(checks: Vec<CheckReport>) -> Report {
    Report {
        url: "https://shop.example.com/".to_owned(),
        app: "shop".to_owned(),
        env: "production".to_owned(),
        elapsed_ms: 421,
        checks,
    }
}

fn every_verdict() -> Report {
    let step = |label: &str, result, detail: &str| StepReport {
        step: label.to_owned(),
        result,
        detail: detail.to_owned(),
        latency_ms: 20,
    };
    report(vec![
        check("home", Verdict::Pass, "GET / answered 200"),
        CheckReport {
            title: Some("Carts | can be paid".to_owned()),
            steps: vec![
                step("POST /carts", Verdict::Pass, "POST /carts answered 201"),
                step(
                    "GET /carts/{{ cart }}",
                    Verdict::Fail,
                    "$.state is \"<b>open]]>\", expected \"ready\"",
                ),
            ],
            curl: Some("curl -sS 'https://shop.example.com/' -H 'authorization: Bearer '\"$TOKEN\"".to_owned()),
            ..check(
                "cart",
                Verdict::Fail,
                "$.state is \"<b>`open`]]> | @team\u{1b}[31m\n\u{0}\", expected \"ready\"",
            )
        },
        check("pages[/a|b]", Verdict::Degraded, "took 900 ms, expected at most 800 ms"),
        CheckReport {
            looks: 2,
            ..check("search # 1", Verdict::Flaky, "GET /search answered 200")
        },
        CheckReport {
            looks: 0,
            latency_ms: None,
            address: None,
            http_version: None,
            reason: None,
            ..check("orders", Verdict::Skipped, "what it needs did not pass")
        },
        check("login", Verdict::Unknown, "`secret.X` has no value"),
    ])
}

#[test]
fn text() {
    insta::assert_snapshot!(render(&every_verdict(), TestFormat::Text), @r#"
    pass      home         GET / answered 200  (184 ms, 10.0.3.17, HTTP/2.0)
    fail      cart         Carts | can be paid: $.state is "<b>`open`]]> | @team?[31m??", expected "ready"  (184 ms, 10.0.3.17, HTTP/2.0)
                pass      POST /carts answered 201  (20 ms)
                fail      $.state is "<b>open]]>", expected "ready"  (20 ms)
                curl -sS 'https://shop.example.com/' -H 'authorization: Bearer '"$TOKEN"
    degraded  pages[/a|b]  took 900 ms, expected at most 800 ms  (184 ms, 10.0.3.17, HTTP/2.0)
    flaky     search # 1   GET /search answered 200  (2 looks, 184 ms, 10.0.3.17, HTTP/2.0)
    skipped   orders       what it needs did not pass
    unknown   login        `secret.X` has no value  (184 ms, 10.0.3.17, HTTP/2.0)

    6 checks: 1 fail, 1 unknown, 1 skipped, 1 degraded, 1 flaky, 1 pass, in 0.42 s
    "#);
    insta::assert_snapshot!(render(&report(Vec::new()), TestFormat::Text), @"no check matches this app and environment; look at `when`");
}

#[test]
fn tap() {
    insta::assert_snapshot!(render(&every_verdict(), TestFormat::Tap), @r#"
    TAP version 14
    1..6
    ok 1 - home
    not ok 2 - cart
      ---
      result: "fail"
      reason: "body"
      detail: "$.state is \"<b>`open`]]> | @team?[31m??\", expected \"ready\""
      step: "GET /carts/{{ cart }}"
      repeat: "curl -sS 'https://shop.example.com/' -H 'authorization: Bearer '\"$TOKEN\""
      ...
    ok 3 - pages[/a|b]
      ---
      result: "degraded"
      reason: "body"
      detail: "took 900 ms, expected at most 800 ms"
      ...
    ok 4 - search \# 1
      ---
      result: "flaky"
      reason: "body"
      detail: "GET /search answered 200"
      ...
    ok 5 - orders # SKIP what it needs did not pass
      ---
      result: "skipped"
      detail: "what it needs did not pass"
      ...
    not ok 6 - login
      ---
      result: "unknown"
      reason: "body"
      detail: "`secret.X` has no value"
      ...
    "#);
}

#[test]
fn junit() {
    insta::assert_snapshot!(render(&every_verdict(), TestFormat::Junit), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites tests="8" failures="2" errors="1" time="0.421">
      <testsuite name="backstop https://shop.example.com/" tests="8" failures="2" errors="1" skipped="1" time="0.421">
        <testcase name="home" classname="backstop" time="0.184"></testcase>
        <testcase name="cart" classname="backstop" time="0.184"><failure message="$.state is &quot;&lt;b&gt;`open`]]&gt; | @team�[31m&#10;�&quot;, expected &quot;ready&quot;" type="body">curl -sS 'https://shop.example.com/' -H 'authorization: Bearer '"$TOKEN"</failure></testcase>
        <testcase name="cart / 1: POST /carts" classname="cart" time="0.020"></testcase>
        <testcase name="cart / 2: GET /carts/{{ cart }}" classname="cart" time="0.020"><failure message="$.state is &quot;&lt;b&gt;open]]&gt;&quot;, expected &quot;ready&quot;" type="step"></failure></testcase>
        <testcase name="pages[/a|b]" classname="backstop" time="0.184"><system-out>degraded: took 900 ms, expected at most 800 ms</system-out></testcase>
        <testcase name="search # 1" classname="backstop" time="0.184"><flakyFailure message="GET /search answered 200" type="body"></flakyFailure></testcase>
        <testcase name="orders" classname="backstop" time="0.000"><skipped message="what it needs did not pass"/></testcase>
        <testcase name="login" classname="backstop" time="0.184"><error message="`secret.X` has no value" type="body"></error></testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn markdown() {
    insta::assert_snapshot!(render(&every_verdict(), TestFormat::Markdown), @r#"
    ### Failed: ` https://shop.example.com/ `

    6 checks: 1 fail, 1 unknown, 1 skipped, 1 degraded, 1 flaky, 1 pass, in 0.42 s

    | result | check | what was seen |
    |---|---|---|
    | fail | ` cart ` | `` $.state is "<b>`open`]]> ¦ @team?[31m??", expected "ready" `` |
    | degraded | ` pages[/a¦b] ` | ` took 900 ms, expected at most 800 ms ` |
    | flaky | ` search # 1 ` | ` GET /search answered 200 ` |
    | skipped | ` orders ` | ` what it needs did not pass ` |
    | unknown | ` login ` | `` `secret.X` has no value `` |

    Repeat ` cart `:

        curl -sS 'https://shop.example.com/' -H 'authorization: Bearer '"$TOKEN"

    <details><summary>1 passed</summary>

    - ` home ` 184 ms

    </details>
    "#);
}

#[test]
fn json_and_its_lines_say_the_same() {
    let report = every_verdict();
    let whole: serde_json::Value = serde_json::from_str(&render(&report, TestFormat::Json)).unwrap();
    let text = render(&report, TestFormat::Jsonl);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, checks) = lines.split_last().unwrap();
    assert_eq!(whole["checks"].as_array().unwrap(), checks);
    assert_eq!(summary["result"], "fail");
    assert_eq!(checks[1]["steps"][1]["result"], "fail");
    insta::assert_snapshot!(summary["summary"].as_str().unwrap(), @"6 checks: 1 fail, 1 unknown, 1 skipped, 1 degraded, 1 flaky, 1 pass, in 0.42 s");
}

#[test]
fn exit_codes() {
    let of = |result| report(vec![check("home", Verdict::Pass, ""), check("x", result, "")]);
    let dependency = |result| {
        let mut report = of(result);
        report.checks[1].severity = Severity::Dependency;
        report
    };
    let table = [
        (of(Verdict::Pass), Exit::Ok, Exit::Ok),
        (of(Verdict::Degraded), Exit::Ok, Exit::Failed),
        (of(Verdict::Flaky), Exit::Ok, Exit::Failed),
        (of(Verdict::Fail), Exit::Failed, Exit::Failed),
        (of(Verdict::Skipped), Exit::Inconclusive, Exit::Inconclusive),
        (of(Verdict::Unknown), Exit::Inconclusive, Exit::Inconclusive),
        (dependency(Verdict::Unknown), Exit::Ok, Exit::Ok),
        (report(Vec::new()), Exit::Inconclusive, Exit::Inconclusive),
    ];
    for (report, usual, strict) in table {
        assert_eq!((report.exit(false), report.exit(true)), (usual, strict), "{report:?}");
    }
}

proptest::proptest! {
    /// Whatever the app says: XML stays XML, a table a table, and a plan counts its points.
    #[test]
    fn no_text_breaks_a_format(name in "\\PC{0,20}", detail in proptest::collection::vec(proptest::char::any(), 0..60)) {
        let detail: String = detail.into_iter().collect();
        let report = report(vec![check(&name, Verdict::Fail, &detail)]);
        let xml = render(&report, TestFormat::Junit);
        let parsed = roxmltree::Document::parse(&xml);
        proptest::prop_assert!(parsed.is_ok(), "{:?} of {}", parsed.err(), xml);
        let tap = render(&report, TestFormat::Tap);
        proptest::prop_assert_eq!(tap.lines().filter(|line| line.starts_with("not ok ")).count(), 1);
        let markdown = render(&report, TestFormat::Markdown);
        let rows = markdown.lines().filter(|line| line.starts_with("| fail |"));
        proptest::prop_assert!(rows.clone().count() == 1 && rows.clone().all(|row| row.matches('|').count() == 4), "{}", markdown);
    }
}
