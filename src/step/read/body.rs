//! Reading what a request carries.

use std::sync::Arc;

use super::{Files, all, file, json_template, template};
use crate::document::{Node, Problems, Table, Value};
use crate::step::template::Template;
use crate::step::{Body, FILE_BYTES_MAX, FormPart, PartContent};

const BODIES: [&str; 6] = ["json", "form", "multipart", "text", "file", "graphql"];
/// At most so many parts or fields.
const PARTS_MAX: usize = 100;

pub(super) fn read(table: &mut Table<'_>, files: &dyn Files, problems: &mut Problems) -> Option<Body> {
    let given: Vec<(&str, Node<'_>)> = BODIES.iter().filter_map(|key| Some((*key, table.take(key)?))).collect();
    let (key, node) = match given.as_slice() {
        [] => return Some(Body::None),
        [only] => only,
        [(first, _), (second, _), ..] => {
            let message = format!("`{first}` and `{second}` cannot both be in {}", table.label());
            problems.push_help(table.key_place(second), message, "a request has one body; remove one");
            return None;
        }
    };
    Some(match *key {
        "json" => Body::Json(json_template(node, problems)?),
        "form" => Body::Form(pairs(node, problems)?),
        "multipart" => Body::Multipart(multipart(node, files, problems)?),
        "text" => Body::Text(template(node, problems)?),
        "file" => Body::File(Arc::from(file(node, FILE_BYTES_MAX, files, problems)?)),
        _ => graphql(node, problems)?,
    })
}

/// Names, each with a value or a list of them.
pub(super) fn pairs(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<(String, Template)>> {
    let mut pairs = Vec::new();
    let mut complete = true;
    for (key, node) in node.table(problems)?.take_all() {
        for item in node.as_array().unwrap_or_else(|| vec![node]) {
            match scalar(&item, problems) {
                Some(value) => pairs.push((key.name.to_owned(), value)),
                None => complete = false,
            }
        }
    }
    if pairs.len() > PARTS_MAX {
        problems.push(node.place(), format!("{} has over {PARTS_MAX} fields", node.label()));
        return None;
    }
    complete.then_some(pairs)
}

/// A text, a number or a boolean.
fn scalar(node: &Node<'_>, problems: &mut Problems) -> Option<Template> {
    match node.value() {
        Value::String(_) => template(node, problems),
        Value::Integer(number) => Some(Template::literal(&number.to_string())),
        Value::Float(number) => Some(Template::literal(&number.to_string())),
        Value::Boolean(yes) => Some(Template::literal(&yes.to_string())),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            let message = format!("{} must be a string, a number or a boolean", node.label());
            problems.push(node.place(), message);
            None
        }
    }
}

fn multipart(node: &Node<'_>, files: &dyn Files, problems: &mut Problems) -> Option<Vec<FormPart>> {
    let items = node.array(problems)?;
    if items.is_empty() || items.len() > PARTS_MAX {
        problems.push(
            node.place(),
            format!("{} must have from 1 to {PARTS_MAX} parts", node.label()),
        );
        return None;
    }
    all(items.iter().map(|item| part(item, files, problems)))
}

fn part(node: &Node<'_>, files: &dyn Files, problems: &mut Problems) -> Option<FormPart> {
    let mut table = node.table(problems)?;
    let help = "write `{ name = \"kind\", value = \"avatar\" }` or `{ name = \"file\", file = \"a.png\", type = \"image/png\" }`";
    let name = table
        .required("name", help, problems)
        .and_then(|node| node.string(problems));
    let value = table.take("value");
    let file_node = table.take("file");
    let media_type = table.take("type");
    let filename = table.take("filename");
    table.finish(
        problems,
        &[("content", "value"), ("path", "file"), ("content_type", "type")],
    );
    let content = match (value, file_node) {
        (Some(value), None) if media_type.is_none() && filename.is_none() => {
            PartContent::Value(scalar(&value, problems)?)
        }
        (None, Some(path)) => {
            let bytes = file(&path, FILE_BYTES_MAX, files, problems)?;
            let own = path
                .as_str()
                .and_then(|path| path.rsplit('/').next())
                .unwrap_or_default();
            let word = |node: Option<&Node<'_>>, default: &str, problems: &mut Problems| match node {
                Some(node) => header_text(node, problems),
                None => Some(default.to_owned()),
            };
            PartContent::File {
                filename: word(filename.as_ref(), own, problems)?,
                media_type: word(media_type.as_ref(), "application/octet-stream", problems)?,
                bytes: Arc::from(bytes),
            }
        }
        _ => {
            let message = format!(
                "{} must have one of `value` and `file`; `type` and `filename` belong to `file`",
                node.label()
            );
            problems.push_help(node.place(), message, help);
            return None;
        }
    };
    Some(FormPart {
        name: name?.to_owned(),
        content,
    })
}

/// Text that can stand in a header.
fn header_text(node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    if !text.is_empty() && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    problems.push(
        node.place(),
        format!("{} must be visible ASCII characters", node.label()),
    );
    None
}

fn graphql(node: &Node<'_>, problems: &mut Problems) -> Option<Body> {
    let mut table = node.table(problems)?;
    let help = "write `graphql = { query = '{ viewer { login } }' }`";
    let query = table
        .required("query", help, problems)
        .and_then(|node| node.string(problems));
    let variables = table.take("variables").map(|node| {
        let template = node.table(problems).and_then(|_| json_template(&node, problems));
        template.ok_or(())
    });
    let operation = table.string("operation", problems);
    table.finish(
        problems,
        &[
            ("operationName", "operation"),
            ("mutation", "query"),
            ("vars", "variables"),
        ],
    );
    Some(Body::GraphQl {
        query: query?.to_owned(),
        variables: variables.transpose().ok()?,
        operation: operation.map(str::to_owned),
    })
}
