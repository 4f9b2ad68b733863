//! Reading `capture`.

use super::{all, expect, matcher, send, singular_path};
use crate::document::{Node, Problems, Table, Value};
use crate::step::template::is_word;
use crate::step::{Capture, CaptureFrom};

const SOURCES: [&str; 5] = ["json", "header", "cookie", "html", "matches"];
const ALIASES: &[(&str, &str)] = &[
    ("path", "json"),
    ("jsonpath", "json"),
    ("headers", "header"),
    ("cookies", "cookie"),
    ("regex", "matches"),
    ("css", "html"),
    ("selector", "html"),
    ("redact", "a captured value is secret unless it says `secret = false`"),
];

pub(super) fn read(table: &mut Table<'_>, problems: &mut Problems) -> Option<Vec<Capture>> {
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
    if node.as_str().is_some() {
        return Some(Capture {
            name: name.to_owned(),
            from: CaptureFrom::Json(singular_path(node, problems)?),
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
    let attribute = table.take("attr");
    let given: Vec<(&str, Node<'_>)> = SOURCES
        .iter()
        .filter_map(|key| Some((*key, table.take(key)?)))
        .collect();
    let from = match given.as_slice() {
        [(key, source)] => from(key, source, attribute.as_ref(), problems),
        _ => {
            let message = format!("{} must say where the value stands", node.label());
            let help =
                format!("write one of `json`, `header`, `cookie`, `html` and `matches`: `{{ json = \"$.{name}\" }}`");
            problems.push_help(node.place(), message, help);
            None
        }
    };
    table.finish(problems, ALIASES);
    Some(Capture {
        name: name.to_owned(),
        from: from?,
        secret: secret?,
    })
}

fn from(key: &str, source: &Node<'_>, attribute: Option<&Node<'_>>, problems: &mut Problems) -> Option<CaptureFrom> {
    if let Some(attribute) = attribute.filter(|_| key != "html") {
        problems.push(
            attribute.place(),
            format!("{} stands beside `html` only", attribute.label()),
        );
    }
    Some(match key {
        "json" => CaptureFrom::Json(singular_path(source, problems)?),
        "header" => CaptureFrom::Header(send::header_name(source.string(problems)?, source.place(), problems)?),
        "cookie" => CaptureFrom::Cookie(source.string(problems)?.to_owned()),
        "html" => {
            let attribute = match attribute {
                Some(attribute) => Some(attribute.string(problems)?.to_owned()),
                None => None,
            };
            let text = source.string(problems)?;
            CaptureFrom::Html(expect::selector(text, &source.place(), problems)?, attribute)
        }
        _ => CaptureFrom::Matches(matcher::regex(source, problems)?),
    })
}
