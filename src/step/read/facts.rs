//! Reading what is expected of an answer besides its status, JSON and time: cookies, elements, size, versions.

use super::matcher::{Kind, is_matcher, rule};
use super::{all, expect};
use crate::document::{Node, Problems, Table, Value};
use crate::step::json_template::JsonTemplate;
use crate::step::template::Template;
use crate::step::{About, CookiePart, Matcher, Rule};

/// Rules, each with what it is about.
type Rules = Vec<(About, Rule)>;

/// Units of sizes, and their bytes.
const UNITS: &[(&str, u64)] = &[
    ("gib", 1024 * 1024 * 1024),
    ("gb", 1_000_000_000),
    ("kib", 1024),
    ("mib", 1024 * 1024),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("b", 1),
];
/// What a gRPC health service answers, and the names of gRPC's own statuses that it may fail with.
const HEALTH: [&str; 8] = [
    "SERVING",
    "NOT_SERVING",
    "UNKNOWN",
    "SERVICE_UNKNOWN",
    "NOT_FOUND",
    "UNIMPLEMENTED",
    "UNAVAILABLE",
    "UNAUTHENTICATED",
];

/// `cookies.NAME`: a rule for its value, or a table of its parts.
pub(super) fn cookies(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    let entries = node.table(problems)?.take_all();
    let mut rules = Vec::new();
    let mut complete = true;
    for (key, node) in entries {
        let parts = node
            .as_table()
            .filter(|table| table.keys().iter().any(|key| !is_matcher(key.name)));
        let read = match parts {
            Some(table) => cookie_parts(key.name, table, problems),
            None => {
                let value = rule(&node, Kind::Text, problems);
                value.map(|value| vec![(About::Cookie(key.name.to_owned(), CookiePart::Value), value)])
            }
        };
        match read {
            Some(read) => rules.extend(read),
            None => complete = false,
        }
    }
    complete.then_some(rules)
}

fn cookie_parts(name: &str, mut table: Table<'_>, problems: &mut Problems) -> Option<Rules> {
    let given: Vec<_> = CookiePart::ALL
        .into_iter()
        .filter_map(|part| Some((part, table.take(part.as_str())?)))
        .collect();
    let read = given.into_iter().map(|(part, node)| {
        let kind = match part {
            CookiePart::HttpOnly | CookiePart::Secure => Kind::Json,
            CookiePart::MaxAge => Kind::Size,
            CookiePart::Value | CookiePart::SameSite | CookiePart::Path | CookiePart::Domain => Kind::Text,
        };
        Some((About::Cookie(name.to_owned(), part), rule(&node, kind, problems)?))
    });
    let rules = all(read);
    let aliases = [
        ("httponly", "http_only"),
        ("samesite", "same_site"),
        ("expires", "max_age"),
    ];
    table.finish(problems, &aliases);
    rules
}

/// `html."selector"`: a rule for the first element's text, or for all elements'; with `attr` for an attribute.
pub(super) fn html(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    let entries = node.table(problems)?.take_all();
    all(entries.into_iter().map(|(key, node)| {
        let selector = expect::selector(key.name, &key.place, problems);
        let (attribute, rule) = match node.value() {
            Value::Table(mut table) => {
                let attribute = match table.take("attr") {
                    Some(attribute) => Some(attribute.string(problems)?.to_owned()),
                    None => None,
                };
                (attribute, super::matcher::matchers(table, Kind::Elements, problems))
            }
            _ => (None, rule(&node, Kind::Elements, problems)),
        };
        Some((About::Html(selector?, attribute), rule?))
    }))
}

/// `size`: bytes, with or without a unit, or matchers for them.
pub(super) fn size(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    let one = |node: &Node<'_>, problems: &mut Problems| Some(bytes(node, problems)? as f64);
    let rule = numbers(node, problems, &one)?;
    Some(vec![(About::Size, rule)])
}

/// A number, or `{ min, max }` of them.
fn numbers(
    node: &Node<'_>,
    problems: &mut Problems,
    one: &dyn Fn(&Node<'_>, &mut Problems) -> Option<f64>,
) -> Option<Rule> {
    let Some(mut table) = node.as_table() else {
        let number = one(node, problems)?;
        return Some(Rule(vec![Matcher::Min(number), Matcher::Max(number)]));
    };
    let mut matchers = Vec::new();
    let mut complete = true;
    for (key, matcher) in [("min", Matcher::Min as fn(f64) -> Matcher), ("max", Matcher::Max)] {
        let Some(node) = table.take(key) else { continue };
        match one(&node, problems) {
            Some(number) => matchers.push(matcher(number)),
            None => complete = false,
        }
    }
    table.finish(
        problems,
        &[("at_least", "min"), ("at_most", "max"), ("gte", "min"), ("lte", "max")],
    );
    if matchers.is_empty() && complete {
        let message = format!("{} is empty and expects nothing", node.label());
        problems.push_help(node.place(), message, "write `{ min = … }`, `{ max = … }` or both");
        return None;
    }
    complete.then_some(Rule(matchers))
}

/// A number of bytes: `20000`, `"20kB"`, `"4MiB"`.
pub fn bytes(node: &Node<'_>, problems: &mut Problems) -> Option<u64> {
    let found = match node.value() {
        Value::Integer(bytes) => u64::try_from(bytes).ok(),
        Value::String(text) => size_of_text(text),
        _ => None,
    };
    if found.is_none() {
        let message = format!("{} is not a size", node.label());
        problems.push_help(
            node.place(),
            message,
            "write bytes, or a number and a unit: `\"500kB\"`, `\"4MiB\"`",
        );
    }
    found
}

fn size_of_text(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let (unit, scale) = UNITS.iter().find(|(unit, _)| lower.ends_with(unit))?;
    let digits = lower.strip_suffix(unit)?.trim_end();
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(*scale)
}

/// `tls`: `days_left` and `version`.
pub(super) fn tls(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    let mut table = node.table(problems)?;
    let version = |node: &Node<'_>, problems: &mut Problems| match node.as_str() {
        Some("1.2") => Some(1.2),
        Some("1.3") => Some(1.3),
        _ => {
            let message = format!("{} is not a version of TLS", node.label());
            problems.push_help(
                node.place(),
                message,
                "write `\"1.2\"` or `\"1.3\"`; older ones are never spoken",
            );
            None
        }
    };
    let days = |node: &Node<'_>, problems: &mut Problems| node.float(problems);
    let mut rules = Vec::new();
    let mut complete = true;
    let days_left = table
        .take("days_left")
        .map(|node| (About::TlsDaysLeft, numbers(&node, problems, &days)));
    let versions = table
        .take("version")
        .map(|node| (About::TlsVersion, numbers(&node, problems, &version)));
    for (about, rule) in [days_left, versions].into_iter().flatten() {
        match rule {
            Some(rule) => rules.push((about, rule)),
            None => complete = false,
        }
    }
    table.finish(
        problems,
        &[
            ("expires_in", "days_left"),
            ("days", "days_left"),
            ("min_version", "version.min"),
        ],
    );
    complete.then_some(rules)
}

/// `http`: `"1.1"` or `"2"`.
pub(super) fn http(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    let version = node.as_str().filter(|version| ["1.0", "1.1", "2"].contains(version));
    let Some(version) = version else {
        let message = format!("{} is not a version of HTTP that we speak", node.label());
        problems.push_help(node.place(), message, "write `\"1.1\"` or `\"2\"`");
        return None;
    };
    Some(vec![(About::HttpVersion, is(version))])
}

/// `grpc`: a health status.
pub(super) fn grpc(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    let Some(status) = node.as_str().filter(|status| HEALTH.contains(status)) else {
        let message = format!("{} is not a health status", node.label());
        problems.push_help(
            node.place(),
            message,
            format!("the statuses are `{}`", HEALTH.join("`, `")),
        );
        return None;
    };
    Some(vec![(About::Grpc, is(status))])
}

fn is(text: &str) -> Rule {
    Rule(vec![Matcher::Is(JsonTemplate::Text(Template::literal(text)))])
}

/// `errors`: how many percent of the samples may fail.
pub(super) fn percent(node: &Node<'_>, problems: &mut Problems) -> Option<f64> {
    let number = node.as_str().and_then(|text| text.strip_suffix('%'));
    let percent = number.and_then(|digits| digits.trim().parse::<f64>().ok());
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    if percent.is_none() {
        let message = format!("{} is not a share", node.label());
        problems.push_help(node.place(), message, "write `\"0%\"` or `\"5%\"`");
    }
    percent
}
