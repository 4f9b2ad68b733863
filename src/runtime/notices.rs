//! What the agents tell of their own standing, as messages.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::dispatcher::Dispatcher;
use crate::clock::Ids;
use crate::config::Config;
use crate::domain::{EndpointName, MessageId, Notice};
use crate::outcome;
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
        .map(|endpoint| {
            let id = MessageId::new(ids.next("whk", notice.at));
            let rendered = outcome::render_notice(notice, endpoint.format, &id);
            NewMessage {
                id,
                endpoint: endpoint.name.clone(),
                run: None,
                event: notice.event,
                content_type: rendered.content_type,
                body: rendered.body,
                page: false,
                created_at: notice.at,
            }
        })
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
