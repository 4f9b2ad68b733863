//! Reading a step from a table of a file.

mod auth;
mod body;
mod capture;
mod expect;
mod facts;
mod matcher;
mod route;
mod send;

pub use facts::bytes as read_bytes;
pub use send::headers as read_headers;

use std::time::Duration;

use crate::document::{Node, Problems, Table, Value};

use super::json_template::JsonTemplate;
use super::template::Template;
use super::{About, Matcher, POLL_MAX, Path, Poll, Rule, Step};

/// Between two requests of a step that polls.
const POLL_EVERY_DEFAULT: Duration = Duration::from_secs(1);
const POLL_MIN: Duration = Duration::from_millis(100);

/// Files that steps name: bodies, schemas, certificates. They are read when the config is.
pub trait Files {
    /// The bytes of the file that stands as `path` in the config file `source`.
    ///
    /// # Errors
    /// Why it cannot be read, or may not be, in words.
    fn read(&self, path: &str, source: &str) -> Result<Vec<u8>, String>;
}

/// No files: for steps that may not name any.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str, _: &str) -> Result<Vec<u8>, String> {
        Err("no file can be named here".to_owned())
    }
}

/// The bytes of the file that `node` names, which has at most `bytes_max`.
fn file(node: &Node<'_>, bytes_max: usize, files: &dyn Files, problems: &mut Problems) -> Option<Vec<u8>> {
    let path = node.string(problems)?;
    match files.read(path, &node.source().path) {
        Ok(bytes) if bytes.len() <= bytes_max => Some(bytes),
        Ok(_) => {
            problems.push(node.place(), format!("the file `{path}` is over {bytes_max} bytes"));
            None
        }
        Err(why) => {
            problems.push(node.place(), format!("cannot read the file `{path}`: {why}"));
            None
        }
    }
}

/// Reads what of a step stands in `table`: where it goes, what is sent, how, `expect`, `warn`, `capture` and `retry`.
///
/// What is wrong goes to `problems`, all of it, and then there is no step. Other keys are the caller's, who also calls
/// [`Table::finish`]; within `expect`, `warn` and `capture` every unknown key is reported here.
pub fn read_step(table: &mut Table<'_>, files: &dyn Files, problems: &mut Problems) -> Option<Step> {
    let is_grpc = table.has("grpc");
    let send = send::read(table, files, problems);
    let expect = expect::read(table, "expect", files, problems);
    let warn = expect::read(table, "warn", files, problems);
    let capture = capture::read(table, problems);
    let poll = poll(table, files, problems);
    let mut expect = expect?;
    if is_grpc && !expect.rules.iter().any(|(about, _)| *about == About::Grpc) {
        let serving = JsonTemplate::Text(Template::literal("SERVING"));
        expect.rules.push((About::Grpc, Rule(vec![Matcher::Is(serving)])));
    }
    Some(Step {
        send: send?,
        expect,
        warn: warn?,
        capture: capture?,
        poll: poll?,
    })
}

/// `retry = "20s"` or `retry = { for = "20s", every = "1s", stop.json.state = "failed" }`.
fn poll(table: &mut Table<'_>, files: &dyn Files, problems: &mut Problems) -> Option<Option<Poll>> {
    let Some(node) = table.take("retry") else {
        return Some(None);
    };
    let poll = |limit, every, stop| Some(Some(Poll { limit, every, stop }));
    match node.value() {
        Value::String(_) => poll(poll_time(&node, problems)?, POLL_EVERY_DEFAULT, None),
        Value::Table(mut table) => {
            let help = "write for how long: `retry = { for = \"20s\" }`";
            let limit = table.required("for", help, problems);
            let limit = limit.and_then(|node| poll_time(&node, problems));
            let every = match table.take("every") {
                Some(node) => poll_time(&node, problems),
                None => Some(POLL_EVERY_DEFAULT),
            };
            let stop = table
                .has("stop")
                .then(|| expect::read(&mut table, "stop", files, problems));
            table.finish(
                problems,
                &[("timeout", "for"), ("interval", "every"), ("until", "expect")],
            );
            let stop = match stop {
                Some(stop) => Some(stop?),
                None => None,
            };
            poll(limit?, every?, stop)
        }
        _ => {
            let message = format!("{} must be a time, not {}", node.label(), node.kind());
            let help = "here `retry = \"20s\"` asks again until the expectation holds; how many failures are forgiven is the \
                        same for all checks: `failures` in `[retry]`";
            problems.push_help(node.place(), message, help);
            None
        }
    }
}

fn poll_time(node: &Node<'_>, problems: &mut Problems) -> Option<Duration> {
    let time = node.duration(problems)?;
    if (POLL_MIN..=POLL_MAX).contains(&time) {
        return Some(time);
    }
    problems.push(
        node.place(),
        format!("{} must be from `\"100ms\"` to `\"5m\"`", node.label()),
    );
    None
}

/// A JSON path that finds at most one value.
fn singular_path(node: &Node<'_>, problems: &mut Problems) -> Option<Path> {
    let path = path(node.string(problems)?, node, problems)?;
    if path.is_singular() {
        return Some(path);
    }
    let message = format!("`{}` may find several values", path.as_str());
    problems.push_help(
        node.place(),
        message,
        "one value can be kept: use names and indexes only, `$.items[0].id`",
    );
    None
}

fn path(text: &str, node: &Node<'_>, problems: &mut Problems) -> Option<Path> {
    match Path::parse(text) {
        Ok(path) => Some(path),
        Err(error) if !text.starts_with('$') => {
            problems.push_help(
                node.place(),
                error.to_string(),
                "a JSON path starts with `$`: `$.status`",
            );
            None
        }
        Err(error) => {
            problems.push(node.place(), error.to_string());
            None
        }
    }
}

fn template(node: &Node<'_>, problems: &mut Problems) -> Option<Template> {
    match Template::parse(node.string(problems)?) {
        Ok(template) => Some(template),
        Err(error) => {
            problems.push(node.place(), error.to_string());
            None
        }
    }
}

/// Any value as JSON in whose strings placeholders may stand, not in its keys.
fn json_template(node: &Node<'_>, problems: &mut Problems) -> Option<JsonTemplate> {
    match node.value() {
        Value::String(_) => template(node, problems).map(JsonTemplate::Text),
        Value::Array(items) => all(items.iter().map(|item| json_template(item, problems))).map(JsonTemplate::List),
        Value::Table(table) => {
            let members = all(table.entries().into_iter().map(|(key, node)| {
                if key.name.contains("{{") {
                    problems.push(key.place, "placeholders stand in values, not in keys");
                    return None;
                }
                Some((key.name.to_owned(), json_template(&node, problems)?))
            }));
            members.map(JsonTemplate::Object)
        }
        Value::Datetime(at) => {
            let help = format!("JSON has no dates; write `\"{at}\"`");
            problems.push_help(node.place(), format!("{} is a date or time", node.label()), help);
            None
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(JsonTemplate::Plain(node.to_json())),
    }
}

/// Every item, if there is one for each; goes on behind a bad one, so that all problems are found.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let mut good = Vec::new();
    let mut complete = true;
    for item in items {
        match item {
            Some(item) => good.push(item),
            None => complete = false,
        }
    }
    complete.then_some(good)
}
