//! Deliveries as the generations send them: once, never again.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value as Json;
use url::Url;

use super::Shared;
use super::state::Generation;
use crate::http::Trust;
use crate::signature::sign_timestamped;
use crate::step::Request;

/// How long the platform waits for its receiver.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends one delivery; the status it was answered with, if it was.
pub(super) async fn send(shared: &Shared, payload: Json) -> Option<u16> {
    let (generation, (url, secret), number) = {
        let mut state = shared.state();
        state.deliveries += 1;
        (state.generation, state.webhook.clone()?, state.deliveries)
    };
    let timestamp_s = shared.clock.wall().as_secs();
    let body = payload.to_string().into_bytes();
    let signature = sign_timestamped(&secret, timestamp_s, &body);
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
        ..Request::new(Method::POST, Url::parse(&url).ok()?, TIMEOUT)
    };
    let sent = shared.client.send(&request, Trust::Configured).await;
    sent.ok().map(|response| response.status)
}
