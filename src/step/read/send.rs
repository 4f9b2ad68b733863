//! Reading what is sent.

use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderName, Method};

use super::{all, json_template, template};
use crate::document::{Node, Place, Problems, Table};
use crate::step::template::{Part, Template};
use crate::step::{Body, Send, TIMEOUT_DEFAULT, TIMEOUT_MAX, Target};

const METHODS: [(&str, Method); 7] = [
    ("get", Method::GET),
    ("head", Method::HEAD),
    ("post", Method::POST),
    ("put", Method::PUT),
    ("patch", Method::PATCH),
    ("delete", Method::DELETE),
    ("options", Method::OPTIONS),
];

/// Headers that frame the message or the connection; the client sets them (RFC 9110 §7.6.1, §8.6, RFC 9112 §3.2, §6).
const CLIENT_HEADERS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn read(table: &mut Table<'_>, problems: &mut Problems) -> Option<Send> {
    let request = request(table, problems);
    let headers = headers(table, problems);
    let bearer = bearer(table, problems);
    let body = body(table, problems);
    let timeout = timeout(table, problems);
    let follow = match table.take("follow") {
        Some(node) => node.bool(problems),
        None => Some(true),
    };
    let (method, target) = request?;
    Some(Send {
        method,
        target,
        headers: headers?,
        bearer: bearer?,
        body: body?,
        timeout: timeout?,
        follow: follow?,
    })
}

/// The one method and its address.
fn request(table: &mut Table<'_>, problems: &mut Problems) -> Option<(Method, Target)> {
    let mut found: Vec<(&str, Method, Node<'_>)> = Vec::new();
    for (key, method) in METHODS {
        found.extend(table.take(key).map(|node| (key, method, node)));
    }
    let mut found = found.into_iter();
    let Some((first, method, node)) = found.next() else {
        let label = if table.label().is_empty() {
            "this"
        } else {
            table.label()
        };
        problems.push_missing(
            table.place(),
            format!("{label} has no address"),
            "write where it goes: `get = \"/\"`",
        );
        return None;
    };
    for (key, _, _) in found {
        let message = format!("`{key}` and `{first}` cannot both be in {}", table.label());
        problems.push_help(
            table.key_place(key),
            message,
            "a check sends one request; write a second check",
        );
    }
    match Target::parse(node.string(problems)?) {
        Ok(target) => Some((method, target)),
        Err(error) => {
            problems.push(node.place(), format!("{} is not an address: {error}", node.label()));
            None
        }
    }
}

fn headers(table: &mut Table<'_>, problems: &mut Problems) -> Option<Vec<(HeaderName, Template)>> {
    let Some(node) = table.take("headers") else {
        return Some(Vec::new());
    };
    let entries = node.table(problems)?.take_all();
    let mut seen: Vec<HeaderName> = Vec::new();
    all(entries.into_iter().map(|(key, node)| {
        let name = header_name(key.name, key.place.clone(), problems)?;
        if CLIENT_HEADERS.contains(&name.as_str()) {
            problems.push(
                key.place,
                format!("header `{name}` cannot be set: it belongs to the connection"),
            );
            return None;
        }
        if seen.contains(&name) {
            problems.push(
                key.place,
                format!("header `{name}` is there twice: case makes no difference"),
            );
            return None;
        }
        seen.push(name.clone());
        Some((name, line(&node, problems)?))
    }))
}

/// A header's name; anything else is a problem.
pub(super) fn header_name(text: &str, place: Place<'_>, problems: &mut Problems) -> Option<HeaderName> {
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    if name.is_none() {
        problems.push(place, format!("`{text}` is not the name of a header"));
    }
    name
}

/// A template whose own text can stand in a header.
fn line(node: &Node<'_>, problems: &mut Problems) -> Option<Template> {
    let template = template(node, problems)?;
    let good = |part: &Part| match part {
        Part::Text(text) => text.chars().all(|c| c == ' ' || c.is_ascii_graphic()),
        Part::Slot(_) => true,
    };
    if template.parts().iter().all(good) {
        return Some(template);
    }
    let message = format!("{} has a character that cannot stand in a header", node.label());
    problems.push_help(
        node.place(),
        message,
        "use visible ASCII characters and spaces, on one line",
    );
    None
}

fn bearer(table: &mut Table<'_>, problems: &mut Problems) -> Option<Option<Template>> {
    let Some(node) = table.take("bearer") else {
        return Some(None);
    };
    let headers = table.child("headers");
    if headers.is_some_and(|headers| {
        headers
            .keys()
            .iter()
            .any(|key| key.name.eq_ignore_ascii_case(AUTHORIZATION.as_str()))
    }) {
        let message = format!(
            "`bearer` and `headers.authorization` cannot both be in {}",
            table.label()
        );
        problems.push_help(node.place(), message, "both are the same header; remove one");
        return None;
    }
    let template = line(&node, problems)?;
    if template.source().is_empty() {
        problems.push(node.place(), format!("{} is empty", node.label()));
        return None;
    }
    Some(Some(template))
}

fn body(table: &mut Table<'_>, problems: &mut Problems) -> Option<Body> {
    match (table.take("json"), table.take("text")) {
        (None, None) => Some(Body::None),
        (Some(node), None) => json_template(&node, problems).map(Body::Json),
        (None, Some(node)) => template(&node, problems).map(Body::Text),
        (Some(_), Some(_)) => {
            let message = format!("`json` and `text` cannot both be in {}", table.label());
            problems.push_help(table.key_place("text"), message, "a request has one body; remove one");
            None
        }
    }
}

fn timeout(table: &mut Table<'_>, problems: &mut Problems) -> Option<Duration> {
    let Some(node) = table.take("timeout") else {
        return Some(TIMEOUT_DEFAULT);
    };
    let timeout = node.duration(problems)?;
    if (Duration::from_millis(1)..=TIMEOUT_MAX).contains(&timeout) {
        return Some(timeout);
    }
    let minutes = TIMEOUT_MAX.as_secs() / 60;
    problems.push(
        node.place(),
        format!("{} must be from `\"1ms\"` to `\"{minutes}m\"`", node.label()),
    );
    None
}
