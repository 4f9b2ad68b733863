//! `POST /webhooks/{platform}`: takes a delivery in. A platform that cannot sign may have its secret behind its name, where
//! its file says so.
//!
//! Bounded, then verified over the raw bytes, then parsed, then stored; answered only when it is durable. Before the
//! signature holds nothing is parsed, kept or told apart: every signature that does not hold gets the same bytes.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode, Uri};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::body::{self, BodyError};
use super::extract::{Segment, Segments};
use super::problem::Problem;
use super::server::Peer;
use super::{App, gate, refusals};
use crate::config::{Config, PlatformConfig};
use crate::domain::{DeliveryId, PlatformName};
use crate::ingest::{self, Received, Refused, Verified};
use crate::store::{Accepted, NewDelivery};
use crate::telemetry::Answer;

/// The most a delivery's body may have.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long a delivery may wait to be durable.
const ACCEPT_TIME_MAX: Duration = Duration::from_secs(10);
/// When a sender should come back after the store could not take a delivery.
const STORE_AGAIN_S: u64 = 5;
/// Characters of the event's own word that are kept.
const EVENT_WORD_CHARS_MAX: usize = 200;

/// The one answer to every signature that does not hold: missing, doubled, old, cut, wrong, of another app's secret.
const UNVERIFIED: &str = "the delivery's signature does not hold; the log says why, and so does `backstop verify`";
/// There is no registered scheme for signed bodies; RFC 9110 §11.6.1 wants a challenge all the same.
const CHALLENGE: &str = "Signature";

/// What the sender of a stored delivery is told.
#[derive(Serialize)]
struct Receipt {
    status: &'static str,
    delivery: DeliveryId,
}

/// A refusal as it is counted and as it is answered.
struct Refusal(Answer, Problem);

/// Takes a delivery in.
pub(super) async fn receive(State(app): State<Arc<App>>, platform: Segment, request: Request<Body>) -> Response {
    receive_by(&app, platform.0, None, request).await
}

/// Takes a delivery in whose secret stands in its path.
pub(super) async fn receive_by_path(
    State(app): State<Arc<App>>,
    Segments(platform, secret): Segments,
    request: Request<Body>,
) -> Response {
    receive_by(&app, platform, Some(SecretString::from(secret)), request).await
}

async fn receive_by(app: &App, platform: String, secret: Option<SecretString>, request: Request<Body>) -> Response {
    let config = app.config.load_full();
    let name = PlatformName::new(platform);
    let (parts, body) = request.into_parts();
    let known = config.platforms.get(&name);
    // Where no secret is taken from a path, there is no such address.
    let Some(platform) = known.filter(|platform| secret.is_none() || platform.kind.has_path_secret()) else {
        body::discard(&parts.headers, body).await;
        app.metrics.delivery(None, Answer::UnknownPlatform);
        return Problem::not_found("no platform of this name is configured").into_response();
    };
    let (answer, response) = match take(app, &config, (&name, platform), &parts, secret.as_ref(), body).await {
        Ok((StatusCode::OK, receipt)) => (Answer::Duplicate, Json(receipt).into_response()),
        Ok((status, receipt)) => (Answer::Accepted, (status, Json(receipt)).into_response()),
        Err(Refusal(answer, problem)) => (answer, problem.into_response()),
    };
    app.metrics.delivery(Some(&name), answer);
    response
}

async fn take(
    app: &App,
    config: &Config,
    (name, platform): (&PlatformName, &PlatformConfig),
    parts: &Parts,
    secret: Option<&SecretString>,
    body: Body,
) -> Result<(StatusCode, Receipt), Refusal> {
    let headers = &parts.headers;
    // An unsigned body is refused whatever it says, so it is not kept in memory, only read to its end.
    let keep = if secret.is_some() || is_signed(platform, headers) {
        body::Keep::Bytes
    } else {
        body::Keep::Nothing
    };
    let read = body::read(headers, body, BODY_BYTES_MAX, app.limits.body_time_max, keep).await;
    let bytes = read.map_err(|error| unverified(app, config, parts, unread(error)))?;
    let url = address(config, parts);
    let received = Received {
        method: parts.method.as_str(),
        url: url.as_ref(),
        headers,
        path_secret: secret.map(ExposeSecret::expose_secret),
        body: &bytes,
    };
    let wall = app.clock.wall();
    match ingest::receive(&platform.kind, &platform.secrets, &received, wall) {
        Ok(verified) => store(app, name, verified, headers, bytes.clone()).await,
        Err(Refused::NotJson(why)) => {
            tracing::warn!(platform = %name, why, "a delivery's signature holds, but it is not JSON");
            let problem = Problem::bad_request("the signature holds, but the body is not JSON");
            Err(Refusal(Answer::NotJson, problem))
        }
        Err(refused @ (Refused::Signature(_) | Refused::WrongApp { .. })) => {
            let is_late = refusals::keep(app, (name, platform), parts, &received, &refused);
            let answer = if is_late { Answer::Late } else { Answer::Unverified };
            let problem = Problem::new(StatusCode::UNAUTHORIZED, UNVERIFIED).authenticate(CHALLENGE);
            Err(unverified(app, config, parts, Refusal(answer, problem)))
        }
    }
}

/// The address that the sender used, as far as it can be known here: below the public one, if that is configured.
fn address(config: &Config, parts: &Parts) -> Option<Uri> {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let base = match &config.server.public_url {
        Some(public) => public.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", parts.headers.get(HOST)?.to_str().ok()?),
    };
    format!("{base}{path}").parse().ok()
}

/// Counts a request that did not verify against its sender; over the limit, that is what it is told.
fn unverified(app: &App, config: &Config, parts: &Parts, refusal: Refusal) -> Refusal {
    let Some(Peer(peer)) = parts.extensions.get::<Peer>() else {
        return refusal;
    };
    match app.limiter.count(peer.ip(), config.server.rate_limit) {
        Ok(()) => refusal,
        Err(wait_s) => Refusal(Answer::Limited, gate::too_many(wait_s)),
    }
}

fn unread(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge => {
            let detail = format!("a delivery has at most {BODY_BYTES_MAX} bytes");
            Refusal(Answer::TooLarge, Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        BodyError::TooSlow => {
            let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time");
            Refusal(Answer::TooSlow, problem)
        }
        BodyError::Encoded => {
            let detail = "send the body as it is, without `Content-Encoding`";
            Refusal(
                Answer::Encoded,
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail),
            )
        }
        BodyError::Broken => Refusal(Answer::BadRequest, Problem::bad_request("the body could not be read")),
    }
}

async fn store(
    app: &App,
    name: &PlatformName,
    verified: Verified,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Receipt), Refusal> {
    let received_at = app.clock.now();
    let id = DeliveryId::new(app.ids.next("dlv", received_at));
    let event_word = verified
        .hearing
        .event_word
        .map(|word| word.chars().take(EVENT_WORD_CHARS_MAX).collect());
    let heard = verified.hearing.heard;
    let has_consequences = heard.as_ref().is_some_and(|heard| heard.event.has_consequences());
    let delivery = NewDelivery {
        id: id.clone(),
        platform: name.clone(),
        received_at,
        event_word,
        note: (!has_consequences).then(|| "kept: nothing follows from it".to_owned()),
        heard,
        opened_app: verified.opened_app,
        dedup_key: verified.dedup_key,
        headers: super::redact::headers(headers),
        body: body.to_vec(),
    };
    let why = match tokio::time::timeout(ACCEPT_TIME_MAX, app.store.accept(delivery)).await {
        Ok(Ok(Accepted::Stored)) => {
            if has_consequences {
                app.handle.deliveries_arrived();
            }
            return Ok((
                StatusCode::ACCEPTED,
                Receipt {
                    status: "accepted",
                    delivery: id,
                },
            ));
        }
        Ok(Ok(Accepted::Duplicate { of })) => {
            return Ok((
                StatusCode::OK,
                Receipt {
                    status: "duplicate",
                    delivery: of,
                },
            ));
        }
        Ok(Err(error)) => error.to_string(),
        // It may yet be stored; then the sender's next try is a duplicate.
        Err(_) => format!("not durable within {} s", ACCEPT_TIME_MAX.as_secs()),
    };
    tracing::error!(platform = %name, error = why, "a verified delivery could not be stored");
    let problem = Problem::unavailable("the delivery could not be stored; send it again", STORE_AGAIN_S);
    Err(Refusal(Answer::StoreTrouble, problem))
}

/// Whether the request carries a signature at all, right or wrong.
fn is_signed(platform: &PlatformConfig, headers: &HeaderMap) -> bool {
    let recipes = platform.kind.recipes().iter();
    recipes
        .filter_map(|recipe| recipe.signature_header())
        .any(|name| headers.contains_key(name))
}
