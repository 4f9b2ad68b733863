//! From what came of a request to an observation.

use std::net::IpAddr;
use std::time::Duration;

use super::placeholder::{Meaning, Placeholder, is_challenge};
use crate::domain::{Class, Identity, Observation, Reason, Timing};
use crate::step::{Assessment, CAPTURE_BYTES_MAX, Miss, Redactor, RenderError, Response, Step, Value, clean, cut};

/// The longest [`Observation::detail`], in characters.
pub const DETAIL_CHARS_MAX: usize = 300;
/// How much of a failing answer's body is kept, in bytes: 4 KiB.
pub const BODY_BYTES_MAX: usize = 4 * 1024;

const BODY_WINDOW_BYTES: usize = BODY_BYTES_MAX + 6 * CAPTURE_BYTES_MAX * 2;

/// A probe's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What it says about the deployment.
    pub observation: Observation,
    /// The values to keep; none after a failure.
    pub captured: Vec<(String, Value)>,
}

/// Why a request got no whole answer.
#[derive(Clone, Copy, Debug)]
pub struct Unanswered<'a> {
    /// The kind of trouble.
    pub reason: Reason,
    /// In words: `connection refused`.
    pub detail: &'a str,
    /// How long that took.
    pub elapsed: Duration,
    /// Where that time went.
    pub timing: Timing,
    /// The address dialled, if it came to that.
    pub address: Option<IpAddr>,
}

/// Classifies what came of sending `step`: a whole answer with its assessment, or none.
///
/// `placeholders` are the platform's own pages. Every text in the result is redacted by `redactor`, and of the secrets that
/// the answer itself brought.
pub fn classify(
    step: &Step,
    result: Result<(&Response, Assessment), Unanswered<'_>>,
    placeholders: &[Placeholder],
    redactor: &Redactor,
) -> Seen {
    match result {
        Ok((response, assessment)) => answered(step, response, assessment, placeholders, redactor),
        Err(trouble) => unanswered(step, trouble, redactor),
    }
}

/// The observation of a request that could not be made: it says nothing about the deployment.
pub fn unsent(step: &Step, error: &RenderError, redactor: &Redactor) -> Seen {
    let detail = error.to_string();
    let trouble = Unanswered {
        reason: error.reason(),
        detail: &detail,
        elapsed: Duration::ZERO,
        timing: Timing::default(),
        address: None,
    };
    unanswered(step, trouble, redactor)
}

fn unanswered(step: &Step, trouble: Unanswered<'_>, redactor: &Redactor) -> Seen {
    let observation = Observation {
        class: class_without_answer(trouble.reason),
        reason: trouble.reason,
        identity: Identity::Unknown,
        app_made: false,
        warned: false,
        latency_ms: millis(trouble.elapsed),
        timing: trouble.timing,
        http_version: None,
        status: None,
        address: trouble.address,
        detail: line(&format!("{}: {}", step.label(), trouble.detail), redactor),
        body: None,
    };
    Seen {
        observation,
        captured: Vec::new(),
    }
}

/// What it says of a deployment that there was no whole answer.
const fn class_without_answer(reason: Reason) -> Class {
    match reason {
        Reason::Dns | Reason::Refused | Reason::Reset | Reason::Tls | Reason::Timeout | Reason::Protocol => {
            Class::Unready
        }
        // An endless body and a redirect that leads nowhere are the app's own doing.
        Reason::TooLarge | Reason::Redirect => Class::Broken,
        // These need an answer; without one they say nothing.
        Reason::Ok
        | Reason::Status
        | Reason::Header
        | Reason::Json
        | Reason::Body
        | Reason::Cookie
        | Reason::Html
        | Reason::Schema
        | Reason::Size
        | Reason::Url
        | Reason::HttpVersion
        | Reason::Certificate
        | Reason::Asset
        | Reason::Grpc
        | Reason::Errors
        | Reason::Time
        | Reason::OldVersion
        | Reason::Placeholder
        | Reason::Capture
        | Reason::MissingValue
        | Reason::Forbidden
        | Reason::Throttled
        | Reason::LocalTrouble => Class::Unknown,
    }
}

fn answered(
    step: &Step,
    response: &Response,
    assessment: Assessment,
    placeholders: &[Placeholder],
    redactor: &Redactor,
) -> Seen {
    let mut redactor = redactor.clone();
    assessment.secrets.iter().for_each(|secret| redactor.add(secret));
    let (class, reason) = judge(response, &assessment, placeholders);
    let app_error = response.status >= 500 && !is_gateway_error(response.status);
    let not_the_apps = matches!(reason, Reason::Placeholder | Reason::Throttled | Reason::OldVersion);
    let observation = Observation {
        class,
        reason,
        identity: assessment.identity,
        app_made: assessment.identity == Identity::Proven || app_error && !not_the_apps,
        warned: !assessment.warnings.is_empty(),
        latency_ms: millis(response.elapsed),
        timing: response.timing,
        http_version: (!step.send.is_socket()).then(|| format!("{:?}", response.version)),
        status: (!step.send.is_socket()).then_some(response.status),
        address: response.address,
        detail: line(&describe(step, response, &assessment, reason), &redactor),
        body: (class != Class::Pass).then(|| body(response, &redactor)),
    };
    let captured = match class {
        Class::Pass | Class::Slow => assessment.captured,
        Class::Unready | Class::Broken | Class::Unknown => Vec::new(),
    };
    Seen { observation, captured }
}

/// What an answer says about the deployment, and why.
fn judge(response: &Response, assessment: &Assessment, placeholders: &[Placeholder]) -> (Class, Reason) {
    let proven = assessment.identity == Identity::Proven;
    if assessment.identity == Identity::Contradicted {
        return (Class::Unready, Reason::OldVersion);
    }
    // Also where every expectation holds: another's page may well be a 200, or the 403 that a check expects.
    let page = placeholders
        .iter()
        .find(|placeholder| placeholder.matches(response))
        .map(|found| found.means);
    match page.or(is_challenge(response).then_some(Meaning::Challenge)) {
        Some(Meaning::Challenge) if !proven => return (Class::Unknown, Reason::Throttled),
        Some(Meaning::NotServing) if !proven => return (Class::Unready, Reason::Placeholder),
        _ => {}
    }
    let of = |reason| assessment.failures.iter().any(|miss: &Miss| miss.reason == reason);
    // What is definite decides before what is only late or not known.
    let definite = |miss: &&Miss| !matches!(miss.reason, Reason::Time | Reason::MissingValue);
    match assessment.failures.iter().find(definite) {
        Some(miss) if miss.reason == Reason::Status => by_status(response.status),
        Some(miss) => (Class::Broken, miss.reason),
        None if of(Reason::MissingValue) => (Class::Unknown, Reason::MissingValue),
        None if of(Reason::Time) => (Class::Slow, Reason::Time),
        None => (Class::Pass, Reason::Ok),
    }
}

/// What an unexpected status says.
const fn by_status(status: u16) -> (Class, Reason) {
    match status {
        // Request Timeout, Too Early, Too Many Requests: about our request, not about the app.
        408 | 425 | 429 => (Class::Unknown, Reason::Throttled),
        status if is_gateway_error(status) => (Class::Unready, Reason::Status),
        _ => (Class::Broken, Reason::Status),
    }
}

/// Bad Gateway, Service Unavailable, Gateway Timeout: mostly said by what stands before an app.
pub(super) const fn is_gateway_error(status: u16) -> bool {
    matches!(status, 502..=504)
}

fn describe(step: &Step, response: &Response, assessment: &Assessment, reason: Reason) -> String {
    let asked = step.label();
    let status = response.status;
    let of_reason = assessment.failures.iter().find(|miss| miss.reason == reason);
    let first = of_reason.or(assessment.failures.first());
    match (reason, first.or(assessment.warnings.first())) {
        (Reason::Placeholder, _) => format!("{asked} answered {status} with a page of the platform, not of the app"),
        (Reason::Throttled, _) => format!("{asked} answered {status}, which limits or challenges our requests"),
        (Reason::OldVersion, Some(miss)) => format!("{asked} was answered by another version: {}", miss.detail),
        (Reason::OldVersion, None) => format!("{asked} was answered by another version"),
        (_, Some(miss)) if miss.reason == Reason::Status => format!("{asked} answered {}", miss.detail),
        (_, Some(miss)) => format!("{asked}: {}", miss.detail),
        (_, None) if step.send.is_socket() => format!("{asked} accepts connections"),
        (_, None) => format!("{asked} answered {status}"),
    }
}

/// One line for a person: redacted first, then cut.
fn line(text: &str, redactor: &Redactor) -> String {
    cut(&clean(&redactor.redact(text)), DETAIL_CHARS_MAX - 1)
}

/// The start of the body, redacted.
fn body(response: &Response, redactor: &Redactor) -> String {
    // Of a body of up to 4 MiB, no more than what a secret could reach over is turned into text.
    let window = response.body.get(..BODY_WINDOW_BYTES).unwrap_or(&response.body);
    let mut text = redactor.redact_start(&String::from_utf8_lossy(window), BODY_BYTES_MAX);
    let end = (0..=BODY_BYTES_MAX.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    text.truncate(end);
    text
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
