//! Tests of steps.

mod assess;
mod curl;
mod page;
mod path;
mod places;
mod read;
mod redact;
mod render;
mod rfc9535;
mod template;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::{Files, Response, Step, Values, read_step};
use crate::document::{Document, Problems, Source};

/// A few files.
struct Given;

impl Files for Given {
    fn read(&self, path: &str, _: &str) -> Result<Vec<u8>, String> {
        match path {
            "a.png" => Ok(b"\x89PNG".to_vec()),
            "ca.pem" => Ok(b"-----BEGIN CERTIFICATE-----\n".to_vec()),
            "orders.json" => Ok(br#"{"type":"object","required":["id"]}"#.to_vec()),
            _ => Err("no such file".to_owned()),
        }
    }
}

/// The step in `text`, or all problems as people see them.
fn try_read(text: &str) -> Result<Step, String> {
    let source = Source::new("checks.toml", text);
    let mut problems = Problems::new();
    let document = Document::parse(&source, &mut problems).unwrap();
    let mut table = document.table().labelled("check \"x\"");
    let step = read_step(&mut table, &Given, &mut problems);
    table.finish(&mut problems, &[]);
    let found: Vec<String> = problems.into_vec().iter().map(ToString::to_string).collect();
    match step {
        Some(step) if found.is_empty() => Ok(step),
        _ => Err(found.join("\n\n")),
    }
}

fn read(text: &str) -> Step {
    try_read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> String {
    try_read(text).expect_err("the file has no problem")
}

/// Values, of which those of `secret.*` and of other checks are secret.
fn values(pairs: &[(&str, &str)]) -> Values {
    let mut values = Values::new();
    for (name, text) in pairs {
        let secret = !name.starts_with("deploy.") && !name.starts_with("vars.");
        values.insert(*name, json!(text), secret);
    }
    values
}

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    Response {
        status,
        headers: map,
        body: body.as_bytes().to_vec(),
        set_cookies: headers
            .iter()
            .filter(|(name, _)| *name == "set-cookie")
            .map(|(_, value)| (*value).to_owned())
            .collect(),
        elapsed: Duration::from_millis(120),
        ..Response::empty("https://shop.example.com/".parse().unwrap())
    }
}
