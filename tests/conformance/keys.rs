//! Every key of the language has a case.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::corpus;

/// The keys of a check that are the same in its steps, and those beside them. `*` stands for any name.
const KEYS: &[&str] = &[
    // Of a file.
    "include",
    "when.app",
    "when.env",
    "base",
    "vars",
    "defaults",
    "secrets.*.file",
    "secrets.*.env",
    "env.*.base",
    "env.*.vars",
    "env.*.headers",
    // Of a check.
    "check.*.title",
    "check.*.when.app",
    "check.*.when.env",
    "check.*.when.env.not",
    "check.*.when.branch",
    "check.*.when.platform",
    "check.*.when.preview",
    "check.*.needs",
    "check.*.session",
    "check.*.severity",
    "check.*.repeat",
    "check.*.inherit",
    "check.*.base",
    "check.*.samples",
    "check.*.step",
    "check.*.finally",
    // What is sent.
    "check.*.get",
    "check.*.head",
    "check.*.post",
    "check.*.put",
    "check.*.patch",
    "check.*.delete",
    "check.*.options",
    "check.*.method",
    "check.*.url",
    "check.*.tcp",
    "check.*.grpc",
    "check.*.service",
    "check.*.query",
    "check.*.headers",
    "check.*.cookies",
    "check.*.json",
    "check.*.form",
    "check.*.multipart.name",
    "check.*.multipart.value",
    "check.*.multipart.file",
    "check.*.multipart.type",
    "check.*.multipart.filename",
    "check.*.text",
    "check.*.file",
    "check.*.graphql.query",
    "check.*.graphql.variables",
    "check.*.graphql.operation",
    "check.*.bearer",
    "check.*.basic.user",
    "check.*.basic.password",
    "defaults.oauth2.url",
    "defaults.oauth2.client_id",
    "defaults.oauth2.client_secret",
    "defaults.oauth2.scope",
    "check.*.timeout",
    "check.*.follow",
    "check.*.connect",
    "check.*.ip",
    "check.*.proxy",
    "check.*.http",
    "check.*.tls.cert",
    "check.*.tls.key",
    "check.*.tls.ca",
    "check.*.max_body",
    "check.*.charset",
    "check.*.retry.for",
    "check.*.retry.every",
    "check.*.retry.stop",
    // What is expected.
    "check.*.expect.status",
    "check.*.expect.headers.*",
    "check.*.expect.cookies.*.value",
    "check.*.expect.cookies.*.http_only",
    "check.*.expect.cookies.*.secure",
    "check.*.expect.cookies.*.same_site",
    "check.*.expect.cookies.*.path",
    "check.*.expect.cookies.*.domain",
    "check.*.expect.cookies.*.max_age",
    "check.*.expect.json",
    "check.*.expect.schema",
    "check.*.expect.html.*",
    "check.*.expect.html.*.attr",
    "check.*.expect.body",
    "check.*.expect.size",
    "check.*.expect.size.min",
    "check.*.expect.size.max",
    "check.*.expect.time",
    "check.*.expect.time.p50",
    "check.*.expect.time.p75",
    "check.*.expect.time.p90",
    "check.*.expect.time.p95",
    "check.*.expect.time.p99",
    "check.*.expect.time.max",
    "check.*.expect.errors",
    "check.*.expect.url",
    "check.*.expect.http",
    "check.*.expect.tls.days_left.min",
    "check.*.expect.tls.version",
    "check.*.expect.tls.version.min",
    "check.*.expect.assets",
    "check.*.expect.grpc",
    "check.*.warn.status",
    "check.*.warn.headers",
    "check.*.warn.json",
    "check.*.warn.body",
    "check.*.warn.time",
    "check.*.warn.assets",
    "check.*.warn.errors",
    // What is kept.
    "check.*.capture.*.json",
    "check.*.capture.*.header",
    "check.*.capture.*.cookie",
    "check.*.capture.*.html",
    "check.*.capture.*.attr",
    "check.*.capture.*.matches",
    "check.*.capture.*.secret",
];

/// Stand anywhere below `expect`.
const MATCHERS: &[&str] = &[
    "is", "not", "one_of", "min", "max", "contains", "matches", "lacks", "exists", "type", "count", "length", "any",
    "all", "none",
];

/// The paths of all keys; the tables of a list have the path of the list, and those of `step` and `finally` also that of
/// their check.
fn paths(table: &Table, before: &[&str], found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path: Vec<&str> = before.iter().copied().chain([key.as_str()]).collect();
        found.insert(path.join("\u{1f}"));
        let items = match value {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items.iter().filter_map(Value::as_table) {
            let is_step = before.len() == 2 && before[0] == "check" && matches!(key.as_str(), "step" | "finally");
            paths(item, if is_step { before } else { &path }, found);
        }
    }
}

/// Whether the start of `path` is like `pattern`.
fn is_like(path: &[&str], pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split('.').collect();
    let alike = |(part, key): (&&str, &&str)| *part == "*" || part == key;
    path.len() == parts.len() && parts.iter().zip(path).all(alike)
}

#[test]
fn every_key_has_a_case() {
    let mut found = BTreeSet::new();
    for (_, cases) in corpus::read() {
        // What is refused proves a key only if nothing else can.
        for case in cases.iter().filter(|case| case.refused.is_none()) {
            for text in [&case.checks].into_iter().chain(case.files.values()) {
                if let Ok(table) = text.parse::<Table>() {
                    paths(&table, &[], &mut found);
                }
            }
        }
    }
    let found: Vec<Vec<&str>> = found.iter().map(|path| path.split('\u{1f}').collect()).collect();
    let keys = KEYS.iter().filter(|key| !found.iter().any(|path| is_like(path, key)));
    let below_expect =
        |path: &&Vec<&str>, word: &str| path.len() > 4 && path[2] == "expect" && path.last() == Some(&word);
    let matchers = MATCHERS
        .iter()
        .filter(|word| !found.iter().any(|path| below_expect(&path, word)));
    let missing: Vec<&&str> = keys.chain(matchers).collect();
    assert!(missing.is_empty(), "no case has {missing:?}");
}
