//! Judging an answer by its step's expectations.

use std::cell::OnceCell;

use http::HeaderName;
use serde_json::Value as Json;

use super::exchange::Response;
use super::expect::{Expect, Matcher, Rule, StatusSet};
use super::matching::{Fault, Judge, Subject, scalar_text};
use super::redact::Redactor;
use super::values::{Value, Values, texts};
use super::{Capture, CaptureFrom, Step, say};
use crate::domain::{Identity, Reason};

/// A larger value is not kept, in bytes as text: 16 KiB.
pub const CAPTURE_BYTES_MAX: usize = 16 * 1024;
/// A shorter name of a version proves nothing by standing somewhere in a text.
const PROOF_BYTES_MIN: usize = 7;

/// How an answer compares with its step.
#[derive(Clone, Debug, PartialEq)]
pub struct Assessment {
    /// What must hold and does not; after a wrong status nothing else is looked at.
    pub failures: Vec<Miss>,
    /// What should hold and does not; looked at only when nothing failed.
    pub warnings: Vec<Miss>,
    /// The values to keep; none if anything but the time failed.
    pub captured: Vec<(String, Value)>,
    /// Whether the answer names this deployment's version, another's, or none.
    pub identity: Identity,
    /// Texts of the answer that must not be shown, because the step captures them as secret, whatever failed.
    pub secrets: Vec<String>,
}

/// One expectation that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The kind of it.
    pub reason: Reason,
    /// In words, without the secrets of `values`: `$.status is "down", expected "ok"`.
    pub detail: String,
}

/// Compares `response` with what `step` expects of it.
///
/// The work is linear in the size of the body, which the caller bounds.
pub fn assess(step: &Step, response: &Response, values: &Values) -> Assessment {
    let answer = Answer {
        response,
        text: OnceCell::new(),
        json: OnceCell::new(),
    };
    let kept: Vec<_> = step
        .capture
        .iter()
        .map(|capture| (capture, answer.capture(capture)))
        .collect();
    let captured_secrets = kept.iter().filter(|(capture, _)| capture.secret);
    let secrets: Vec<String> = captured_secrets
        .filter_map(|(_, found)| found.as_ref().ok())
        .flat_map(texts)
        .collect();
    let mut redactor = Redactor::of(values);
    secrets.iter().for_each(|secret| redactor.add(secret));
    let judge = Judge {
        values,
        redactor: &redactor,
    };

    let status = step.expect.status.clone().unwrap_or_else(StatusSet::success);
    let status_is_right = status.contains(response.status);
    let mut assessment = Assessment {
        failures: Vec::new(),
        warnings: Vec::new(),
        captured: Vec::new(),
        identity: answer.identity(&step.expect, &judge, status_is_right),
        secrets,
    };
    if status_is_right {
        assessment.failures = answer.misses(&step.expect, &judge);
    } else {
        let detail = format!("{}, expected {status}", response.status);
        assessment.failures.push(Miss {
            reason: Reason::Status,
            detail,
        });
    }
    if assessment.failures.iter().all(|miss| miss.reason == Reason::Time) {
        assessment.keep(kept);
    }
    if assessment.failures.is_empty() {
        assessment.warnings = answer.warnings(&step.warn, &judge);
    }
    assessment
}

impl Assessment {
    fn keep(&mut self, kept: Vec<(&Capture, Result<Json, String>)>) {
        for (capture, found) in kept {
            match found {
                Ok(json) => self.captured.push((
                    capture.name.clone(),
                    Value {
                        json,
                        secret: capture.secret,
                    },
                )),
                Err(detail) => self.failures.push(Miss {
                    reason: Reason::Capture,
                    detail,
                }),
            }
        }
        if self.failures.iter().any(|miss| miss.reason == Reason::Capture) {
            self.captured.clear();
        }
    }
}

/// An answer whose body is read as text or JSON once, when first needed.
struct Answer<'a> {
    response: &'a Response,
    text: OnceCell<Json>,
    json: OnceCell<Result<Json, String>>,
}

impl Answer<'_> {
    /// The body as text; what is not UTF-8 is replaced.
    fn text(&self) -> &Json {
        self.text
            .get_or_init(|| String::from_utf8_lossy(&self.response.body).into())
    }

    /// The body as JSON, or why it is none. The parser refuses more than 128 levels.
    fn json(&self) -> Result<&Json, &str> {
        let parse = || {
            // RFC 8259 §8.1 allows to ignore a byte order mark.
            let body = self
                .response
                .body
                .strip_prefix(b"\xef\xbb\xbf")
                .unwrap_or(&self.response.body);
            match serde_json::from_slice(body) {
                Ok(json) => Ok(json),
                Err(_) if body.trim_ascii().is_empty() => Err("the body is empty, expected JSON".to_owned()),
                Err(error) => Err(format!("the body is not JSON: {error}")),
            }
        };
        self.json.get_or_init(parse).as_ref().map_err(String::as_str)
    }

    /// All headers of that name as one value.
    fn header(&self, name: &HeaderName) -> Option<Json> {
        let values = self.response.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", ").into())
    }

    fn capture(&self, capture: &Capture) -> Result<Json, String> {
        let (place, found) = match &capture.from {
            CaptureFrom::Json(path) => (
                path.as_str().to_owned(),
                path.find(self.json()?).first().copied().cloned(),
            ),
            CaptureFrom::Header(name) => (format!("header {name}"), self.header(name)),
        };
        let why = match &found {
            None => "is missing",
            Some(Json::Null) => "is null",
            Some(Json::String(text)) if text.is_empty() => "is empty",
            Some(json) if json.to_string().len() > CAPTURE_BYTES_MAX => "is too long",
            Some(_) => "",
        };
        match found {
            Some(json) if why.is_empty() => Ok(json),
            _ => Err(format!("{place} {why}, so `{}` cannot be kept", capture.name)),
        }
    }

    /// What of `expect` does not hold, the status aside.
    fn misses(&self, expect: &Expect, judge: &Judge<'_>) -> Vec<Miss> {
        let mut misses = Vec::new();
        self.each_rule(expect, |reason, rule, subject| {
            let checked = match subject {
                Ok(subject) => judge.check(rule, subject),
                Err(detail) => Err(Fault::Wrong(detail.to_owned())),
            };
            let miss = match checked {
                Ok(()) => return,
                Err(Fault::Wrong(detail)) => Miss { reason, detail },
                Err(Fault::Missing(error)) => Miss {
                    reason: error.reason(),
                    detail: error.to_string(),
                },
            };
            // A body that is not JSON fails every rule for it in the same words.
            if !misses.contains(&miss) {
                misses.push(miss);
            }
        });
        if let Some(limit) = expect.time.filter(|limit| self.response.elapsed > *limit) {
            let detail = format!(
                "took {}, expected at most {}",
                say::duration(self.response.elapsed),
                say::duration(limit)
            );
            misses.push(Miss {
                reason: Reason::Time,
                detail,
            });
        }
        misses
    }

    fn warnings(&self, warn: &Expect, judge: &Judge<'_>) -> Vec<Miss> {
        let mut warnings = self.misses(warn, judge);
        if let Some(status) = warn
            .status
            .as_ref()
            .filter(|status| !status.contains(self.response.status))
        {
            let detail = format!("{}, expected {status}", self.response.status);
            warnings.insert(
                0,
                Miss {
                    reason: Reason::Status,
                    detail,
                },
            );
        }
        warnings
    }

    /// Whose version the answer says it is. One rule that names another version outweighs any that names this one.
    fn identity(&self, expect: &Expect, judge: &Judge<'_>, status_is_right: bool) -> Identity {
        let mut identity = Identity::Unknown;
        self.each_rule(expect, |_, rule, subject| {
            let (Some(part), Ok(subject)) = (rule.identity_part(), subject) else {
                return;
            };
            let by_containing = part.0.iter().any(|matcher| matches!(matcher, Matcher::Contains(_)));
            if by_containing && is_weak(&part, judge.values) {
                return;
            }
            // That a page lacks the version's name tells something only of a page that is right otherwise.
            let tells = subject.nodes.iter().any(|node| is_named(node)) && (status_is_right || !by_containing);
            match judge.check(&part, subject) {
                Ok(()) if identity == Identity::Unknown => identity = Identity::Proven,
                Err(Fault::Wrong(_)) if tells => identity = Identity::Contradicted,
                Ok(()) | Err(_) => {}
            }
        });
        identity
    }

    /// Calls `each` with every rule and what it is about, or why that cannot be read.
    fn each_rule(&self, expect: &Expect, mut each: impl FnMut(Reason, &Rule, Result<&Subject<'_>, &str>)) {
        for (header, rule) in &expect.headers {
            let value = self.header(header);
            let name = format!("header {header}");
            let subject = Subject {
                name: &name,
                plural: false,
                nodes: value.iter().collect(),
            };
            each(Reason::Header, rule, Ok(&subject));
        }
        for (path, rule) in &expect.json {
            match self.json() {
                Ok(json) => {
                    let subject = Subject {
                        name: path.as_str(),
                        plural: !path.is_singular(),
                        nodes: path.find(json),
                    };
                    each(Reason::Json, rule, Ok(&subject));
                }
                Err(why) => each(Reason::Json, rule, Err(why)),
            }
        }
        if let Some(rule) = &expect.body {
            let subject = Subject {
                name: "the body",
                plural: false,
                nodes: vec![self.text()],
            };
            each(Reason::Body, rule, Ok(&subject));
        }
    }
}

/// Whether the name of the version is so short that it may stand in a text by chance.
fn is_weak(rule: &Rule, values: &Values) -> bool {
    let mut names = rule.slots().into_iter().filter(|slot| super::expect::is_identity(slot));
    names.any(|slot| {
        values
            .get(slot)
            .and_then(Value::text)
            .is_none_or(|text| text.len() < PROOF_BYTES_MIN)
    })
}

/// Whether a value names anything at all.
fn is_named(node: &Json) -> bool {
    match node {
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
        scalar => scalar_text(scalar).is_some_and(|text| !text.trim().is_empty()),
    }
}
