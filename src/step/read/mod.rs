//! Reading a step from a table of a file.

mod expect;
mod matcher;
mod send;

use crate::document::{Node, Problems, Table, Value};

use super::json_template::JsonTemplate;
use super::template::{Template, is_word};
use super::{Capture, CaptureFrom, Path, Step};

/// Reads what of a step stands in `table`: a method with its address, `headers`, `bearer`, `json`, `text`, `timeout`,
/// `follow`, `expect`, `warn`, `capture`.
///
/// What is wrong goes to `problems`, all of it, and then there is no step. Other keys are the caller's, who also calls
/// [`Table::finish`]; within `expect`, `warn` and `capture` every unknown key is reported here.
pub fn read_step(table: &mut Table<'_>, problems: &mut Problems) -> Option<Step> {
    let send = send::read(table, problems);
    let expect = expect::read(table, "expect", problems);
    let warn = expect::read(table, "warn", problems);
    let capture = captures(table, problems);
    Some(Step {
        send: send?,
        expect: expect?,
        warn: warn?,
        capture: capture?,
    })
}

fn captures(table: &mut Table<'_>, problems: &mut Problems) -> Option<Vec<Capture>> {
    let Some(node) = table.take("capture") else {
        return Some(Vec::new());
    };
    let entries = node.table(problems)?.take_all();
    all(entries.into_iter().map(|(key, node)| {
        if !is_word(key.name) {
            let message = format!("`{}` cannot be the name of a captured value", key.name);
            problems.push_help(key.place, message, "use letters, digits, `-` and `_`");
            return None;
        }
        capture(key.name, &node, problems)
    }))
}

fn capture(name: &str, node: &Node<'_>, problems: &mut Problems) -> Option<Capture> {
    let json = |node: &Node<'_>, problems: &mut Problems| Some(CaptureFrom::Json(singular_path(node, problems)?));
    if node.as_str().is_some() {
        return Some(Capture {
            name: name.to_owned(),
            from: json(node, problems)?,
            secret: true,
        });
    }
    let Value::Table(mut table) = node.value() else {
        let message = format!("{} must be a JSON path or a table, not {}", node.label(), node.kind());
        problems.push_help(node.place(), message, format!("write `capture.{name} = \"$.{name}\"`"));
        return None;
    };
    let secret = match table.take("secret") {
        Some(node) => node.bool(problems),
        None => Some(true),
    };
    let from = match (table.take("json"), table.take("header")) {
        (Some(node), None) => json(&node, problems),
        (None, Some(node)) => {
            send::header_name(node.string(problems)?, node.place(), problems).map(CaptureFrom::Header)
        }
        _ => {
            let message = format!("{} must say where the value stands", node.label());
            let help = format!("write one of `json` and `header`: `{{ json = \"$.{name}\" }}`");
            problems.push_help(node.place(), message, help);
            None
        }
    };
    let aliases = [("path", "json"), ("jsonpath", "json"), ("headers", "header")];
    table.finish(problems, &aliases);
    Some(Capture {
        name: name.to_owned(),
        from: from?,
        secret: secret?,
    })
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
