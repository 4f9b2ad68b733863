//! Tests of steps.

mod assess;
mod path;
mod read;
mod redact;
mod render;
mod template;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::{Response, Step, Values, read_step};
use crate::document::{Document, Problems, Source};

/// The step in `text`, or all problems as people see them.
fn try_read(text: &str) -> Result<Step, String> {
    let source = Source::new("checks.toml", text);
    let mut problems = Problems::new();
    let document = Document::parse(&source, &mut problems).unwrap();
    let mut table = document.table().labelled("check \"x\"");
    let step = read_step(&mut table, &mut problems);
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
        version: http::Version::HTTP_11,
        timing: crate::domain::Timing::default(),
        status,
        headers: map,
        body: body.as_bytes().to_vec(),
        url: "https://shop.example.com/".parse().unwrap(),
        address: None,
        elapsed: Duration::from_millis(120),
    }
}
