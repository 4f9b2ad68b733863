//! Tells the world: renders an outcome as bytes, and makes one signed attempt to hand them to an endpoint.
//!
//! Everything about the words of a message is a row of the table in `words`; a format only lays them out. Nothing here
//! knows when to send, what waits or what was sent before: [`judge_attempt`] and [`next_try`] say what the schedule
//! asks for, and whoever keeps the outbox does it.

mod approval;
mod attempt;
mod chat;
mod discord;
mod endpoint;
mod plain;
mod redact;
mod schedule;
mod slack;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use approval::{ApprovalKey, TOKEN_PARAM};
pub use attempt::{Attempted, RESPONSE_BYTES_MAX, attempt};
pub use endpoint::{Address, AddressError, Endpoint, Format, When, wants, wants_notice};
pub use schedule::{ATTEMPTS_MAX, Next, RETRY_AFTER_MAX, Standing, judge_attempt, judge_endpoint, next_try};

use url::Url;

use crate::domain::{MessageId, Notice, Outcome};

/// A message as it is sent, and sent again: the bytes never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The media type of `body`.
    pub content_type: String,
    /// The bytes: JSON in every format there is.
    pub body: Vec<u8>,
}

/// Renders `outcome` for an endpoint that reads `format`.
///
/// `public_url` is where people reach our dashboard; without it the message has no link to the run. `message` is the
/// receiver's idempotency key. `approve` is the link by which the receiver may approve a rollback. Every text in the outcome may be hostile: it is cut to a bound, and in chat formats it
/// can neither mention anybody nor make a link.
pub fn render(
    outcome: &Outcome,
    format: Format,
    public_url: Option<&Url>,
    approve: Option<&Url>,
    message: &MessageId,
) -> Rendered {
    let run_link = public_url.and_then(|base| run_link(base, outcome));
    let json = match format {
        Format::Plain => plain::render(outcome, run_link.as_ref(), approve, message),
        Format::Slack => slack::render(&chat::Message::of(outcome, run_link, approve)),
        Format::Discord => discord::render(&chat::Message::of(outcome, run_link, approve)),
    };
    Rendered::json(json)
}

/// Renders `notice` for an endpoint that reads `format`, as [`render`] does an outcome.
pub fn render_notice(notice: &Notice, format: Format, message: &MessageId) -> Rendered {
    Rendered::json(match format {
        Format::Plain => plain::render_notice(notice, message),
        Format::Slack => slack::render(&chat::Message::of_notice(notice)),
        Format::Discord => discord::render(&chat::Message::of_notice(notice)),
    })
}

impl Rendered {
    fn json(text: String) -> Self {
        Self {
            content_type: "application/json".to_owned(),
            body: text.into_bytes(),
        }
    }
}

/// The run's page on the dashboard: the path below `base`, whatever its own path is; `None` if `base` cannot have one.
fn run_link(base: &Url, outcome: &Outcome) -> Option<Url> {
    let mut link = base.clone();
    link.set_query(None);
    link.set_fragment(None);
    link.path_segments_mut()
        .ok()?
        .pop_if_empty()
        .extend(["runs", outcome.run.as_str()]);
    Some(link)
}
