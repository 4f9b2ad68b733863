//! One HTTP step: send, expect, capture, as data.
//!
//! A check is a step, and so is each call to a platform's API. A [`Step`] is read from a file ([`read_step`]), becomes a
//! [`Request`] with the values of a run ([`render`]), and judges the [`Response`] ([`assess`]). Nothing here does I/O,
//! retries, or knows what follows from a failure.

mod assess;
mod exchange;
mod expect;
mod form;
mod json_template;
mod matching;
mod path;
mod read;
mod redact;
mod render;
mod say;
mod target;
mod template;
#[cfg(test)]
mod tests;
mod values;

use std::time::Duration;

use http::{HeaderName, Method};

pub use assess::{Assessment, CAPTURE_BYTES_MAX, Miss, assess};
pub use exchange::{BODY_BYTES_MAX, Request, Response};
pub use expect::{Expect, IDENTITY_SLOTS, JsonType, Matcher, Rule, StatusSet};
pub use json_template::JsonTemplate;
pub use path::{Path, PathError};
pub use read::read_step;
pub use redact::{REDACTED, Redactor, SECRET_BYTES_MIN};
pub use render::{HEADER_BYTES_MAX, REQUEST_BYTES_MAX, RenderError, render};
pub use say::{clean, cut};
pub use target::{Target, TargetError, URL_BYTES_MAX};
pub use template::{TEMPLATE_BYTES_MAX, Template, TemplateError};
pub use values::{Value, Values};

/// How long a request may take unless the step says otherwise.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// The longest time that a step may allow a request.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(15 * 60);

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
}

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Send {
    /// The method.
    pub method: Method,
    /// A path on the base address, or an address.
    pub target: Target,
    /// Headers besides those that the client sets.
    pub headers: Vec<(HeaderName, Template)>,
    /// The token of `Authorization: Bearer`.
    pub bearer: Option<Template>,
    /// The body.
    pub body: Body,
    /// For everything from resolving the name to the last byte; at most [`TIMEOUT_MAX`].
    pub timeout: Duration,
    /// Whether redirects to the same origin are followed, unless a redirect is what is expected.
    pub follow: bool,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON, sent as `application/json` unless a header says otherwise.
    Json(JsonTemplate),
    /// Text, sent as `text/plain` unless a header says otherwise. Values stand in it as they are.
    Text(Template),
}

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
#[derive(Clone, Debug, PartialEq)]
pub enum CaptureFrom {
    /// In the JSON body, at a path that finds at most one node.
    Json(Path),
    /// In a header.
    Header(HeaderName),
}

impl Step {
    /// A request with the defaults: what is sent is `method` and `target` only, and 2xx is expected.
    pub fn new(method: Method, target: Target) -> Self {
        Self {
            send: Send {
                method,
                target,
                headers: Vec::new(),
                bearer: None,
                body: Body::None,
                timeout: TIMEOUT_DEFAULT,
                follow: true,
            },
            expect: Expect::default(),
            warn: Expect::default(),
            capture: Vec::new(),
        }
    }

    /// Every placeholder used, each once, sorted.
    pub fn slots(&self) -> Vec<String> {
        let rules = self.expect.rules().chain(self.warn.rules());
        let mut slots: Vec<String> = rules.flat_map(Rule::slots).map(str::to_owned).collect();
        slots.extend(self.send.slots().into_iter().map(str::to_owned));
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Whether sending it again changes nothing on the other side, by its method: GET, HEAD, OPTIONS (RFC 9110 §9.2.1).
    pub fn sends_twice_safely(&self) -> bool {
        [Method::GET, Method::HEAD, Method::OPTIONS].contains(&self.send.method)
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
        format!("{} {}", self.send.method, self.send.target.source())
    }
}

impl Send {
    /// Every placeholder in what is sent.
    pub(crate) fn slots(&self) -> Vec<&str> {
        let mut slots: Vec<&str> = self.target.slots().collect();
        slots.extend(self.headers.iter().flat_map(|(_, template)| template.slots()));
        slots.extend(self.bearer.iter().flat_map(Template::slots));
        match &self.body {
            Body::None => {}
            Body::Json(json) => slots.extend(json.slots()),
            Body::Text(template) => slots.extend(template.slots()),
        }
        slots
    }
}
