//! The page behind an approval link. Opening it shows, and nothing else: chats open links by themselves for a preview.
//! The button acts. Whoever has the link needs no other sign-in: that is what it is for.

use std::sync::Arc;

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;

use super::App;
use super::extract::{Asked, Segment};
use super::gate;
use super::pages::{Frame, render};
use super::problem::Problem;
use super::server::Peer;
use crate::domain::RunId;
use crate::runtime::{ApprovalError, Approver, Awaiting};

/// The most that the button sends.
const FORM_BYTES_MAX: usize = 4 * 1024;

/// What a link carries.
#[derive(Deserialize)]
pub(super) struct Link {
    token: String,
}

#[derive(Template)]
#[template(path = "approve.html")]
struct Page {
    /// What waits, or what was just approved.
    awaiting: Option<Awaiting>,
    token: String,
    approved: bool,
    frame: Frame,
}

/// Shows the rollback that waits.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    Segment(id): Segment,
    Asked(link): Asked<Link>,
) -> Result<Response, Problem> {
    answer(&app, peer, &RunId::new(id), link.token, false).await
}

/// Approves it.
pub(super) async fn give(
    State(app): State<Arc<App>>,
    peer: Option<Extension<Peer>>,
    Segment(id): Segment,
    body: Body,
) -> Result<Response, Problem> {
    let unread = || Problem::bad_request("use the button on the page that the link opens");
    let bytes = to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| unread())?;
    let mut pairs = url::form_urlencoded::parse(&bytes);
    let token = pairs
        .find(|(name, _)| name == "token")
        .ok_or_else(unread)?
        .1
        .into_owned();
    answer(&app, peer, &RunId::new(id), token, true).await
}

async fn answer(
    app: &App,
    peer: Option<Extension<Peer>>,
    run: &RunId,
    token: String,
    act: bool,
) -> Result<Response, Problem> {
    match app.handle.approval(run, Approver::Token(token.clone()), act).await {
        Ok(awaiting) => Ok(page(StatusCode::OK, Some(awaiting), token, act)),
        Err(ApprovalError::Stopping) => Err(Problem::unavailable("the agent is stopping", 5)),
        Err(ApprovalError::NotAwaited) => {
            // Guessing is counted like any request that does not verify.
            if let Some(Extension(Peer(peer))) = peer
                && let Err(wait_s) = app.limiter.count(peer.ip(), app.config.load().server.rate_limit)
            {
                return Err(gate::too_many(wait_s));
            }
            Ok(page(StatusCode::NOT_FOUND, None, String::new(), false))
        }
    }
}

fn page(status: StatusCode, awaiting: Option<Awaiting>, token: String, approved: bool) -> Response {
    let page = Page {
        awaiting,
        token,
        approved,
        frame: Frame::bare(),
    };
    match render(&page) {
        Ok(mut response) => {
            *response.status_mut() = status;
            response
        }
        Err(problem) => problem.into_response(),
    }
}
