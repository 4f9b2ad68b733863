//! Deliveries that were refused, so that their operator sees why: the last few of each platform, in memory alone, since
//! whoever cannot sign must not be able to fill the store.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use http::request::Parts;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::api::All;
use super::extract::Asked;
use super::server::Peer;
use crate::config::PlatformConfig;
use crate::domain::{Notice, OutcomeEvent, PlatformName, Timestamp, rfc3339};
use crate::ingest::{self, Explanation, Received, Refused};

/// Refusals kept of one platform.
const KEPT_MAX: usize = 50;
/// Names of headers kept of one refusal, and characters of each.
const HEADERS_MAX: usize = 64;
const HEADER_CHARS_MAX: usize = 100;
/// Bytes kept of a body whose signature holds; of another none is.
const BODY_BYTES_MAX: usize = 4 * 1024;
/// How often what else would have held of a platform's delivery is looked for: that costs more than refusing it.
const EXPLAIN_EVERY_MS: i64 = 1_000;
/// How often deliveries that are signed but late are told of.
const TELL_EVERY_MS: i64 = 60 * 60 * 1_000;

/// A refused delivery.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Refusal)]
pub(super) struct Entry {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub(super) at: Timestamp,
    /// The platform whose address it was sent to.
    #[schema(value_type = String)]
    pub(super) platform: PlatformName,
    /// The address that it came from.
    pub(super) peer: Option<String>,
    /// Why, in a sentence.
    pub(super) reason: String,
    /// What else would have held, or what is missing.
    pub(super) findings: Vec<String>,
    /// The names of its headers; a value may be a secret.
    headers: Vec<String>,
    /// Bytes of its body; `null` for a body that was not kept, because nothing signed it.
    body_bytes: Option<usize>,
    /// The hash of a body that was not kept, in hex.
    body_sha256: Option<String>,
    /// The start of a body whose signature holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

/// What is known of the refusals of one platform.
#[derive(Default)]
struct Kept {
    entries: VecDeque<Entry>,
    explained_at: Option<Timestamp>,
    told_at: Option<Timestamp>,
}

/// The refusals of all platforms of the config.
#[derive(Default)]
pub(super) struct Refusals(Mutex<BTreeMap<PlatformName, Kept>>);

/// Which platform's.
#[derive(Debug, Default, serde::Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct RefusalsAsked {
    /// Only of this platform.
    platform: Option<String>,
}

impl Refusals {
    fn with<T>(&self, platform: &PlatformName, act: impl FnOnce(&mut Kept) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(all.entry(platform.clone()).or_default())
    }

    /// Whether a refusal of `now` may be explained.
    fn may_explain(&self, platform: &PlatformName, now: Timestamp) -> bool {
        self.with(platform, |kept| due(&mut kept.explained_at, EXPLAIN_EVERY_MS, now))
    }

    /// Whether late deliveries are to be told of at `now`.
    fn may_tell(&self, platform: &PlatformName, now: Timestamp) -> bool {
        self.with(platform, |kept| due(&mut kept.told_at, TELL_EVERY_MS, now))
    }

    fn push(&self, entry: Entry) {
        let platform = entry.platform.clone();
        self.with(&platform, |kept| {
            kept.entries.push_front(entry);
            if kept.entries.len() > KEPT_MAX {
                // Those whose signature holds are the last to go: nobody can push them out with forgeries.
                let oldest_forged = kept.entries.iter().rposition(|entry| entry.body.is_none());
                kept.entries.remove(oldest_forged.unwrap_or(KEPT_MAX));
            }
        });
    }
}

fn due(last: &mut Option<Timestamp>, every_ms: i64, now: Timestamp) -> bool {
    let is_due = last.is_none_or(|last| now.as_millis().abs_diff(last.as_millis()) >= every_ms.unsigned_abs());
    if is_due {
        *last = Some(now);
    }
    is_due
}

/// Logs and keeps a refusal, and tells of one that is only late; whether it is.
pub(super) fn keep(
    app: &App,
    (name, platform): (&PlatformName, &PlatformConfig),
    parts: &Parts,
    received: &Received<'_>,
    refused: &Refused,
) -> bool {
    let wall = app.clock.wall();
    let try_all = app.refusals.may_explain(name, wall);
    let explanation = ingest::explain(&platform.kind, &platform.secrets, received, wall, refused, try_all);
    let peer = parts.extensions.get::<Peer>().map(|Peer(peer)| peer.to_string());
    tracing::info!(platform = %name, peer, why = %refused, findings = ?explanation.findings, "a delivery does not verify");
    if explanation.only_late && app.refusals.may_tell(name, wall) {
        let notice = Notice {
            event: OutcomeEvent::DeliveryMissed,
            at: wall,
            about: format!("platform {name}"),
            reason: format!("a rightly signed delivery was refused: {refused}"),
        };
        if !app.handle.tell(notice) {
            tracing::warn!(platform = %name, "that a signed delivery was late could not be told");
        }
    }
    let is_late = explanation.only_late;
    app.refusals
        .push(entry(name, peer, parts, received, refused, explanation, wall));
    is_late
}

fn entry(
    name: &PlatformName,
    peer: Option<String>,
    parts: &Parts,
    received: &Received<'_>,
    refused: &Refused,
    explanation: Explanation,
    at: Timestamp,
) -> Entry {
    let body = received.body;
    let named = |name: &http::HeaderName| name.as_str().chars().take(HEADER_CHARS_MAX).collect();
    let start = &body[..body.len().min(BODY_BYTES_MAX)];
    Entry {
        at,
        platform: name.clone(),
        peer,
        reason: refused.to_string(),
        headers: parts.headers.keys().take(HEADERS_MAX).map(named).collect(),
        body_bytes: (!body.is_empty()).then_some(body.len()),
        body_sha256: (!body.is_empty()).then(|| hex::encode(Sha256::digest(body))),
        body: explanation
            .only_late
            .then(|| String::from_utf8_lossy(start).into_owned()),
        findings: explanation.findings,
    }
}

/// The last deliveries that were refused, newest first, and why. They are kept in memory alone.
#[utoipa::path(get, path = "/api/v1/refusals", operation_id = "list_refusals", tag = "deliveries", params(RefusalsAsked),
    responses((status = 200, description = "All that are kept", body = All<Entry>)))]
pub(super) async fn list(State(app): State<Arc<App>>, Asked(asked): Asked<RefusalsAsked>) -> Json<All<Entry>> {
    let mut items: Vec<Entry> = {
        let all = app.refusals.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |platform: &&PlatformName| asked.platform.as_deref().is_none_or(|asked| asked == platform.as_str());
        let kept = all.iter().filter(|(platform, _)| of(platform));
        kept.flat_map(|(_, kept)| kept.entries.iter().cloned()).collect()
    };
    items.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    Json(All { items })
}
