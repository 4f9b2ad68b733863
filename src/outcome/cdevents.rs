//! CDEvents 0.5.1 in CloudEvents 1.0, structured mode: every attribute is in the signed body.
//!
//! Which of our events is which of theirs is a table; what theirs have no word for is in `customData`, which is the message in
//! our own format. What none of theirs says is not sent (<https://cdevents.dev/docs/>).

use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::plain::rfc3339_seconds;
use super::text::{line, verbatim};
use super::words::{self, Severity};
use super::{Rendered, Said};
use crate::domain::{MessageId, OutcomeEvent};

const SPEC_VERSION: &str = "0.5.1";
const CONTENT_TYPE: &str = "application/cloudevents+json";
/// Bound of a text that others wrote.
const TEXT_UNITS_MAX: usize = 1_000;
/// Where events come from, if the agent has no public address.
const SOURCE_DEFAULT: &str = "/backstop";

/// What a CDEvent's subject is, and what its content needs.
#[derive(Clone, Copy)]
enum Kind {
    /// `testsuiterun.queued`.
    Queued,
    /// `testsuiterun.started`.
    Started,
    /// `testsuiterun.finished`, with this outcome.
    Finished(&'static str),
    /// `service.rolledback`.
    RolledBack,
    /// `incident.detected`.
    Detected,
    /// `incident.resolved`.
    Resolved,
}

/// What each of our events is to them.
const TABLE: &[(OutcomeEvent, Kind)] = &[
    (OutcomeEvent::SmokeTestStarted, Kind::Started),
    (OutcomeEvent::SmokeTestPassed, Kind::Finished("success")),
    (OutcomeEvent::SmokeTestDegraded, Kind::Finished("success")),
    (OutcomeEvent::SmokeTestFailed, Kind::Finished("failure")),
    (OutcomeEvent::SmokeTestInconclusive, Kind::Finished("error")),
    (OutcomeEvent::RunSuperseded, Kind::Finished("cancel")),
    (OutcomeEvent::RollbackSucceeded, Kind::RolledBack),
    (OutcomeEvent::RollbackUnconfirmed, Kind::Detected),
    (OutcomeEvent::RollbackFailed, Kind::Detected),
    (OutcomeEvent::RollbackWithheld, Kind::Detected),
    (OutcomeEvent::ApprovalRequested, Kind::Detected),
    (OutcomeEvent::ProtectionLost, Kind::Detected),
    (OutcomeEvent::ProtectionRestored, Kind::Resolved),
    (OutcomeEvent::EndpointTest, Kind::Queued),
];

impl Kind {
    const fn event_type(self) -> &'static str {
        match self {
            Self::Queued => "dev.cdevents.testsuiterun.queued.0.3.0",
            Self::Started => "dev.cdevents.testsuiterun.started.0.3.0",
            Self::Finished(_) => "dev.cdevents.testsuiterun.finished.0.3.0",
            Self::RolledBack => "dev.cdevents.service.rolledback.0.3.0",
            Self::Detected => "dev.cdevents.incident.detected.0.3.0",
            Self::Resolved => "dev.cdevents.incident.resolved.0.3.0",
        }
    }
}

/// The event; `None` where CDEvents have none for it. `custom` is the message in our own format.
pub(super) fn render(said: Said<'_>, public_url: Option<&Url>, id: &MessageId, custom: &str) -> Option<Rendered> {
    let (_, kind) = TABLE.iter().find(|(event, _)| *event == said.event())?;
    let source = public_url.map_or(SOURCE_DEFAULT, Url::as_str);
    let time = rfc3339_seconds(said.at());
    let subject = subject(said, *kind);
    let event = json!({
        "context": {
            "specversion": SPEC_VERSION,
            "id": id.as_str(),
            "source": source,
            "type": kind.event_type(),
            "timestamp": time,
        },
        "subject": {"id": subject, "source": source, "content": content(said, *kind)},
        "customData": serde_json::from_str::<Value>(custom).ok(),
        "customDataContentType": "application/json",
    });
    let envelope = json!({
        "specversion": "1.0",
        "id": id.as_str(),
        "source": source,
        "type": kind.event_type(),
        "subject": subject,
        "time": time,
        "datacontenttype": "application/json",
        "data": event,
    });
    Some(Rendered::new(CONTENT_TYPE, envelope.to_string()))
}

fn subject(said: Said<'_>, kind: Kind) -> String {
    match (said, kind) {
        (Said::Outcome(outcome), Kind::RolledBack) => text(&outcome.app),
        (Said::Outcome(outcome), _) => outcome.run.to_string(),
        (Said::Notice(notice), _) => text(&notice.about),
    }
}

fn content(said: Said<'_>, kind: Kind) -> Value {
    let reason = text(said.reason());
    let (environment, app) = match said {
        Said::Outcome(outcome) => (text(&outcome.environment), Some(text(&outcome.app))),
        Said::Notice(notice) => (text(&notice.about), None),
    };
    let mut content = json!({"environment": {"id": environment}});
    match kind {
        Kind::Queued => {}
        Kind::Started => content["trigger"] = json!({"type": "event"}),
        Kind::Finished(outcome) => {
            content["outcome"] = outcome.into();
            content["reason"] = reason.into();
            if outcome != "success" || said.event() == OutcomeEvent::SmokeTestDegraded {
                content["severity"] = severity(said.event()).into();
            }
        }
        Kind::RolledBack => content["artifactId"] = artifact(said).into(),
        Kind::Detected | Kind::Resolved => {
            content["description"] = reason.into();
            if let Some(app) = app {
                content["service"] = json!({"id": app});
            }
        }
    }
    content
}

fn severity(event: OutcomeEvent) -> &'static str {
    match words::of(event).severity {
        Severity::Info | Severity::Good => "low",
        Severity::Warning => "medium",
        Severity::Critical => "critical",
    }
}

/// What is live again, as a package URL: the app, at the commit or else the deployment that was gone back to.
fn artifact(said: Said<'_>) -> String {
    let Said::Outcome(outcome) = said else {
        return String::new();
    };
    let version = outcome.rollback.as_ref().map_or(outcome.deployment.as_str(), |report| {
        report.to_commit.as_deref().unwrap_or(report.to.as_str())
    });
    let part = |text: &str| {
        byte_serialize(line(text, 200, verbatim).as_bytes())
            .collect::<String>()
            .replace('+', "%20")
    };
    format!("pkg:generic/{}@{}", part(&outcome.app), part(version))
}

/// One line; never empty, as the schemas want it.
fn text(others: &str) -> String {
    line(others, TEXT_UNITS_MAX, verbatim)
}
