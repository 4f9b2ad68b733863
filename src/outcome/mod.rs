//! Tells the world: renders an outcome as bytes, and makes one signed attempt to hand them to an endpoint.
//!
//! Everything about the words of a message is a row of the table in `words`; a format only lays them out. Nothing here
//! knows when to send, what waits or what was sent before: [`judge_attempt`] and [`next_try`] say what the schedule
//! asks for, and whoever keeps the outbox does it.

mod approval;
mod attempt;
mod cdevents;
mod chat;
mod discord;
mod endpoint;
mod github;
mod layout;
mod pace;
mod pagerduty;
mod plain;
mod redact;
mod schedule;
mod slack;
mod steps;
mod teams;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use approval::{ApprovalKey, TOKEN_PARAM};
pub use attempt::{Attempted, RESPONSE_BYTES_MAX, attempt};
pub use endpoint::{Address, AddressError, CONCURRENCY_DEFAULT, Endpoint, Format, When, wants, wants_notice};
pub use github::ADDRESS_DEFAULT as GITHUB_ADDRESS;
pub use layout::{CONTENT_TYPE_DEFAULT, Layout, LayoutError};
pub use pace::{Pace, Rate};
pub use pagerduty::ADDRESS_DEFAULT as PAGERDUTY_ADDRESS;
pub use schedule::{ATTEMPTS_MAX, Next, RETRY_AFTER_MAX, Standing, judge_attempt, judge_endpoint, next_try};

use url::Url;

use crate::domain::{MessageId, Notice, Outcome, OutcomeEvent, Timestamp};
use crate::signature::{SecretKind, secret_kind};

/// How grave a message is that wakes somebody; the others are below it.
const GRAVEST: u32 = 3;

/// A message as it is sent, and sent again: the bytes never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The media type of `body`.
    pub content_type: String,
    /// The bytes.
    pub body: Vec<u8>,
    /// What it is about: messages about the same are delivered in their order. `None` has no order.
    pub subject: Option<String>,
    /// How grave it is, from 0 to 3: it waits for no earlier message that is less grave.
    pub gravity: u32,
}

impl Rendered {
    fn new(content_type: &str, text: String) -> Self {
        Self {
            content_type: content_type.to_owned(),
            body: text.into_bytes(),
            subject: None,
            gravity: 0,
        }
    }

    fn json(text: String) -> Self {
        Self::new("application/json", text)
    }
}

/// What is told.
#[derive(Clone, Copy)]
enum Said<'a> {
    Outcome(&'a Outcome),
    Notice(&'a Notice),
}

impl Said<'_> {
    const fn event(&self) -> OutcomeEvent {
        match self {
            Self::Outcome(outcome) => outcome.event,
            Self::Notice(notice) => notice.event,
        }
    }

    const fn at(&self) -> Timestamp {
        match self {
            Self::Outcome(outcome) => outcome.at,
            Self::Notice(notice) => notice.at,
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Outcome(outcome) => &outcome.reason,
            Self::Notice(notice) => &notice.reason,
        }
    }

    const fn page(&self) -> bool {
        match self {
            Self::Outcome(outcome) => outcome.page,
            Self::Notice(_) => false,
        }
    }

    fn about(&self) -> String {
        match self {
            Self::Outcome(outcome) => format!("{} in {}", outcome.app, outcome.environment),
            Self::Notice(notice) => notice.about.clone(),
        }
    }

    /// What messages are kept in order by: the deployment, or what a notice is about. Tests of a receiver have no order.
    fn subject(&self) -> Option<String> {
        match self {
            Self::Outcome(outcome) => Some(format!("{}/{}", outcome.platform, outcome.deployment)),
            Self::Notice(notice) => (notice.event != OutcomeEvent::EndpointTest).then(|| notice.about.clone()),
        }
    }
}

/// Renders `outcome` for `endpoint`; `None` if its format has nothing to say of it.
///
/// `public_url` is where people reach our dashboard; without it the message has no link to the run. `message` is the
/// receiver's idempotency key. `approve` is the link by which the receiver may approve a rollback. Every text in the
/// outcome may be hostile: it is cut to a bound, and in chat formats it can neither mention anybody nor make a link.
pub fn render(
    outcome: &Outcome,
    endpoint: &Endpoint,
    public_url: Option<&Url>,
    approve: Option<&Url>,
    message: &MessageId,
) -> Option<Rendered> {
    let run = public_url.and_then(|base| run_link(base, outcome));
    let chat = chat::Message::of(outcome, run.clone(), approve);
    let plain = || plain::render(outcome, run.as_ref(), approve, message);
    lay_out(
        Said::Outcome(outcome),
        endpoint,
        public_url,
        run.as_ref(),
        &chat,
        &plain,
        message,
    )
}

/// Renders `notice` for `endpoint`, as [`render`] does an outcome.
pub fn render_notice(
    notice: &Notice,
    endpoint: &Endpoint,
    public_url: Option<&Url>,
    message: &MessageId,
) -> Option<Rendered> {
    let chat = chat::Message::of_notice(notice);
    let plain = || plain::render_notice(notice, message);
    lay_out(Said::Notice(notice), endpoint, public_url, None, &chat, &plain, message)
}

fn lay_out(
    said: Said<'_>,
    endpoint: &Endpoint,
    public_url: Option<&Url>,
    run: Option<&Url>,
    chat: &chat::Message,
    plain: &dyn Fn() -> String,
    id: &MessageId,
) -> Option<Rendered> {
    let rendered = match endpoint.format {
        Format::Plain => Rendered::json(plain()),
        Format::CdEvents => cdevents::render(said, public_url, id, &plain())?,
        Format::Slack => Rendered::json(slack::render(chat)),
        Format::Discord => Rendered::json(discord::render(chat)),
        Format::Teams => Rendered::json(teams::render(chat)),
        Format::PagerDuty => return pagerduty::render(said, chat, endpoint),
        Format::GitHub => github::render(said, run)?,
        Format::Template => {
            let message = chat;
            endpoint
                .layout
                .as_ref()?
                .render(&layout::Told { said, message, id, run })
        }
    };
    let gravity = if said.page() { GRAVEST } else { chat.severity.gravity() };
    Some(Rendered {
        subject: said.subject(),
        gravity,
        ..rendered
    })
}

/// Whether messages can be signed with `secret`; if its prefix says what the rest is not, they cannot.
pub fn can_sign(secret: &str) -> bool {
    secret_kind(secret).is_some()
}

/// Whether `secret` can sign requests by RFC 9421: it is no key pair.
pub fn can_sign_requests(secret: &str) -> bool {
    secret_kind(secret).is_some_and(|kind| kind != SecretKind::Asymmetric)
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
