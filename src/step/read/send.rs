//! Reading what is sent.

use std::time::Duration;

use http::{HeaderName, Method};

use super::{Files, all, auth, body, facts, route, template};
use crate::document::{Node, Place, Problems, Table};
use crate::step::template::{Part, Template};
use crate::step::{BODY_BYTES_MAX, Body, HttpWanted, Send, TIMEOUT_DEFAULT, TIMEOUT_MAX, Target};

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

pub(super) fn read(table: &mut Table<'_>, files: &dyn Files, problems: &mut Problems) -> Option<Send> {
    let request = request(table, problems);
    let query = pairs(table, "query", problems);
    let headers = headers(table, problems);
    let cookies = cookies(table, problems);
    let auth = auth::read(table, problems);
    let body = body::read(table, files, problems);
    let timeout = timeout(table, problems);
    let follow = match table.take("follow") {
        Some(node) => node.bool(problems),
        None => Some(true),
    };
    let route = route::route(table, problems);
    let tls = route::tls(table, files, problems);
    let body_bytes_max = max_body(table, problems);
    let charset = route::optional(table.take("charset"), |node| charset(node, problems));
    let (probe, auth, mut route) = (request?, auth?, route?);
    if probe.grpc.is_some() {
        route.http = HttpWanted::Two;
    }
    let body = match (probe.grpc, body?) {
        (Some(service), Body::None) => Body::GrpcHealth(service),
        (Some(_), _) => {
            problems.push(
                table.place(),
                format!("{} has a body, and a health request has its own", table.label()),
            );
            return None;
        }
        (None, body) => body,
    };
    Some(Send {
        method: probe.method,
        target: probe.target,
        query: query?,
        headers: headers?,
        cookies: cookies?,
        bearer: auth.bearer,
        basic: auth.basic,
        login: auth.login,
        body,
        timeout: timeout?,
        follow: follow?,
        route,
        tls: tls?,
        body_bytes_max: body_bytes_max?,
        charset: charset?,
    })
}

/// Where a request goes, and as what.
struct Probe {
    method: Method,
    target: Target,
    /// The service, if it is a gRPC health request.
    grpc: Option<Template>,
}

/// The one method and its address, or the one probe.
fn request(table: &mut Table<'_>, problems: &mut Problems) -> Option<Probe> {
    let mut found: Vec<(&str, Node<'_>)> = Vec::new();
    // Beside a usual method `url` is not ours: a platform's call may have one of its own.
    let usual = METHODS.iter().any(|(key, _)| table.has(key)) && !table.has("method");
    let url = (!usual).then_some("url");
    let keys = METHODS.iter().map(|(key, _)| *key).chain(url).chain(["tcp", "grpc"]);
    for key in keys {
        found.extend(table.take(key).map(|node| (key, node)));
    }
    let method = table.take("method");
    let service = table.take("service");
    let mut found = found.into_iter();
    let Some((first, node)) = found.next() else {
        let label = if table.label().is_empty() {
            "this"
        } else {
            table.label()
        };
        let message = format!("{label} has no address");
        problems.push_missing(table.place(), message, "write where it goes: `get = \"/\"`");
        return None;
    };
    let others: Vec<&str> = found.map(|(key, _)| key).collect();
    for key in &others {
        let message = format!("`{key}` and `{first}` cannot both be in {}", table.label());
        problems.push_help(
            table.key_place(key),
            message,
            "one request has one method; write another check for the other",
        );
    }
    for (key, node, beside) in [("method", &method, "url"), ("service", &service, "grpc")] {
        if let Some(node) = node.as_ref().filter(|_| first != beside) {
            let message = format!("`{key}` stands beside `{beside}` only");
            problems.push_help(
                node.place(),
                message,
                format!("write `{beside} = …`, or remove `{key}`"),
            );
        }
    }
    let of_key = METHODS
        .iter()
        .find(|(key, _)| *key == first)
        .map(|(_, method)| method.clone());
    let method = match (of_key, first) {
        (Some(method), _) => method,
        (None, "url") => named_method(method.as_ref(), &node, problems)?,
        (None, "tcp") => Method::CONNECT,
        (None, _) => Method::POST,
    };
    let grpc = match (first, service) {
        ("grpc", Some(service)) => Some(template(&service, problems)?),
        ("grpc", None) => Some(Template::literal("")),
        _ => None,
    };
    let text = node.string(problems)?;
    let target = match first {
        "tcp" => Target::socket(text),
        "grpc" => Target::grpc_health(text),
        _ => Target::parse(text),
    };
    match target {
        Ok(target) => others.is_empty().then_some(Probe { method, target, grpc }),
        Err(error) => {
            problems.push(node.place(), format!("{} is not an address: {error}", node.label()));
            None
        }
    }
}

/// The method beside `url`.
fn named_method(method: Option<&Node<'_>>, url: &Node<'_>, problems: &mut Problems) -> Option<Method> {
    let Some(node) = method else {
        let help = "write `method = \"PURGE\"` beside it, or `get = …` for the usual ones";
        problems.push_help(url.place(), format!("{} has no `method` beside it", url.label()), help);
        return None;
    };
    let word = node.string(problems)?;
    let upper = word.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    match Method::from_bytes(word.as_bytes()) {
        Ok(method) if upper && method != Method::CONNECT && method != Method::TRACE => Some(method),
        _ => {
            let message = format!("{} is not a method", node.label());
            problems.push_help(node.place(), message, "methods are words in capitals, such as `PURGE`");
            None
        }
    }
}

/// A table of names and values.
fn pairs(table: &mut Table<'_>, key: &'static str, problems: &mut Problems) -> Option<Vec<(String, Template)>> {
    match table.take(key) {
        Some(node) => body::pairs(&node, problems),
        None => Some(Vec::new()),
    }
}

fn cookies(table: &mut Table<'_>, problems: &mut Problems) -> Option<Vec<(String, Template)>> {
    let cookies = pairs(table, "cookies", problems)?;
    let headers = table.child("headers");
    let twice = headers.is_some_and(|headers| headers.keys().iter().any(|key| key.name.eq_ignore_ascii_case("cookie")));
    if twice && !cookies.is_empty() {
        let message = format!("`cookies` and `headers.cookie` cannot both be in {}", table.label());
        problems.push_help(
            table.key_place("cookies"),
            message,
            "both are the same header; remove one",
        );
        return None;
    }
    // RFC 6265 §4.1.1: a name is a token of RFC 9110 §5.6.2, as header names are.
    let bad = cookies
        .iter()
        .find(|(name, _)| HeaderName::from_bytes(name.as_bytes()).is_err());
    if let Some((name, _)) = bad {
        problems.push(
            table.key_place("cookies"),
            format!("`{name}` is not the name of a cookie"),
        );
        return None;
    }
    Some(cookies)
}

/// The largest body: `"500kB"`.
fn max_body(table: &mut Table<'_>, problems: &mut Problems) -> Option<usize> {
    let Some(node) = table.take("max_body") else {
        return Some(BODY_BYTES_MAX);
    };
    let bytes = facts::bytes(&node, problems)?;
    match usize::try_from(bytes) {
        Ok(bytes) if (1..=BODY_BYTES_MAX).contains(&bytes) => Some(bytes),
        _ => {
            problems.push(node.place(), format!("{} must be from 1 byte to 4 MiB", node.label()));
            None
        }
    }
}

fn charset(node: &Node<'_>, problems: &mut Problems) -> Option<&'static encoding_rs::Encoding> {
    let found = encoding_rs::Encoding::for_label(node.string(problems)?.as_bytes());
    if found.is_none() {
        let help = "write its name as in `content-type`: `\"utf-8\"`, `\"iso-8859-1\"`, `\"shift_jis\"`";
        problems.push_help(
            node.place(),
            format!("{} is not an encoding that we know", node.label()),
            help,
        );
    }
    found
}

/// Reads `headers` of `table`: names, each with a line of text. What is wrong goes to `problems`.
pub fn headers(table: &mut Table<'_>, problems: &mut Problems) -> Option<Vec<(HeaderName, Template)>> {
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
pub(super) fn line(node: &Node<'_>, problems: &mut Problems) -> Option<Template> {
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
