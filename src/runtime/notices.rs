//! What the agents tell of their own standing, as messages.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::dispatcher::Dispatcher;
use crate::clock::Ids;
use crate::config::Config;
use crate::domain::{EndpointName, MessageId, Notice, OutcomeEvent, Timestamp};
use crate::outcome::{self, Endpoint};
use crate::store::NewMessage;

/// Makes messages of notices.
#[derive(Clone)]
pub(super) struct Notices {
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) ids: Ids,
    /// Wakes whoever delivers.
    pub(super) outbox: Arc<Notify>,
}

impl Notices {
    /// One message for each endpoint that wants the notice.
    pub(super) fn messages(&self, notice: &Notice) -> Vec<NewMessage> {
        messages(notice, &self.config.load(), &self.ids, None)
    }

    /// Says that messages were queued.
    pub(super) fn queued(&self) {
        self.outbox.notify_one();
    }
}

/// One message for each endpoint that wants the notice, but for the one that it is about.
pub(super) fn messages(notice: &Notice, config: &Config, ids: &Ids, about: Option<&EndpointName>) -> Vec<NewMessage> {
    let wanting = config
        .endpoints
        .iter()
        .filter(|endpoint| Some(&endpoint.name) != about && outcome::wants_notice(endpoint, notice.event));
    wanting
        .filter_map(|endpoint| message(notice, config, ids, endpoint))
        .collect()
}

impl Dispatcher {
    /// Queues what is told of `notice`. If the store cannot keep it, the log has it.
    pub(super) async fn tell(&self, notice: &Notice) {
        let told = messages(notice, &self.performer.config.load(), &self.ids, None);
        match self.performer.store.tell(told).await {
            Ok(()) => self.outbox.notify_one(),
            Err(error) => {
                tracing::error!(about = notice.about, reason = notice.reason, error = %error, "this could not be told");
            }
        }
    }
}

/// A message by which a person sees whether `endpoint` can be reached, whatever it wants to hear of otherwise.
pub fn test_message(endpoint: &Endpoint, config: &Config, ids: &Ids, now: Timestamp) -> Option<NewMessage> {
    let notice = Notice {
        event: OutcomeEvent::EndpointTest,
        at: now,
        about: format!("endpoint {}", endpoint.name),
        reason: "Somebody asked for a message to this endpoint; nothing else happened.".to_owned(),
    };
    message(&notice, config, ids, endpoint)
}

fn message(notice: &Notice, config: &Config, ids: &Ids, endpoint: &Endpoint) -> Option<NewMessage> {
    let id = MessageId::new(ids.next("whk", notice.at));
    let rendered = outcome::render_notice(notice, endpoint, config.server.public_url.as_ref(), &id)?;
    Some(NewMessage {
        id,
        endpoint: endpoint.name.clone(),
        run: None,
        subject: rendered.subject,
        seq: 0,
        gravity: rendered.gravity,
        event: notice.event,
        content_type: rendered.content_type,
        body: rendered.body,
        page: false,
        created_at: notice.at,
    })
}
