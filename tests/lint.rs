//! `backstop lint` on files as people break them: all that it says, byte for byte.
#![expect(clippy::expect_used, reason = "these are tests")]

use std::path::Path;
use std::process::{Command, Output};

/// Secrets that are set where it runs.
const SET: &[(&str, &str)] = &[
    ("BACKSTOP_ADMIN_TOKEN", "admin-token-of-the-agent"),
    ("TEMPS_API_TOKEN", "token-of-the-platform"),
    ("TEMPS_WEBHOOK_SECRET", "secret-of-the-webhook"),
    ("OUTCOME_SECRET", "secret-of-the-outcome"),
    ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/x"),
    ("SHOP_TOKEN", "token-of-the-smoke-user"),
    ("SHORT", "abc"),
    ("EMPTY", " "),
];

fn lint(args: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint");
    Command::new(env!("CARGO_BIN_EXE_backstop"))
        .arg("lint")
        .args(args)
        .current_dir(folder)
        .env_clear()
        .envs(SET.iter().copied())
        .output()
        .expect("it runs")
}

/// What it wrote, problems first, and its exit code.
fn said(args: &[&str]) -> String {
    let output = lint(args);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let code = output.status.code().expect("a code");
    format!("{}{}exit {code}", text(&output.stderr), text(&output.stdout))
}

/// Compares with the file beside the linted one.
fn check(name: &str) {
    let said = said(&[&format!("{name}.toml")]);
    for (_, value) in SET.iter().filter(|(_, value)| value.len() > 8) {
        assert!(!said.contains(value), "{name} shows a secret: {said}");
    }
    assert!(!said.contains("hunter2"), "{name} shows a secret: {said}");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("lint");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, said));
}

#[test]
fn typos() {
    check("typos");
}

#[test]
fn words_of_other_tools() {
    check("other-tools");
}

#[test]
fn misplaced_keys() {
    check("misplaced");
}

#[test]
fn secrets_and_captures() {
    check("secrets");
}

#[test]
fn broken_syntax() {
    check("syntax");
}

#[test]
fn unwise_but_valid() {
    check("unwise");
}

#[test]
fn warnings_count_only_if_asked() {
    let code = |args: &[&str]| lint(args).status.code();
    assert_eq!(code(&["unwise.toml"]), Some(0));
    assert_eq!(code(&["--strict", "unwise.toml"]), Some(2));
    assert_eq!(code(&["unwise.toml", "typos.toml"]), Some(2));
}

#[test]
fn as_json_each_problem_is_a_line() {
    let output = lint(&[
        "--format",
        "json",
        "unwise.toml",
        "unwise.d/comments.toml",
        "secrets.toml",
    ]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object"))
        .collect();
    assert_eq!(output.stderr, b"");
    let of = |path: &str| lines.iter().filter(|line| line["path"] == path).count();
    // What an earlier file includes is not a config of its own.
    assert_eq!(of("unwise.d/comments.toml"), 1);
    assert!(of("checks.d/team.toml") >= 4 && of("secrets.toml") >= 10, "{text}");
    insta::assert_snapshot!(lines.first().expect("a line"), @r#"
    {"column":1,"end_column":5,"help":"write it at the top of the file, `when.app = \"shop\"`, or turn it on app by app: `[[policy]]` with `when.app` and this `mode`","level":"warning","line":2,"message":"every app may be rolled back, and no `when` says which app the checks of this file are for","path":"unwise.toml"}
    "#);
}
