//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use tokio::sync::Mutex;

use super::App;
use super::problem::Problem;
use crate::domain::Timestamp;

/// For how long the store's last answer stands, so that asking often costs nothing.
const READY_FOR_MS: u64 = 1_000;
/// When to ask again.
const AGAIN_S: u64 = 5;

/// Whether the store could be written when it was last tried.
#[derive(Default)]
pub(super) struct Readiness(Mutex<Option<(Timestamp, bool)>>);

/// The process is up.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The store can be written and the agent is not stopping.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.handle.draining() {
        return Problem::unavailable("the agent is stopping", AGAIN_S).into_response();
    }
    if is_writable(&app).await {
        "ready\n".into_response()
    } else {
        Problem::unavailable("the store cannot be written; the log says why", AGAIN_S).into_response()
    }
}

async fn is_writable(app: &App) -> bool {
    let mut last = app.readiness.0.lock().await;
    let now = app.clock.now();
    if let Some((at, writable)) = *last
        && now.ms_since(at) < READY_FOR_MS
    {
        return writable;
    }
    let tried = app.store.writable().await;
    if let Err(error) = &tried {
        tracing::error!(error = %error, "the store cannot be written");
    }
    *last = Some((now, tried.is_ok()));
    tried.is_ok()
}
