//! `[telemetry]`: what is read, and what is refused.

use super::Given;
use super::errors::{check, warned};
use crate::config::Telemetry;

fn given(telemetry: &str) -> Given {
    Given::main(&format!(
        "[telemetry]\n{telemetry}\n[check.home]\nget = \"https://shop.example.com\"\n"
    ))
    .var("OTLP_TOKEN", "a-token-of-the-tests")
    .var("OTLP", "https://otlp.example.com/s3cret")
}

fn read(telemetry: &str) -> Telemetry {
    given(telemetry).config().telemetry.unwrap()
}

#[test]
fn without_the_table_nothing_is_traced() {
    let config = Given::main("[check.home]\nget = \"https://shop.example.com\"\n").config();
    assert!(config.telemetry.is_none());
}

#[test]
fn the_path_of_otlp_is_added_unless_it_is_there() {
    for (written, meant) in [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
        (
            "https://otlp.example.com/otlp",
            "https://otlp.example.com/otlp/v1/traces",
        ),
        (
            "https://otlp.example.com/otlp/v1/traces",
            "https://otlp.example.com/otlp/v1/traces",
        ),
        (
            "https://otlp.example.com/v1/traces/",
            "https://otlp.example.com/v1/traces/",
        ),
        ("{{ secret.OTLP }}", "https://otlp.example.com/s3cret/v1/traces"),
    ] {
        let telemetry = read(&format!("otlp = \"{written}\""));
        assert_eq!(telemetry.otlp.as_str(), meant);
        assert_eq!(telemetry.is_secret, written.contains("secret"));
        assert_eq!(
            (telemetry.service_name.as_str(), telemetry.headers.len()),
            ("backstop", 0)
        );
    }
}

#[test]
fn headers_with_secrets_are_secret_and_others_are_not() {
    let telemetry = read(
        "otlp = \"https://otlp.example.com\"\nservice_name = \"guard\"\n\
         headers = { authorization = \"Bearer {{ secret.OTLP_TOKEN }}\", X-Scope-OrgID = \"shop\" }",
    );
    let headers: Vec<(&str, &str, bool)> = telemetry
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap(), value.is_sensitive()))
        .collect();
    let expected = [
        ("authorization", "Bearer a-token-of-the-tests", true),
        ("x-scope-orgid", "shop", false),
    ];
    assert_eq!(headers, expected);
    assert!(telemetry.is_secret && telemetry.service_name == "guard");
    assert!(!format!("{telemetry:?}").contains("a-token"), "{telemetry:?}");
    // A tenant's name is no secret, so a collector nearby may have it.
    let telemetry = read("otlp = \"http://collector.internal:4318\"\nheaders.x-scope-orgid = \"shop\"");
    assert!(!telemetry.is_secret);
}

#[test]
fn a_secret_goes_only_where_credentials_may_go() {
    let secret = "headers.authorization = \"Bearer {{ secret.OTLP_TOKEN }}\"";
    let problems = given(&format!("otlp = \"http://collector.internal:4318\"\n{secret}")).problems();
    assert!(
        problems.contains("the headers would be sent to this address in the clear"),
        "{problems}"
    );
    let clear = given("otlp = \"{{ secret.OTLP }}\"").var("OTLP", "http://otlp.example.com/s3cret");
    let problems = clear.problems();
    assert!(
        problems.contains("the address, which is a secret, would be sent"),
        "{problems}"
    );
    assert!(!problems.contains("s3cret"), "{problems}");
    for allowed in [
        format!("otlp = \"http://127.0.0.1:4318\"\n{secret}"),
        format!("otlp = \"http://collector.internal:4318\"\n{secret}\n[network]\nplain_http = [\"*.internal\"]"),
    ] {
        assert!(given(&allowed).load().is_ok(), "{allowed}");
    }
}

#[test]
fn what_is_wrong_is_told_with_what_to_write() {
    insta::assert_snapshot!(check(r#"
[telemetry]
otlp = "collector:4318"
service_name = " "
endpont = "http://127.0.0.1:4318"
protocol = "grpc"
headers = { host = "x", "a b" = "x", x-key = "ü" }
"#), @r#"
    error: `otlp` in [telemetry] must start with `https://` or `http://`
      --> checks.toml:2:8
       |
     2 | otlp = "collector:4318"
       |        ^^^^^^^^^^^^^^^^
       = help: write a whole address: `https://shop.example.com`

    error: `service_name` in [telemetry] must be from 1 to 100 characters
      --> checks.toml:3:16
       |
     3 | service_name = " "
       |                ^^^

    error: unknown key `endpont` in [telemetry]
      --> checks.toml:4:1
       |
     4 | endpont = "http://127.0.0.1:4318"
       | ^^^^^^^
       = help: known here: `headers`, `otlp`, `service_name`

    error: unknown key `protocol` in [telemetry]
      --> checks.toml:5:1
       |
     5 | protocol = "grpc"
       | ^^^^^^^^
       = help: there is one protocol: OTLP over HTTP, in protobuf

    error: header `host` cannot be set: it says what is sent
      --> checks.toml:6:13
       |
     6 | headers = { host = "x", "a b" = "x", x-key = "ü" }
       |             ^^^^

    error: `a b` is not the name of a header
      --> checks.toml:6:25
       |
     6 | headers = { host = "x", "a b" = "x", x-key = "ü" }
       |                         ^^^^^

    error: `x-key` in `headers` in [telemetry] has a character that cannot stand in a header
      --> checks.toml:6:46
       = help: use visible ASCII characters and spaces, on one line
    "#);
}

#[test]
fn what_is_missing_or_of_another_kind_is_told() {
    insta::assert_snapshot!(check("[telemetry]\nservice_name = \"guard\""), @r#"
    error: [telemetry] has no `otlp`
      --> checks.toml:1:1
       |
     1 | [telemetry]
       | ^^^^^^^^^^^
       = help: where traces are taken by OTLP over HTTP: `otlp = "http://127.0.0.1:4318"`
    "#);
    insta::assert_snapshot!(check("[telemetry]\notlp = \"https://otlp.example.com/?key=x\"\nheaders = \"a: b\""), @r#"
    error: `otlp` in [telemetry] has a query or fragment
      --> checks.toml:2:8
       = help: what it asks for goes into `headers`

    error: `headers` in [telemetry] must be a table, not a string
      --> checks.toml:3:11
       |
     3 | headers = "a: b"
       |           ^^^^^^
    "#);
    insta::assert_snapshot!(check("[otel]\notlp = \"http://127.0.0.1:4318\""), @r#"
    error: unknown key `otel` at the top level
      --> checks.toml:1:2
       |
     1 | [otel]
       |  ^^^^
       = help: here it is called `telemetry`
    "#);
}

#[test]
fn what_is_unwise_is_told() {
    insta::assert_snapshot!(warned(
        r#"
[telemetry]
otlp = "http://127.0.0.1:4317"
headers = { authorization = "Bearer a-token-in-the-file" }
[check.home]
get = "https://shop.example.com"
"#
    ), @r#"
    warning: 4317 is the port for OTLP over gRPC, and this is OTLP over HTTP
      --> checks.toml:2:8
       |
     2 | otlp = "http://127.0.0.1:4317"
       |        ^^^^^^^^^^^^^^^^^^^^^^^
       = help: collectors take OTLP over HTTP at port 4318: `otlp = "http://127.0.0.1:4318"`

    warning: `authorization` in `headers` in [telemetry] is written into the file
      --> checks.toml:3:29
       = help: keep it out of the file: `"{{ secret.NAME }}"` reads the environment variable NAME
    "#);
}
