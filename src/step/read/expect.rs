//! Reading `expect` and `warn`.

use std::time::Duration;

use http::HeaderName;

use super::matcher::{Kind, is_matcher, literal, matchers, rule};
use super::{all, path, send};
use crate::document::{Key, Node, Problems, Table, Value};
use crate::step::{Expect, Path, Rule, StatusSet};

/// Words from other tools, and what is not available yet.
const ALIASES: &[(&str, &str)] = &[
    ("code", "status"),
    ("status_code", "status"),
    ("header", "headers"),
    ("max_time", "time"),
    ("latency", "time"),
    ("duration", "time"),
    ("response_time", "time"),
    ("text", "body"),
    ("content", "body"),
    ("contains", "it belongs to the body: write `body.contains`"),
    ("lacks", "it belongs to the body: write `body.lacks`"),
    ("matches", "it belongs to the body: write `body.matches`"),
    ("cookies", "cookies cannot be expected yet; write `headers.set-cookie`"),
    (
        "schema",
        "a JSON schema cannot be expected yet; write `json` with types",
    ),
    ("html", "HTML cannot be expected by selector yet; write `body.contains`"),
    ("tls", "certificates cannot be expected yet"),
    ("assets", "assets cannot be expected yet; write a check for each"),
];

/// One expectation for a JSON value.
type JsonRule = (Path, Rule);

/// Reads the table under `key`; an empty expectation if there is none.
pub(super) fn read(table: &mut Table<'_>, key: &str, problems: &mut Problems) -> Option<Expect> {
    let Some(node) = table.take(key) else {
        return Some(Expect::default());
    };
    let mut table = node.table(problems)?;
    let status = optional(table.take("status"), |node| status(node, problems));
    let headers = optional(table.take("headers"), |node| headers(node, problems));
    let json = optional(table.take("json"), |node| json(node, problems));
    let body = optional(table.take("body"), |node| rule(node, Kind::Text, problems));
    let time = optional(table.take("time"), |node| time(node, problems));
    table.finish(problems, ALIASES);
    Some(Expect {
        status: status?,
        headers: headers?.unwrap_or_default(),
        json: json?.unwrap_or_default(),
        body: body?,
        time: time?,
    })
}

/// `Some(None)` for what is not there, `None` for what is wrong.
fn optional<'a, T>(node: Option<Node<'a>>, read: impl FnOnce(&Node<'a>) -> Option<T>) -> Option<Option<T>> {
    match node {
        Some(node) => read(&node).map(Some),
        None => Some(None),
    }
}

fn status(node: &Node<'_>, problems: &mut Problems) -> Option<StatusSet> {
    let ranges = match node.value() {
        Value::Array(items) => all(items.iter().map(|item| status_range(item, problems)))?,
        _ => vec![status_range(node, problems)?],
    };
    let set = StatusSet::of(ranges);
    if set.is_none() {
        problems.push(node.place(), format!("{} has no status in it", node.label()));
    }
    set
}

/// `200`, `"200"`, `"2xx"` or `"200-204"`.
fn status_range(node: &Node<'_>, problems: &mut Problems) -> Option<(u16, u16)> {
    let range = match node.value() {
        Value::Integer(status) => u16::try_from(status).ok().map(|status| (status, status)),
        Value::String(text) => range_of_text(text),
        _ => None,
    };
    let range = range.filter(|range| StatusSet::of(vec![*range]).is_some());
    if range.is_none() {
        let message = format!("{} is not a status", node.label());
        problems.push_help(
            node.place(),
            message,
            "write `200`, `\"2xx\"`, `\"200-204\"` or a list of those",
        );
    }
    range
}

fn range_of_text(text: &str) -> Option<(u16, u16)> {
    let number = |digits: &str| {
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())
            .flatten()
    };
    if let Some(class) = text.strip_suffix("xx") {
        let first: u16 = number(class).filter(|class| *class < 10)? * 100;
        return Some((first, first + 99));
    }
    match text.split_once('-') {
        Some((first, last)) => Some((number(first)?, number(last)?)),
        None => number(text).map(|status| (status, status)),
    }
}

fn headers(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<(HeaderName, Rule)>> {
    let entries = node.table(problems)?.take_all();
    all(entries.into_iter().map(|(key, node)| {
        let name = send::header_name(key.name, key.place, problems);
        let rule = rule(&node, Kind::Text, problems);
        Some((name?, rule?))
    }))
}

fn time(node: &Node<'_>, problems: &mut Problems) -> Option<Duration> {
    let time = node.duration(problems)?;
    if time.is_zero() {
        problems.push(node.place(), format!("{} must be longer than 0", node.label()));
        return None;
    }
    Some(time)
}

/// `expect.json`: keys that start with `$` are paths, the others mirror the JSON or are matchers for the whole of it.
fn json(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<JsonRule>> {
    let Value::Table(table) = node.value() else {
        return Some(vec![(root(problems, node)?, literal(node, problems)?)]);
    };
    let (paths, members): (Vec<_>, Vec<_>) = table
        .entries()
        .into_iter()
        .partition(|(key, _)| key.name.starts_with('$'));
    let mut rules = all(paths.into_iter().map(|(key, node)| {
        let path = path_key(&key, problems);
        let kind = if path.as_ref().is_none_or(Path::is_singular) {
            Kind::Json
        } else {
            Kind::Plural
        };
        let rule = rule(&node, kind, problems);
        Some((path?, rule?))
    }));
    let mut mirrored = Vec::new();
    let complete = if members.is_empty() {
        rules.as_ref().is_none_or(|rules| !rules.is_empty()) || says_nothing(node, problems)
    } else {
        mirror(node, members, &mut Vec::new(), &mut mirrored, problems)
    };
    if let Some(rules) = &mut rules {
        rules.extend(mirrored);
    }
    rules.filter(|_| complete)
}

fn path_key(key: &Key<'_>, problems: &mut Problems) -> Option<Path> {
    match Path::parse(key.name) {
        Ok(path) => Some(path),
        Err(error) => {
            problems.push(key.place.clone(), error.to_string());
            None
        }
    }
}

fn root(problems: &mut Problems, node: &Node<'_>) -> Option<Path> {
    path("$", node, problems)
}

/// Reads a table that is either matchers for the value at `names`, or the members of it. Whether all was good.
fn mirror<'a>(
    node: &Node<'a>,
    entries: Vec<(Key<'a>, Node<'a>)>,
    names: &mut Vec<&'a str>,
    rules: &mut Vec<JsonRule>,
    problems: &mut Problems,
) -> bool {
    let words = entries.iter().filter(|(key, _)| is_matcher(key.name)).count();
    if words == entries.len() {
        return table_of_matchers(node, names, rules, problems);
    }
    let mut complete = true;
    for (key, member) in entries {
        if words > 0 && is_matcher(key.name) {
            let message = format!(
                "`{}` in {} stands beside names that are not matchers",
                key.name,
                node.label()
            );
            let help = format!(
                "if it is a member of the JSON, write its path: `json.\"$.{}\"`",
                dotted(names, key.name)
            );
            problems.push_help(key.place, message, help);
            complete = false;
            continue;
        }
        if key.name.starts_with('$') {
            let help = format!("write `json.\"{}\"`", key.name);
            problems.push_help(key.place, "a `$` path starts at the top of the JSON", help);
            complete = false;
            continue;
        }
        names.push(key.name);
        complete &= match member.value() {
            Value::Table(table) if table.keys().is_empty() => says_nothing(&member, problems),
            Value::Table(table) => mirror(&member, table.entries(), names, rules, problems),
            _ => {
                let rule = literal(&member, problems);
                push(names, rule, &member, rules, problems)
            }
        };
        names.pop();
    }
    complete
}

fn table_of_matchers(node: &Node<'_>, names: &[&str], rules: &mut Vec<JsonRule>, problems: &mut Problems) -> bool {
    let Some(mut table) = node.as_table() else {
        return false;
    };
    // At the top `$` paths may stand beside them.
    for key in table.keys().iter().filter(|key| key.name.starts_with('$')) {
        table.take(key.name);
    }
    let rule = matchers(table, Kind::Json, problems);
    push(names, rule, node, rules, problems)
}

fn push(
    names: &[&str],
    rule: Option<Rule>,
    node: &Node<'_>,
    rules: &mut Vec<JsonRule>,
    problems: &mut Problems,
) -> bool {
    match (Path::of_names(names), rule) {
        (Ok(path), Some(rule)) => {
            rules.push((path, rule));
            true
        }
        (Err(error), _) => {
            problems.push(node.place(), error.to_string());
            false
        }
        (Ok(_), None) => false,
    }
}

fn says_nothing(node: &Node<'_>, problems: &mut Problems) -> bool {
    let help = "write what is expected, or `{ type = \"object\" }` for any object";
    problems.push_help(
        node.place(),
        format!("{} is empty and expects nothing", node.label()),
        help,
    );
    false
}

fn dotted(names: &[&str], last: &str) -> String {
    names.iter().chain(&[last]).copied().collect::<Vec<_>>().join(".")
}
