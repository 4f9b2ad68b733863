//! A step's definition as canonical text, so that a changed one is known by its hash.

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::expect::{About, Expect, Matcher, Rule};
use super::json_template::JsonTemplate;
use super::route::{Family, HttpWanted, Pem};
use super::send::{Body, FormPart, PartContent, Send};
use super::template::Template;
use super::{CaptureFrom, Step};

/// The canonical JSON of a step. Arrays only, so that its text does not hang on how objects are ordered; the one exception
/// is JSON that the file's author wrote, whose members are sorted by the map they are kept in.
pub(super) fn step(step: &Step) -> Json {
    let send = &step.send;
    let headers: Vec<Json> = send
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), value.source()]))
        .collect();
    let basic = send
        .basic
        .as_ref()
        .map(|(user, password)| json!([user.source(), password.source()]));
    let captures: Vec<Json> = step
        .capture
        .iter()
        .map(|capture| json!([capture.name, capture_from(&capture.from), capture.secret]))
        .collect();
    let poll = step.poll.as_ref();
    let poll = poll.map(|poll| json!([millis(poll.limit), millis(poll.every), poll.stop.as_ref().map(expect)]));
    json!([
        send.method.as_str(),
        send.target.source(),
        pairs(&send.query),
        headers,
        pairs(&send.cookies),
        send.bearer.as_ref().map(|bearer| bearer.source()),
        basic,
        send.login.as_ref().map(|login| login.slot.as_str()),
        body(&send.body),
        millis(send.timeout),
        send.follow,
        route(send),
        send.body_bytes_max,
        send.charset.map(encoding_rs::Encoding::name),
        expect(&step.expect),
        expect(&step.warn),
        captures,
        poll,
    ])
}

fn pairs(pairs: &[(String, Template)]) -> Json {
    pairs
        .iter()
        .map(|(name, value)| json!([name, value.source()]))
        .collect()
}

fn body(body: &Body) -> Json {
    match body {
        Body::None => json!([]),
        Body::Json(json) => json!(["json", json.source()]),
        Body::Text(text) => json!(["text", text.source()]),
        Body::Form(form) => json!(["form", pairs(form)]),
        Body::Multipart(parts) => json!(["multipart", parts.iter().map(part).collect::<Json>()]),
        Body::File(bytes) => json!(["file", digest_bytes(bytes)]),
        Body::GraphQl {
            query,
            variables,
            operation,
        } => json!([
            "graphql",
            query,
            variables.as_ref().map(JsonTemplate::source),
            operation
        ]),
        Body::GrpcHealth(service) => json!(["grpc", service.source()]),
    }
}

fn part(part: &FormPart) -> Json {
    match &part.content {
        PartContent::Value(template) => json!([part.name, template.source()]),
        PartContent::File {
            bytes,
            filename,
            media_type,
        } => json!([part.name, filename, media_type, digest_bytes(bytes)]),
    }
}

fn route(send: &Send) -> Json {
    let pem = |pem: &Pem| match pem {
        Pem::File(bytes) => json!(["file", digest_bytes(bytes)]),
        Pem::Secret(template) => json!(["secret", template.source()]),
    };
    let tls = send.tls.as_ref().map(|tls| {
        let identity = tls
            .identity
            .as_ref()
            .map(|(certificate, key)| json!([pem(certificate), pem(key)]));
        json!([tls.ca.as_ref().map(pem), identity])
    });
    let route = &send.route;
    let connect = route.connect.as_ref().map(|dial| json!([dial.host, dial.port]));
    let family = match route.family {
        Family::Any => 0,
        Family::V4 => 4,
        Family::V6 => 6,
    };
    let http = match route.http {
        HttpWanted::Any => 0,
        HttpWanted::One => 1,
        HttpWanted::Two => 2,
    };
    json!([connect, family, http, route.proxy.as_ref().map(url::Url::as_str), tls])
}

/// The canonical JSON of where a captured value stands.
pub(super) fn capture_from(from: &CaptureFrom) -> Json {
    match from {
        CaptureFrom::Json(path) => json!(["json", path.as_str()]),
        CaptureFrom::Header(name) => json!(["header", name.as_str()]),
        CaptureFrom::Cookie(name) => json!(["cookie", name]),
        CaptureFrom::Html(selector, attribute) => json!(["html", selector.as_str(), attribute]),
        CaptureFrom::Matches(regex) => json!(["matches", regex.as_str()]),
    }
}

/// The start of SHA-256 in hex: enough to tell texts of one config apart.
pub(super) fn digest(text: &str) -> String {
    digest_bytes(text.as_bytes())
}

fn digest_bytes(bytes: &[u8]) -> String {
    let mut digest = hex::encode(Sha256::digest(bytes));
    digest.truncate(32);
    digest
}

fn expect(expect: &Expect) -> Json {
    let rules: Vec<Json> = expect
        .rules
        .iter()
        .map(|(about, r)| json!([subject(about), rule(r)]))
        .collect();
    let percentiles: Vec<Json> = expect
        .percentiles
        .iter()
        .map(|(percent, time)| json!([percent, millis(*time)]))
        .collect();
    json!([
        expect.status.as_ref().map(ToString::to_string),
        rules,
        expect.schema.as_ref().map(|schema| schema.source().to_string()),
        expect.time.map(millis),
        percentiles,
        expect.errors_percent,
        expect.assets,
    ])
}

fn subject(about: &About) -> Json {
    match about {
        About::Json(path) => json!(["json", path.as_str()]),
        About::Header(name) => json!(["header", name.as_str()]),
        About::Cookie(name, part) => json!(["cookie", name, part.as_str()]),
        About::Html(selector, attribute) => json!(["html", selector.as_str(), attribute]),
        // The others have no operand, and their words are their own.
        About::Body
        | About::Size
        | About::Url
        | About::HttpVersion
        | About::TlsDaysLeft
        | About::TlsVersion
        | About::Grpc => json!([about.to_string()]),
    }
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
