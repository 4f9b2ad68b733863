//! Judging an answer by its step's expectations.

use serde_json::Value as Json;

use super::answer::Answer;
use super::exchange::Response;
use super::expect::{About, Expect, Matcher, Rule, StatusSet};
use super::matching::{Fault, Judge, Subject, scalar_text};
use super::redact::Redactor;
use super::schema::Schema;
use super::values::{Value, Values, texts};
use super::{Capture, CaptureFrom, Step, say};
use crate::domain::{Identity, Reason};

/// A longer text or number is not kept, in bytes: 16 KiB. Lists and objects, which are never secret, may be as large as
/// the body.
pub const CAPTURE_BYTES_MAX: usize = 16 * 1024;
/// A certificate that is valid for fewer days is worth a warning, whatever is configured.
const DAYS_LEFT_GOOD: i64 = 14;
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
    let answer = Answer::new(response, step.send.charset);
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
    let status_is_right = step.send.is_socket() || status.contains(response.status);
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

/// Whether everything that `expect` says holds of an answer to `step`. What it does not speak of, the status included, is
/// not looked at.
pub fn holds(expect: &Expect, step: &Step, response: &Response, values: &Values) -> bool {
    let redactor = Redactor::of(values);
    let judge = Judge {
        values,
        redactor: &redactor,
    };
    let answer = Answer::new(response, step.send.charset);
    let status_holds = expect
        .status
        .as_ref()
        .is_none_or(|status| status.contains(response.status));
    status_holds && answer.misses(expect, &judge).is_empty()
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

impl Answer<'_> {
    fn capture(&self, capture: &Capture) -> Result<Json, String> {
        let (place, found) = match &capture.from {
            CaptureFrom::Json(path) => (
                path.as_str().to_owned(),
                path.find(self.json()?).first().copied().cloned(),
            ),
            CaptureFrom::Header(name) => (format!("header {name}"), self.header(name)),
            CaptureFrom::Cookie(name) => {
                let found = self.cookie(name).map(|cookie| cookie.value().into());
                (format!("cookie {name}"), found)
            }
            CaptureFrom::Html(selector, attribute) => {
                let found = selector.find(self.page()?, attribute.as_deref())?;
                (format!("element {}", selector.as_str()), found.into_iter().next())
            }
            CaptureFrom::Matches(regex) => {
                let groups = self.text().as_str().and_then(|text| regex.captures(text));
                let found = groups.and_then(|groups| groups.get(1).or(groups.get(0)));
                (
                    "what the expression finds".to_owned(),
                    found.map(|found| found.as_str().into()),
                )
            }
        };
        let why = match &found {
            None => "is missing",
            Some(Json::Null) => "is null",
            Some(Json::String(text)) if text.is_empty() => "is empty",
            // Each text in it would have to be looked for wherever something is shown.
            Some(Json::Array(_) | Json::Object(_)) if capture.secret => "is a list or an object and cannot be a secret",
            Some(Json::Array(_) | Json::Object(_)) => "",
            Some(scalar) if scalar_text(scalar).is_some_and(|text| text.len() > CAPTURE_BYTES_MAX) => "is too long",
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
        if let Some(schema) = &expect.schema {
            misses.extend(self.schema_miss(schema));
        }
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
        let speaks = |(about, _): &(About, Rule)| *about == About::TlsDaysLeft;
        if let Some(tls) = self.response.tls
            && tls.days_left < DAYS_LEFT_GOOD
            && !warn.rules.iter().any(speaks)
        {
            let detail = format!("the certificate is valid for only {} more days", tls.days_left);
            warnings.push(Miss {
                reason: Reason::Certificate,
                detail,
            });
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

    /// How the body departs from its schema: where, and by which of its words; no part of the body is told.
    fn schema_miss(&self, schema: &Schema) -> Option<Miss> {
        let detail = match self.json() {
            Ok(json) => {
                let (place, word) = schema.first_fault(json)?;
                let place = if place.is_empty() { "the JSON" } else { &place };
                format!(
                    "{} does not follow {} of the schema",
                    say::clean(&say::cut(place, 120)),
                    say::cut(&word, 120)
                )
            }
            Err(why) => why.to_owned(),
        };
        Some(Miss {
            reason: Reason::Schema,
            detail,
        })
    }

    /// Calls `each` with every rule and what it is about, or why that cannot be read.
    fn each_rule(&self, expect: &Expect, mut each: impl FnMut(Reason, &Rule, Result<&Subject<'_>, &str>)) {
        for (about, rule) in &expect.rules {
            let name = about.to_string();
            let subject = |nodes| Subject {
                name: &name,
                plural: about.is_plural(),
                nodes,
            };
            match about {
                About::Json(path) => match self.json() {
                    Ok(json) => each(about.reason(), rule, Ok(&subject(path.find(json)))),
                    Err(why) => each(about.reason(), rule, Err(why)),
                },
                About::Body => each(about.reason(), rule, Ok(&subject(vec![self.text()]))),
                _ => match self.facts(about) {
                    Ok(facts) => each(about.reason(), rule, Ok(&subject(facts.iter().collect()))),
                    Err(why) => each(about.reason(), rule, Err(why)),
                },
            }
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
