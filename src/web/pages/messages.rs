//! What was sent: messages to endpoints, one with its attempts, and sending again.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{Redirect, Response};
use serde::Deserialize;

use super::{Frame, Payload, back_to, render};
use crate::domain::RunId;
use crate::store::MessageView;
use crate::web::App;
use crate::web::api::{self, unreadable};
use crate::web::extract::{Asked, Segment};
use crate::web::problem::Problem;

/// Messages on a page.
const SHOWN: usize = 50;

/// Which messages, and which page of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::web) struct MessagesAsked {
    run: Option<String>,
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "messages.html")]
struct List {
    frame: Frame,
    messages: Vec<MessageView>,
    run: String,
    is_first: bool,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct One {
    frame: Frame,
    message: MessageView,
    payload: Option<Payload>,
}

/// The messages, newest first.
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    frame: Frame,
    Asked(asked): Asked<MessagesAsked>,
) -> Result<Response, Problem> {
    let (run, before) = (asked.run.unwrap_or_default(), asked.before.filter(|id| !id.is_empty()));
    let is_first = before.is_none();
    let of = (!run.is_empty()).then(|| RunId::new(run.as_str()));
    let page = app.store.list_messages(of, before, SHOWN).await;
    let page = page.map_err(|error| unreadable(&error))?;
    render(&List {
        frame,
        messages: page.items,
        run,
        is_first,
        next: page.next,
    })
}

/// One message.
pub(in crate::web) async fn one(app: State<Arc<App>>, frame: Frame, segment: Segment) -> Result<Response, Problem> {
    let axum::Json(message) = api::messages::one(app, segment).await?;
    render(&One {
        frame,
        payload: message.body.as_deref().map(Payload::of),
        message,
    })
}

/// Sends it again.
pub(in crate::web) async fn replay(app: State<Arc<App>>, Segment(id): Segment) -> Result<Redirect, Problem> {
    let axum::Json(_) = api::messages::replay(app, Segment(id.clone())).await?;
    Ok(back_to("/messages", &id))
}
