//! What was sent: messages to endpoints, one with its attempts, and sending again.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{Redirect, Response};

use super::{Frame, Payload, back_to, render, room, shown};
use crate::store::{AttemptView, MessageView};
use crate::web::App;
use crate::web::api::messages::MessagesAsked;
use crate::web::api::{self, unreadable};
use crate::web::extract::{Asked, Segment};
use crate::web::filters::{Filters, Onward};
use crate::web::problem::Problem;

/// Messages on a page.
const SHOWN: usize = 50;
/// Bytes for them.
const ROOM: usize = 44_000;
/// Bytes of a row's markup, besides what others wrote in it.
const ROW_BYTES: usize = 280;
/// Bytes for one message's attempts, and characters of each one's answer.
const ATTEMPTS_ROOM: usize = 20_000;
const ANSWER_CHARS_MAX: usize = 1_000;

#[derive(Template)]
#[template(path = "messages.html")]
struct List {
    frame: Frame,
    filters: Filters,
    messages: Vec<MessageView>,
    /// The run that they are of, if only one's are shown.
    run: String,
    onward: Onward,
}

#[derive(Template)]
#[template(path = "message.html")]
struct One {
    frame: Frame,
    message: MessageView,
    attempts: Vec<AttemptView>,
    attempts_left_out: usize,
    payload: Option<Payload>,
}

/// The messages, newest first.
pub(in crate::web) async fn list(
    State(app): State<Arc<App>>,
    frame: Frame,
    Asked(asked): Asked<MessagesAsked>,
) -> Result<Response, Problem> {
    let filters = asked.shown();
    let filter = asked.filter(shown(asked.limit, SHOWN), app.clock.now())?;
    let run = filter.run.clone().unwrap_or_default();
    let page = app.store.list_messages(filter).await;
    let mut page = page.map_err(|error| unreadable(&error))?;
    for message in &mut page.items {
        room::clip(&mut message.endpoint);
        room::clip_any(&mut message.reason);
    }
    let page = room::fit(page, ROOM, weigh, MessageView::place);
    render(&List {
        frame,
        onward: filters.onward(&page),
        filters,
        messages: page.items,
        run,
    })
}

fn weigh(message: &MessageView) -> usize {
    let reason = message.reason.as_deref().unwrap_or_default();
    // The id stands there twice.
    let texts = [&message.id, &message.id, &message.event, &message.endpoint, reason];
    ROW_BYTES + room::bytes(texts)
}

/// One message.
pub(in crate::web) async fn one(app: State<Arc<App>>, frame: Frame, segment: Segment) -> Result<Response, Problem> {
    let axum::Json(mut message) = api::messages::one(app, segment).await?;
    let mut attempts = message.attempt_log.take().unwrap_or_default();
    for attempt in &mut attempts {
        room::clip_to(&mut attempt.response, ANSWER_CHARS_MAX);
        room::clip_any(&mut attempt.error);
        room::clip(&mut attempt.host);
    }
    let made = attempts.len();
    attempts.truncate(room::fitting(&attempts, ATTEMPTS_ROOM, weigh_attempt));
    render(&One {
        frame,
        payload: message.body.as_deref().map(Payload::of),
        attempts_left_out: made - attempts.len(),
        attempts,
        message,
    })
}

fn weigh_attempt(attempt: &AttemptView) -> usize {
    let error = attempt.error.as_deref().unwrap_or_default();
    ROW_BYTES + room::bytes([&attempt.response, error, &attempt.host])
}

/// Sends it again.
pub(in crate::web) async fn replay(app: State<Arc<App>>, Segment(id): Segment) -> Result<Redirect, Problem> {
    let axum::Json(_) = api::messages::replay(app, Segment(id.clone())).await?;
    Ok(back_to("/messages", &id))
}
