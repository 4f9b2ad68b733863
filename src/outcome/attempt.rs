//! One attempt at one message: signed anew, sent, and what came of it.

use std::time::Duration;

use http::header::{CONTENT_TYPE, InvalidHeaderValue, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use secrecy::ExposeSecret as _;

use super::endpoint::{Endpoint, Format};
use super::{can_sign_requests, pagerduty, redact, schedule, steps};
use crate::domain::{MessageId, Reason, Timestamp};
use crate::http::{Client, Trust};
use crate::signature::{SignedRequest, sign_request, sign_standard_all, sign_timestamped};
use crate::step::{Redactor, Request, Response};

/// How long an endpoint may take to answer; after it is before the next attempt.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Most of an answer's body that is kept, in bytes.
pub const RESPONSE_BYTES_MAX: usize = 4096;

/// What came of one attempt. Holds no secret of the endpoint, and may be logged and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// The status answered, if there was an answer.
    pub status: Option<u16>,
    /// Why there was none, in words.
    pub error: Option<String>,
    /// Whether another attempt could end differently, as far as `error` tells.
    pub retryable: bool,
    /// The start of the answer's body as text, redacted, at most [`RESPONSE_BYTES_MAX`].
    pub response_excerpt: String,
    /// From the start of the request to its end, in milliseconds.
    pub latency_ms: u32,
    /// How long the endpoint asks to be left alone, within [`super::RETRY_AFTER_MAX`].
    pub retry_after: Option<Duration>,
}

/// Makes one attempt: `body` is signed for `wall` and sent, once. Whatever comes of it is the result.
pub async fn attempt(
    client: &Client,
    endpoint: &Endpoint,
    message: &MessageId,
    body: &[u8],
    content_type: &str,
    wall: Timestamp,
) -> Attempted {
    match steps::of(endpoint.format) {
        Some(Ok(steps)) => return steps.perform(client, endpoint, body, wall).await,
        Some(Err(error)) => return Attempted::unsent(error.clone()),
        None => {}
    }
    let headers = match headers(endpoint, message, body, content_type, wall) {
        Ok(headers) => headers,
        Err(error) => return Attempted::unsent(format!("the request could not be made: {error}")),
    };
    let request = Request {
        headers,
        body: Some(match endpoint.format {
            Format::PagerDuty => pagerduty::complete(body, endpoint.credential.as_ref()),
            _ => body.to_vec(),
        }),
        // Twice what is kept, so that no secret is cut in half where it ends.
        body_bytes_max: 2 * RESPONSE_BYTES_MAX,
        cut_body: true,
        carries_credentials: true,
        ..Request::new(Method::POST, endpoint.url.expose().clone(), TIMEOUT)
    };
    sent(client, &request, &redact::redactor(endpoint), wall).await.0
}

/// What came of `request`, with the answer if there was one.
pub(super) async fn sent(
    client: &Client,
    request: &Request,
    redactor: &Redactor,
    wall: Timestamp,
) -> (Attempted, Option<Response>) {
    match client.send(request, Trust::Configured).await {
        Ok(response) => {
            let attempted = Attempted {
                status: Some(response.status),
                error: None,
                retryable: true,
                response_excerpt: excerpt(&response, redactor),
                latency_ms: millis(response.elapsed),
                retry_after: asked_wait(&response, wall),
            };
            (attempted, Some(response))
        }
        Err(failure) => {
            let attempted = Attempted {
                // An address that may not be called is not called the next time either.
                retryable: failure.reason != Reason::Forbidden,
                latency_ms: millis(failure.elapsed),
                ..Attempted::unsent(redactor.redact(&failure.detail))
            };
            (attempted, None)
        }
    }
}

impl Attempted {
    /// Nothing was sent.
    pub(super) fn unsent(error: String) -> Self {
        Self {
            status: None,
            error: Some(error),
            retryable: false,
            response_excerpt: String::new(),
            latency_ms: 0,
            retry_after: None,
        }
    }
}

/// What the request carries besides its body. Chats read no signature and get none.
///
/// While a secret is rotated, `webhook-signature` carries a signature by each, the newest first; the others have room for one, which
/// is the newest secret's that can make it. A `whsk_…` key signs nothing but `webhook-signature`: its receiver has only the public
/// half, and could verify no other.
fn headers(
    endpoint: &Endpoint,
    message: &MessageId,
    body: &[u8],
    content_type: &str,
    wall: Timestamp,
) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_str(content_type)?)];
    headers.extend(endpoint.headers.iter().cloned());
    if !endpoint.format.is_signed() {
        return Ok(headers);
    }
    let secrets = || endpoint.secrets.iter().map(|secret| secret.expose_secret());
    let timestamp_s = wall.as_secs();
    let mut add = |name: &'static str, value: &str| -> Result<(), InvalidHeaderValue> {
        headers.push((HeaderName::from_static(name), HeaderValue::from_str(value)?));
        Ok(())
    };
    let newest = secrets().find(|secret| can_sign_requests(secret));
    if let Some(secret) = newest {
        add("x-webhook-timestamp", &timestamp_s.to_string())?;
        add("x-webhook-signature", &sign_timestamped(secret, timestamp_s, body))?;
    }
    if let Some(signatures) = sign_standard_all(secrets(), message.as_str(), timestamp_s, body) {
        add("webhook-id", message.as_str())?;
        add("webhook-timestamp", &timestamp_s.to_string())?;
        add("webhook-signature", &signatures)?;
    }
    if let Some((secret, key_id)) = newest.zip(endpoint.key_id.as_deref()) {
        let request = SignedRequest {
            method: Method::POST.as_str(),
            target_uri: &endpoint.url.target_uri(),
            content_type,
            body,
        };
        let signed = sign_request(secret, key_id, timestamp_s, request);
        add("content-digest", &signed.content_digest)?;
        add("signature-input", &signed.signature_input)?;
        add("signature", &signed.signature)?;
    }
    Ok(headers)
}

/// The start of the answer's body, as text without secrets.
fn excerpt(response: &Response, redactor: &Redactor) -> String {
    let text = redactor.redact_start(&String::from_utf8_lossy(&response.body), RESPONSE_BYTES_MAX);
    let end = (0..=RESPONSE_BYTES_MAX.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}

fn asked_wait(response: &Response, wall: Timestamp) -> Option<Duration> {
    let value = response.headers.get(RETRY_AFTER)?.to_str().ok()?;
    schedule::retry_after(value, wall)
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
