//! A step's definition as canonical text, so that a changed one is known by its hash.

use serde_json::{Value as Json, json};

use super::expect::{Expect, Matcher, Rule};
use super::json_template::JsonTemplate;
use super::{Body, CaptureFrom, Step};

/// The canonical JSON of a step. Arrays only, so that its text does not hang on how objects are ordered; the one exception
/// is JSON that the file's author wrote, whose members are sorted by the map they are kept in.
pub(super) fn step(step: &Step) -> Json {
    let send = &step.send;
    let headers: Vec<Json> = send
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), value.source()]))
        .collect();
    let body = match &send.body {
        Body::None => json!([]),
        Body::Json(json) => json!(["json", json.source()]),
        Body::Text(text) => json!(["text", text.source()]),
    };
    let captures: Vec<Json> = step
        .capture
        .iter()
        .map(|capture| match &capture.from {
            CaptureFrom::Json(path) => json!([capture.name, "json", path.as_str(), capture.secret]),
            CaptureFrom::Header(name) => json!([capture.name, "header", name.as_str(), capture.secret]),
        })
        .collect();
    json!([
        send.method.as_str(),
        send.target.source(),
        headers,
        send.bearer.as_ref().map(|bearer| bearer.source()),
        body,
        millis(send.timeout),
        send.follow,
        expect(&step.expect),
        expect(&step.warn),
        captures,
    ])
}

fn expect(expect: &Expect) -> Json {
    let headers: Vec<Json> = expect
        .headers
        .iter()
        .map(|(name, r)| json!([name.as_str(), rule(r)]))
        .collect();
    let values: Vec<Json> = expect
        .json
        .iter()
        .map(|(path, r)| json!([path.as_str(), rule(r)]))
        .collect();
    let percentiles: Vec<Json> = expect
        .percentiles
        .iter()
        .map(|(percent, time)| json!([percent, millis(*time)]))
        .collect();
    json!([
        expect.status.as_ref().map(ToString::to_string),
        headers,
        values,
        expect.body.as_ref().map(rule),
        expect.time.map(millis),
        percentiles,
    ])
}

fn rule(rule: &Rule) -> Json {
    rule.0.iter().map(matcher).collect()
}

/// The canonical JSON of a matcher: its word and its operand.
pub(super) fn matcher(matcher: &Matcher) -> Json {
    let sources = |items: &[JsonTemplate]| -> Json { items.iter().map(JsonTemplate::source).collect() };
    match matcher {
        Matcher::Is(json) => json!(["is", json.source()]),
        Matcher::Not(r) => json!(["not", rule(r)]),
        Matcher::OneOf(items) => json!(["one_of", sources(items)]),
        Matcher::Min(number) => json!(["min", number]),
        Matcher::Max(number) => json!(["max", number]),
        Matcher::Contains(items) => json!(["contains", sources(items)]),
        Matcher::Lacks(items) => json!(["lacks", sources(items)]),
        Matcher::Matches(regex) => json!(["matches", regex.as_str()]),
        Matcher::Exists(yes) => json!(["exists", yes]),
        Matcher::Type(kind) => json!(["type", kind.as_str()]),
        Matcher::Count(r) => json!(["count", rule(r)]),
        Matcher::Length(r) => json!(["length", rule(r)]),
        Matcher::Any(r) => json!(["any", rule(r)]),
        Matcher::All(r) => json!(["all", rule(r)]),
        Matcher::None(r) => json!(["none", rule(r)]),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
