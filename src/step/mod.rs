//! One HTTP step: send, expect, capture, as data.
//!
//! A check is a step, and so is each call to a platform's API. A [`Step`] is read from a file ([`read_step`]), becomes a
//! [`Request`] with the values of a run ([`render`]), and judges the [`Response`] ([`assess`]). Nothing here does I/O,
//! retries, or knows what follows from a failure.

mod answer;
mod assess;
mod clear;
mod curl;
mod exchange;
mod expect;
mod form;
mod json_template;
mod matching;
mod multipart;
mod page;
mod path;
mod read;
mod redact;
mod render;
mod route;
mod say;
mod schema;
mod send;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod values;

use std::time::Duration;

use http::{HeaderName, Method};
use regex::Regex;

pub use assess::{Assessment, CAPTURE_BYTES_MAX, Miss, assess, holds};
pub use clear::is_in_the_clear;
pub use curl::curl;
pub use exchange::{BODY_BYTES_MAX, Request, Response, TlsSeen};
pub use expect::{About, CookiePart, Expect, IDENTITY_SLOTS, JsonType, Matcher, Rule, StatusSet};
pub use json_template::JsonTemplate;
pub use page::{Asset, AssetKind, SELECTOR_BYTES_MAX, Selector, assets};
pub use path::{Path, PathError};
pub use read::{Files, NoFiles, read_bytes, read_headers, read_step};
pub use redact::{REDACTED, Redactor, SECRET_BYTES_MIN};
pub use render::{HEADER_BYTES_MAX, REQUEST_BYTES_MAX, RenderError, render};
pub use route::{Dial, Family, HttpWanted, Pem, Route, Tls, TlsFiles};
pub use say::{clean, cut};
pub use schema::{SCHEMA_BYTES_MAX, Schema};
pub use send::{Body, FILE_BYTES_MAX, FormPart, Login, PartContent, Send, TIMEOUT_DEFAULT, TIMEOUT_MAX};
pub use target::{Target, TargetError, URL_BYTES_MAX};
pub use template::{TEMPLATE_BYTES_MAX, Template, TemplateError};
pub use values::{Value, Values};

/// One request, what its answer must be, and what is kept of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is sent.
    pub send: Send,
    /// What must hold.
    pub expect: Expect,
    /// What should hold.
    pub warn: Expect,
    /// What is kept for later steps.
    pub capture: Vec<Capture>,
    /// Whether it is asked again until the expectation holds.
    pub poll: Option<Poll>,
}

/// Asking again until the expectation holds: for what an app does after it has answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Poll {
    /// For how long; at most [`POLL_MAX`].
    pub limit: Duration,
    /// Between two requests.
    pub every: Duration,
    /// An answer of which this holds ends it early, as a failure.
    pub stop: Option<Expect>,
}

/// The longest time that a step may poll.
pub const POLL_MAX: Duration = Duration::from_secs(5 * 60);

/// A value that is kept from an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// Its name in placeholders: of this check `{{ name }}`, of others `{{ check.name }}`.
    pub name: String,
    /// Where it stands.
    pub from: CaptureFrom,
    /// Whether it must not be shown; yes, unless the file says otherwise.
    pub secret: bool,
}

/// Where a captured value stands.
#[derive(Clone, Debug)]
pub enum CaptureFrom {
    /// In the JSON body, at a path that finds at most one node.
    Json(Path),
    /// In a header.
    Header(HeaderName),
    /// The value of a cookie that the answer sets.
    Cookie(String),
    /// The text of a page's first such element, or its attribute.
    Html(page::Selector, Option<String>),
    /// What a regular expression finds in the body: its first group, else all of it.
    Matches(Regex),
}

impl PartialEq for CaptureFrom {
    fn eq(&self, other: &Self) -> bool {
        form::capture_from(self) == form::capture_from(other)
    }
}

impl Step {
    /// A request with the defaults: what is sent is `method` and `target` only, and 2xx is expected.
    pub fn new(method: Method, target: Target) -> Self {
        Self {
            send: Send::new(method, target),
            expect: Expect::default(),
            warn: Expect::default(),
            capture: Vec::new(),
            poll: None,
        }
    }

    /// Every placeholder used, each once, sorted.
    pub fn slots(&self) -> Vec<String> {
        let stop = self
            .poll
            .iter()
            .filter_map(|poll| poll.stop.as_ref())
            .flat_map(Expect::rules);
        let rules = self.expect.rules().chain(self.warn.rules()).chain(stop);
        let mut slots: Vec<String> = rules.flat_map(Rule::slots).map(str::to_owned).collect();
        slots.extend(self.send.slots().into_iter().map(str::to_owned));
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Whether sending it again changes nothing on the other side, by its method: GET, HEAD, OPTIONS (RFC 9110 §9.2.1),
    /// or because it is a probe that only looks.
    pub fn sends_twice_safely(&self) -> bool {
        let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&self.send.method);
        reads || self.send.is_socket() || matches!(self.send.body, Body::GrpcHealth(_))
    }

    /// The definition as canonical text, for hashing: equal for equal steps, and stable over restarts.
    pub fn form(&self) -> String {
        form::step(self).to_string()
    }

    /// Whether an expectation names the deployment's version, so that an answer can prove whose it is.
    pub fn tells_identity(&self) -> bool {
        self.expect.rules().any(Rule::proves_identity)
    }

    /// The same step without the expectations that name the deployment's version, for when that is not known.
    #[must_use]
    pub fn without_identity(&self) -> Self {
        Self {
            expect: self.expect.without_identity(),
            warn: self.warn.without_identity(),
            ..self.clone()
        }
    }

    /// What is asked, for people: `GET /api/orders/{{ cart }}`. Placeholders stay, so it holds no secret.
    pub fn label(&self) -> String {
        self.send.label()
    }
}
