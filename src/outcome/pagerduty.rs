//! PagerDuty's Events API v2: an outcome that should wake somebody opens an incident of its app and environment, and one
//! that says that the app is well ends it (<https://developer.pagerduty.com/docs/events-api-v2/trigger-events/>).

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded::byte_serialize;

use super::chat::Message;
use super::endpoint::Endpoint;
use super::plain::rfc3339_seconds;
use super::text::{line, verbatim};
use super::words::Severity;
use super::{GRAVEST, Rendered, Said};
use crate::domain::OutcomeEvent;

/// PagerDuty's bound of a summary.
const SUMMARY_UNITS_MAX: usize = 1_024;
/// PagerDuty's bound.
const DEDUP_KEY_BYTES_MAX: usize = 255;
/// Bound of any other text.
const TEXT_UNITS_MAX: usize = 1_000;
/// A check's line.
const CHECK_UNITS_MAX: usize = 300;

/// Where events go.
pub const ADDRESS_DEFAULT: &str = "https://events.pagerduty.com/v2/enqueue";

/// How every body begins; the key is put in when it is sent, so that it is kept nowhere.
const BEGINNING: &[u8] = b"{\"routing_key\":\"\"";

#[derive(Serialize)]
struct Event {
    routing_key: &'static str,
    event_action: &'static str,
    dedup_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Value>,
    client: &'static str,
}

/// Whether `event` says that the app is well, or can be rolled back again.
pub(super) const fn resolves(event: OutcomeEvent) -> bool {
    matches!(
        event,
        OutcomeEvent::SmokeTestPassed
            | OutcomeEvent::SmokeTestDegraded
            | OutcomeEvent::RollbackSucceeded
            | OutcomeEvent::ProtectionRestored
    )
}

/// The event; `None` where there is nothing to wake anybody for, and nothing that ends.
pub(super) fn render(said: Said<'_>, message: &Message, endpoint: &Endpoint) -> Option<Rendered> {
    let event_action = action(said, message, endpoint)?;
    let is_trigger = event_action == "trigger";
    let key = dedup_key(said);
    let event = Event {
        routing_key: "",
        event_action,
        dedup_key: key.clone(),
        payload: is_trigger.then(|| payload(said, message)),
        links: message
            .links
            .iter()
            .filter(|_| is_trigger)
            .map(|(words, link)| json!({"href": link.as_str(), "text": words}))
            .collect(),
        client: "Backstop",
    };
    let text = serde_json::to_string(&event).ok()?;
    Some(Rendered {
        // What ends an incident must not come before what opened it, nor after what opens the next.
        subject: Some(key),
        gravity: GRAVEST,
        ..Rendered::json(text)
    })
}

fn action(said: Said<'_>, message: &Message, endpoint: &Endpoint) -> Option<&'static str> {
    let event = said.event();
    let is_asked_for =
        !endpoint.events.is_empty() && matches!(message.severity, Severity::Warning | Severity::Critical);
    if said.page() || event == OutcomeEvent::EndpointTest {
        Some("trigger")
    } else if resolves(event) {
        Some("resolve")
    } else {
        is_asked_for.then_some("trigger")
    }
}

fn payload(said: Said<'_>, message: &Message) -> Value {
    let text = |text: &str| line(text, TEXT_UNITS_MAX, verbatim);
    let severity = match message.severity {
        Severity::Info | Severity::Good => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    };
    let mut details = Map::new();
    details.insert("Why".to_owned(), text(&message.reason).into());
    details.insert("What to do".to_owned(), text(message.next).into());
    for (label, value) in &message.facts {
        details.insert((*label).to_owned(), text(value).into());
    }
    let checks = message
        .checks
        .iter()
        .map(|check| line(check, CHECK_UNITS_MAX, verbatim));
    details.insert("Failing checks".to_owned(), checks.collect());
    json!({
        "summary": line(&message.title, SUMMARY_UNITS_MAX, verbatim),
        "source": text(&said.about()),
        "severity": severity,
        "timestamp": rfc3339_seconds(message.at),
        "class": said.event().as_str(),
        "custom_details": details,
    })
}

/// What opens and ends the same incident: the platform, app and environment; of a notice, what it is about.
fn dedup_key(said: Said<'_>) -> String {
    let encoded = |part: &str| byte_serialize(part.as_bytes()).collect::<String>();
    let parts = match said {
        Said::Outcome(outcome) => [&outcome.platform, &outcome.app, &outcome.environment]
            .map(|part| encoded(part))
            .join("/"),
        Said::Notice(notice) => encoded(&notice.about),
    };
    let key = format!("backstop/{parts}");
    if key.len() <= DEDUP_KEY_BYTES_MAX {
        return key;
    }
    format!("backstop/{}", hex::encode(Sha256::digest(key.as_bytes())))
}

/// The body with the routing key in it, as it is sent.
pub(super) fn complete(body: &[u8], key: Option<&SecretString>) -> Vec<u8> {
    let (Some(key), Some(rest)) = (key, body.strip_prefix(BEGINNING)) else {
        return body.to_vec();
    };
    let key = Value::from(key.expose_secret()).to_string();
    [b"{\"routing_key\":", key.as_bytes(), rest].concat()
}
