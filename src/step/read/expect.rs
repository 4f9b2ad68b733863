//! Reading `expect` and `warn`.

use std::time::Duration;

use super::matcher::{Kind, is_matcher, literal, matchers, rule};
use super::route::optional;
use super::{Files, all, facts, path, send};
use crate::document::{Key, Node, Place, Problems, Table, Value};
use crate::step::{About, Expect, Path, Rule, SCHEMA_BYTES_MAX, Schema, Selector, StatusSet};

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
    ("cookie", "cookies"),
    ("certificate", "tls"),
    ("css", "html"),
    ("selector", "html"),
    ("final_url", "url"),
    ("version", "http"),
    ("error_rate", "errors"),
    ("message", "web sockets cannot be asked yet"),
    ("answers", "name servers cannot be asked yet"),
];

/// Percentiles that can be expected.
const PERCENTILES: &[(&str, u8)] = &[("p50", 50), ("p75", 75), ("p90", 90), ("p95", 95), ("p99", 99)];

/// Rules, each with what it is about.
type Rules = Vec<(About, Rule)>;
/// Reads the rules of one key.
type ReadRules = fn(&Node<'_>, &mut Problems) -> Option<Rules>;

/// The keys whose values are rules, in the order in which they are looked at.
const RULES: &[(&str, ReadRules)] = &[
    ("headers", headers),
    ("cookies", facts::cookies),
    ("json", json),
    ("html", facts::html),
    ("body", body),
    ("size", facts::size),
    ("url", url),
    ("http", facts::http),
    ("tls", facts::tls),
    ("grpc", facts::grpc),
];

fn body(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    Some(vec![(About::Body, rule(node, Kind::Text, problems)?)])
}

fn url(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    Some(vec![(About::Url, rule(node, Kind::Text, problems)?)])
}

/// Reads the table under `key`; an empty expectation if there is none.
pub(super) fn read(
    table: &mut Table<'_>,
    key: &'static str,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<Expect> {
    let Some(node) = table.take(key) else {
        return Some(Expect::default());
    };
    let mut table = node.table(problems)?;
    let status = optional(table.take("status"), |node| status(node, problems));
    let mut rules = Some(Vec::new());
    for (key, read) in RULES {
        let Some(node) = table.take(key) else { continue };
        let read = read(&node, problems);
        rules = rules.zip(read).map(|(rules, read)| [rules, read].concat());
    }
    let schema = optional(table.take("schema"), |node| schema(node, files, problems));
    let times = optional(table.take("time"), |node| times(node, problems));
    let errors_percent = optional(table.take("errors"), |node| facts::percent(node, problems));
    let assets = optional(table.take("assets"), |node| node.bool(problems));
    table.finish(problems, ALIASES);
    let times = times?.unwrap_or_default();
    Some(Expect {
        status: status?,
        rules: rules?,
        schema: schema?,
        time: times.max,
        percentiles: times.percentiles,
        errors_percent: errors_percent?,
        assets: assets?.unwrap_or(false),
    })
}

/// A CSS selector; anything else is a problem.
pub(super) fn selector(text: &str, place: &Place<'_>, problems: &mut Problems) -> Option<Selector> {
    let selector = Selector::parse(text).ok();
    if selector.is_none() {
        let help = "write it as in a style sheet: `title`, `h1.name`, `meta[name=version]`; `:has()` cannot be used";
        problems.push_help(place.clone(), format!("`{text}` is not a CSS selector"), help);
    }
    selector
}

/// A JSON Schema: the path of its file, or the schema itself.
fn schema(node: &Node<'_>, files: &dyn Files, problems: &mut Problems) -> Option<Schema> {
    let source = match node.value() {
        Value::String(path) => {
            let bytes = super::file(node, SCHEMA_BYTES_MAX, files, problems)?;
            match serde_json::from_slice(&bytes) {
                Ok(source) => source,
                Err(error) => {
                    problems.push(node.place(), format!("the file `{path}` is not JSON: {error}"));
                    return None;
                }
            }
        }
        Value::Table(_) => node.to_json(),
        _ => {
            let message = format!("{} must be the path of a JSON Schema, or one as a table", node.label());
            problems.push(node.place(), message);
            return None;
        }
    };
    match Schema::parse(source) {
        Ok(schema) => Some(schema),
        Err(error) => {
            problems.push(node.place(), format!("{}: {error}", node.label()));
            None
        }
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

fn headers(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    let entries = node.table(problems)?.take_all();
    all(entries.into_iter().map(|(key, node)| {
        let name = send::header_name(key.name, key.place, problems);
        let rule = rule(&node, Kind::Text, problems);
        Some((About::Header(name?), rule?))
    }))
}

/// What answers may take.
#[derive(Default)]
struct Times {
    /// Each of them.
    max: Option<Duration>,
    /// So many percent of all of them.
    percentiles: Vec<(u8, Duration)>,
}

/// `time = "2s"` for each answer, or `time = { p95 = "400ms", max = "2s" }` for all of them.
fn times(node: &Node<'_>, problems: &mut Problems) -> Option<Times> {
    let Some(mut table) = node.as_table() else {
        let max = time(node, problems)?;
        return Some(Times {
            max: Some(max),
            ..Times::default()
        });
    };
    let max = optional(table.take("max"), |node| time(node, problems));
    let taken: Vec<_> = PERCENTILES
        .iter()
        .filter_map(|(key, percent)| Some((*percent, table.take(key)?)))
        .collect();
    let read = taken
        .into_iter()
        .map(|(percent, node)| Some((percent, time(&node, problems)?)));
    let percentiles = all(read);
    table.finish(
        problems,
        &[("median", "p50"), ("p100", "max"), ("avg", "p50"), ("mean", "p50")],
    );
    Some(Times {
        max: max?,
        percentiles: percentiles?,
    })
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
fn json(node: &Node<'_>, problems: &mut Problems) -> Option<Rules> {
    let root = path("$", node, problems)?;
    let mut mirror = Mirror {
        rules: Vec::new(),
        complete: true,
        problems,
    };
    let Value::Table(table) = node.value() else {
        let rule = literal(node, mirror.problems);
        mirror.push(&root, &[], rule, node);
        return mirror.rules();
    };
    let (paths, members): (Vec<_>, Vec<_>) = table
        .entries()
        .into_iter()
        .partition(|(key, _)| key.name.starts_with('$'));
    if paths.is_empty() && members.is_empty() {
        mirror.says_nothing(node);
    }
    for (key, value) in paths {
        mirror.path(&key, &value);
    }
    if !members.is_empty() {
        mirror.members(&root, node, members, &mut Vec::new());
    }
    mirror.rules()
}

/// Collects the rules of tables that look like the JSON they expect.
struct Mirror<'p> {
    rules: Rules,
    complete: bool,
    problems: &'p mut Problems,
}

impl Mirror<'_> {
    fn rules(self) -> Option<Rules> {
        self.complete.then_some(self.rules)
    }

    /// What stands under a `$` path.
    fn path(&mut self, key: &Key<'_>, node: &Node<'_>) {
        let path = match Path::parse(key.name) {
            Ok(path) => path,
            Err(error) => return self.problem(key.place.clone(), error.to_string(), None),
        };
        match node.value() {
            Value::Table(table) if path.is_singular() => self.table(&path, node, table.entries(), &mut Vec::new()),
            _ => {
                let kind = if path.is_singular() { Kind::Json } else { Kind::Plural };
                let rule = rule(node, kind, self.problems);
                self.push(&path, &[], rule, node);
            }
        }
    }

    /// A table that is either matchers for the value at `names` below `base`, or the members of it.
    fn members<'a>(
        &mut self,
        base: &Path,
        node: &Node<'a>,
        entries: Vec<(Key<'a>, Node<'a>)>,
        names: &mut Vec<&'a str>,
    ) {
        let words = entries.iter().filter(|(key, _)| is_matcher(key.name)).count();
        if words == entries.len() {
            return self.matchers(base, node, names);
        }
        for (key, member) in entries {
            if words > 0 && is_matcher(key.name) {
                let message = format!(
                    "`{}` in {} stands beside names that are not matchers",
                    key.name,
                    node.label()
                );
                let path = names.iter().chain(&[key.name]).copied().collect::<Vec<_>>().join(".");
                let help = format!(
                    "if it is a member of the JSON, write its path: `json.\"{}.{path}\"`",
                    base.as_str()
                );
                self.problem(key.place, message, Some(help));
                continue;
            }
            if key.name.starts_with('$') {
                let help = format!("write `json.\"{}\"`", key.name);
                self.problem(
                    key.place,
                    "a `$` path starts at the top of the JSON".to_owned(),
                    Some(help),
                );
                continue;
            }
            names.push(key.name);
            match member.value() {
                Value::Table(table) => self.table(base, &member, table.entries(), names),
                _ => {
                    let rule = literal(&member, self.problems);
                    self.push(base, names, rule, &member);
                }
            }
            names.pop();
        }
    }

    fn table<'a>(&mut self, base: &Path, node: &Node<'a>, entries: Vec<(Key<'a>, Node<'a>)>, names: &mut Vec<&'a str>) {
        if entries.is_empty() {
            self.says_nothing(node);
        } else {
            self.members(base, node, entries, names);
        }
    }

    fn matchers(&mut self, base: &Path, node: &Node<'_>, names: &[&str]) {
        let Some(mut table) = node.as_table() else {
            return;
        };
        // At the top `$` paths may stand beside them.
        for key in table.keys().iter().filter(|key| key.name.starts_with('$')) {
            table.take(key.name);
        }
        let rule = matchers(table, Kind::Json, self.problems);
        self.push(base, names, rule, node);
    }

    fn push(&mut self, base: &Path, names: &[&str], rule: Option<Rule>, node: &Node<'_>) {
        match (base.member(names), rule) {
            (Ok(path), Some(rule)) => self.rules.push((About::Json(path), rule)),
            (Err(error), _) => self.problem(node.place(), error.to_string(), None),
            (Ok(_), None) => self.complete = false,
        }
    }

    fn says_nothing(&mut self, node: &Node<'_>) {
        let help = "write what is expected, or `{ type = \"object\" }` for any object";
        self.problem(
            node.place(),
            format!("{} is empty and expects nothing", node.label()),
            Some(help.to_owned()),
        );
    }

    fn problem(&mut self, place: Place<'_>, message: String, help: Option<String>) {
        self.complete = false;
        match help {
            Some(help) => self.problems.push_help(place, message, help),
            None => self.problems.push(place, message),
        }
    }
}
