//! A receiver of outcomes that verifies each and keeps it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use serde_json::Value as Json;
use tokio::sync::Notify;
use url::Url;

use super::server::Server;
use crate::signature::sign_timestamped;

/// One message as received.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its body.
    pub body: Json,
    /// Whether its signature held.
    pub signed: bool,
}

impl Received {
    /// The event: `rollback.succeeded`.
    pub fn event(&self) -> &str {
        self.text("event")
    }

    /// The deployment it speaks of.
    pub fn deployment(&self) -> &str {
        self.text("deployment_id")
    }

    /// The text of a member of its body; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Json::as_str).unwrap_or_default()
    }
}

#[derive(Default)]
struct Kept {
    messages: Mutex<Vec<Received>>,
    arrived: Notify,
    secret: String,
    /// The statuses that the next messages are answered with, first one first.
    refusals: Mutex<Vec<StatusCode>>,
}

/// A receiver on a loopback port.
pub struct Receiver {
    server: Server,
    kept: Arc<Kept>,
}

impl Receiver {
    /// Starts a receiver of messages that `secret` signs.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(secret: &str) -> io::Result<Self> {
        let kept = Arc::new(Kept {
            secret: secret.to_owned(),
            ..Kept::default()
        });
        let router = Router::new()
            .route("/hooks", post(receive))
            .with_state(Arc::clone(&kept));
        Ok(Self {
            server: Server::start(router).await?,
            kept,
        })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}/hooks", self.server.address)
    }

    /// Answers the next messages with these statuses, and does not keep them.
    pub fn refuse_next(&self, statuses: &[StatusCode]) {
        lock(&self.kept.refusals).extend_from_slice(statuses);
    }

    /// Everything received so far, oldest first.
    pub fn all(&self) -> Vec<Received> {
        lock(&self.kept.messages).clone()
    }

    /// The first message for which `wanted` holds, if it comes within `limit`.
    pub async fn wait_for(&self, limit: Duration, wanted: impl Fn(&Received) -> bool) -> Option<Received> {
        let found = async {
            loop {
                let arrived = self.kept.arrived.notified();
                tokio::pin!(arrived);
                // Registered before looking, so that nothing that arrives in between is missed.
                arrived.as_mut().enable();
                if let Some(found) = lock(&self.kept.messages).iter().find(|message| wanted(message)) {
                    return found.clone();
                }
                arrived.await;
            }
        };
        tokio::time::timeout(limit, found).await.ok()
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("url", &Url::parse(&self.url()).ok())
            .finish()
    }
}

async fn receive(State(kept): State<Arc<Kept>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    {
        let mut refusals = lock(&kept.refusals);
        if !refusals.is_empty() {
            return refusals.remove(0);
        }
    }
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let timestamp_s = text("x-webhook-timestamp").parse().unwrap_or(0);
    let signed = text("x-webhook-signature") == sign_timestamped(&kept.secret, timestamp_s, &body);
    let Ok(body) = serde_json::from_slice(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    lock(&kept.messages).push(Received { body, signed });
    kept.arrived.notify_waiters();
    StatusCode::NO_CONTENT
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
