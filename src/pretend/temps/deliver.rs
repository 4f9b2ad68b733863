//! Deliveries as the generations send them: once, never again.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value as Json;
use url::Url;

use super::state::Generation;
use super::webhooks::{Sent, Webhook};
use super::{PROJECT, Shared};
use crate::http::Trust;
use crate::signature::sign_timestamped;
use crate::step::Request;

/// How long the platform waits for its receiver.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends one delivery by every webhook of the project that wants it; the last status it was answered with, if it was.
pub(super) async fn send(shared: &Shared, payload: Json) -> Option<u16> {
    // The guide's names are others, and it does not say which webhooks get which.
    let event = payload.get("event_type").and_then(Json::as_str).map(str::to_owned);
    let wanting: Vec<Webhook> = {
        let state = shared.state();
        let wants = |webhook: &&Webhook| {
            let event = event.as_ref();
            webhook.enabled
                && webhook.project == PROJECT
                && event.is_none_or(|event| webhook.events.iter().any(|wanted| wanted == event))
        };
        state.webhooks.iter().filter(wants).cloned().collect()
    };
    let mut last = None;
    for webhook in wanting {
        last = send_by(shared, &webhook, &payload).await;
        shared.state().sent.push(Sent {
            webhook: webhook.id,
            event: event.clone().unwrap_or_default(),
            status: last,
            at: shared.clock.wall(),
        });
    }
    last
}

async fn send_by(shared: &Shared, webhook: &Webhook, payload: &Json) -> Option<u16> {
    let (generation, number) = {
        let mut state = shared.state();
        state.deliveries += 1;
        (state.generation, state.deliveries)
    };
    let timestamp_s = shared.clock.wall().as_secs();
    let body = payload.to_string().into_bytes();
    let signature = sign_timestamped(webhook.secret.as_deref().unwrap_or_default(), timestamp_s, &body);
    let lines = match generation {
        Generation::Guide => vec![
            ("x-temps-timestamp", timestamp_s.to_string()),
            ("x-temps-signature", signature),
        ],
        Generation::G1 | Generation::G2 | Generation::G3 => vec![
            ("x-webhook-event", payload["event_type"].as_str()?.replace('_', ".")),
            ("x-webhook-delivery", number.to_string()),
            ("x-webhook-timestamp", timestamp_s.to_string()),
            ("x-webhook-signature", format!("sha256={signature}")),
        ],
    };
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    for (name, value) in lines {
        headers.push((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?));
    }
    let request = Request {
        headers,
        body: Some(body),
        body_bytes_max: 64 * 1024,
        cut_body: true,
        ..Request::new(Method::POST, Url::parse(&webhook.url).ok()?, TIMEOUT)
    };
    let sent = shared.client.send(&request, Trust::Configured).await;
    sent.ok().map(|response| response.status)
}
