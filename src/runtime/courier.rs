//! The courier: takes due messages from the outbox, makes one signed attempt each, and records what came of it.
//!
//! What ends makes it look at that endpoint only, so that many endpoints with much to be sent do not slow each other down; it
//! looks at all of them when there is news, when something is due again, and every few seconds for what others left.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::domain::{AgentId, EndpointName, Notice, OutcomeEvent, Timestamp};
use crate::http::Client;
use crate::outcome::{self, Standing};
use crate::store::{self, Attempt, Due, Faring, Message, NewMessage, Next, Store};
use crate::telemetry::{AttemptResult, Metrics};

use super::lanes::Lanes;
use super::notices;

/// Attempts that have ended and were not noticed yet; more of them wait.
const ENDINGS_MAX: usize = 1_024;
/// The outbox is looked at again after this, if it could not be.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What came of an attempt is recorded again after this, if it could not be.
const RECORD_AGAIN: Duration = Duration::from_secs(1);
/// The outbox is looked at this often at least.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Delivers messages until told to stop.
pub(super) struct Courier {
    pub(super) agent: AgentId,
    pub(super) store: Store,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) ids: Ids,
    pub(super) metrics: Metrics,
    pub(super) wake: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

impl Courier {
    /// Runs until stopped; attempts under way end first.
    pub(super) async fn run(self) {
        let this = Arc::new(self);
        let tasks = TaskTracker::new();
        let (ended, mut endings) = mpsc::channel(ENDINGS_MAX);
        let (mut lanes, under_way) = (Lanes::new(this.clock.now()), UnderWay::default());
        // Of what an earlier start took and could not attempt nothing is known here.
        let mut unsure = false;
        let (mut looked_at, mut next) = (Timestamp::default(), None);
        while !this.stop.is_cancelled() {
            let now = this.clock.now();
            let due = lanes.due(&this.config.load().endpoints, now);
            if let Some(due) = due {
                if due.only.is_none() {
                    looked_at = now;
                    next = this.next_due(now).await;
                }
                match this.take_due(due, &under_way, unsure).await {
                    Ok(taken) => {
                        unsure = false;
                        lanes.took(taken.len(), now);
                        for message in taken {
                            lanes.began(&message.endpoint, now);
                            this.begin(message, &tasks, &under_way, ended.clone());
                        }
                    }
                    Err(error) => {
                        unsure = true;
                        lanes.look_at_all(now.plus(LOOK_AGAIN));
                        tracing::warn!(error = %error, "the outbox could not be read; trying again");
                    }
                }
            }
            tokio::select! {
                biased;
                () = this.stop.cancelled() => {}
                () = this.wake.notified() => lanes.look_soon(looked_at, this.clock.now()),
                Some(ending) = endings.recv() => {
                    let mut ending = Some(ending);
                    while let Some(Ending { endpoint, again_at }) = ending {
                        lanes.ended(endpoint);
                        next = next.into_iter().chain(again_at).min();
                        ending = endings.try_recv().ok();
                    }
                }
                () = tokio::time::sleep(this.pause(&lanes, looked_at, next)) => {
                    let now = this.clock.now();
                    if next.is_some_and(|next| next <= now) || looked_at.plus(LOOK_EVERY) <= now {
                        lanes.look_at_all(now);
                    }
                }
            }
        }
        tasks.close();
        drop(endings);
        tasks.wait().await;
    }

    /// Takes messages that are due. Where the answer of the last time was lost, what it took is given back first.
    async fn take_due(&self, due: Due, under_way: &UnderWay, unsure: bool) -> Result<Vec<Message>, store::Error> {
        if unsure {
            let ours = lock(under_way).clone();
            self.store.give_back(&self.agent, ours).await?;
        }
        self.store.take_due(&self.agent, self.clock.now(), due).await
    }

    async fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.store.next_due(now).await.ok().flatten()
    }

    /// Until there is something to do by itself.
    fn pause(&self, lanes: &Lanes, looked_at: Timestamp, next: Option<Timestamp>) -> Duration {
        let now = self.clock.now();
        let until = |at: Timestamp| Duration::from_millis(at.ms_since(now));
        let look = until(looked_at.plus(LOOK_EVERY)).min(LOOK_EVERY);
        [next.map(until), lanes.wait(now)]
            .into_iter()
            .flatten()
            .fold(look, Duration::min)
    }

    fn begin(
        self: &Arc<Self>,
        message: Message,
        tasks: &TaskTracker,
        under_way: &UnderWay,
        ended: mpsc::Sender<Ending>,
    ) {
        let (id, endpoint) = (message.id.clone(), message.endpoint.clone());
        lock(under_way).insert(id.clone());
        let (this, under_way) = (Arc::clone(self), Arc::clone(under_way));
        tasks.spawn(async move {
            let again_at = this.attempt(message).await;
            lock(&under_way).remove(&id);
            // Nobody listens any more where the courier stops.
            let _ = ended.send(Ending { endpoint, again_at }).await;
        });
    }

    /// Makes one attempt, and records what came of it. When the next is due, if there is to be one.
    async fn attempt(&self, message: Message) -> Option<Timestamp> {
        let config = self.config.load_full();
        let Some(endpoint) = config
            .endpoints
            .iter()
            .find(|endpoint| endpoint.name == message.endpoint)
        else {
            let reason = format!("the config has no [outcome.{}] any more", message.endpoint);
            self.record(attempt_of(&message, self.clock.now(), &reason), Next::Dead { reason })
                .await;
            return None;
        };
        let wall = self.clock.wall();
        let attempted = outcome::attempt(
            &self.client,
            endpoint,
            &message.id,
            &message.body,
            &message.content_type,
            wall,
        )
        .await;
        let delivered = attempted.status.is_some_and(|status| (200..300).contains(&status));
        let result = if delivered {
            AttemptResult::Delivered
        } else {
            AttemptResult::Failed
        };
        self.metrics.attempt(&message.endpoint, result, attempted.latency_ms);
        let number = message.attempts + 1;
        let next = match outcome::judge_attempt(&attempted, number, self.ids.seed()) {
            outcome::Next::Delivered => Next::Delivered,
            outcome::Next::Retry(after) => Next::RetryAt(self.clock.now().plus(after)),
            outcome::Next::Dead(reason) => Next::Dead { reason },
            outcome::Next::EndpointOff => {
                self.switch_off(&message.endpoint, "it answered 410 Gone", false).await;
                Next::Dead {
                    reason: "the endpoint answered 410 Gone and is switched off".to_owned(),
                }
            }
        };
        // A message that only shows whether the endpoint is there again is not given up for that.
        let next = match next {
            Next::RetryAt(_) | Next::Dead { .. } if message.probe && attempted.status != Some(410) => {
                Next::RetryAt(self.clock.now())
            }
            next => next,
        };
        if !matches!(next, Next::Delivered) {
            let why = attempted.error.clone().unwrap_or_default();
            tracing::warn!(endpoint = %message.endpoint, message.id = %message.id, attempt = number,
                status = attempted.status, why, "an outcome was not delivered");
        }
        let attempt = Attempt {
            url_host: endpoint.url.host(),
            status: attempted.status,
            error: attempted.error,
            response: attempted.response_excerpt,
            latency_ms: attempted.latency_ms,
            ..attempt_of(&message, wall, "")
        };
        let again_at = match &next {
            Next::RetryAt(at) => Some(*at),
            Next::Delivered | Next::Dead { .. } => None,
        };
        self.record(attempt, next).await;
        again_at
    }

    /// An endpoint that keeps failing is told of elsewhere, and in the end switched off.
    async fn judge(&self, endpoint: &EndpointName, faring: Faring) {
        let is_known = self.config.load().endpoints.iter().any(|known| known.name == *endpoint);
        if faring.failures == 0 || faring.off || !is_known {
            return;
        }
        let Faring { failures, since, .. } = faring;
        match outcome::judge_endpoint(failures, since, self.clock.now()) {
            Standing::Off => {
                let reason = format!("{failures} attempts in a row failed, since {since}");
                self.switch_off(endpoint, &reason, true).await;
            }
            Standing::Failing if !faring.told => {
                let reason =
                    format!("{failures} attempts in a row failed, since {since}; what waits is kept and tried again");
                let told = self.notice(endpoint, reason);
                match self.store.endpoint_fails(endpoint.clone(), told).await {
                    Ok(_) => self.wake.notify_one(),
                    Err(error) => {
                        tracing::error!(endpoint = %endpoint, error = %error, "that it fails could not be told");
                    }
                }
            }
            Standing::Failing | Standing::Shaky => {}
        }
    }

    async fn switch_off(&self, endpoint: &EndpointName, reason: &str, probed: bool) {
        let told = self.notice(
            endpoint,
            format!("{reason}; it is switched off, and what waits for it is kept"),
        );
        match self
            .store
            .endpoint_off(endpoint.clone(), reason.to_owned(), probed, told)
            .await
        {
            Ok(true) => {
                self.wake.notify_one();
                tracing::error!(endpoint = %endpoint, reason, "the endpoint is switched off");
            }
            Ok(false) => {}
            Err(error) => tracing::error!(endpoint = %endpoint, error = %error, "it could not be switched off"),
        }
    }

    /// What the other endpoints are told of one that fails.
    fn notice(&self, endpoint: &EndpointName, reason: String) -> Vec<NewMessage> {
        let notice = Notice {
            event: OutcomeEvent::EndpointFailing,
            at: self.clock.now(),
            about: format!("endpoint {endpoint}"),
            reason,
        };
        notices::messages(&notice, &self.config.load(), &self.ids, Some(endpoint))
    }

    /// Delivery is at least once: an attempt whose record is lost is made again with the same id.
    async fn record(&self, attempt: Attempt, next: Next) {
        let message = attempt.message.clone();
        let endpoint = attempt.endpoint.clone();
        loop {
            match self.store.record_attempt(attempt.clone(), next.clone()).await {
                Ok(faring) => return self.judge(&endpoint, faring).await,
                Err(error) => {
                    tracing::warn!(message.id = %message, error = %error, "an attempt could not be recorded; trying again");
                }
            }
            if self.stop.is_cancelled() {
                return;
            }
            tokio::time::sleep(RECORD_AGAIN).await;
        }
    }
}

/// An attempt has ended.
struct Ending {
    endpoint: EndpointName,
    /// When the next one at the same message is due.
    again_at: Option<Timestamp>,
}

type UnderWay = Arc<std::sync::Mutex<std::collections::BTreeSet<crate::domain::MessageId>>>;

fn lock(under_way: &UnderWay) -> std::sync::MutexGuard<'_, std::collections::BTreeSet<crate::domain::MessageId>> {
    under_way.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn attempt_of(message: &Message, at: Timestamp, error: &str) -> Attempt {
    Attempt {
        message: message.id.clone(),
        endpoint: message.endpoint.clone(),
        at,
        url_host: String::new(),
        status: None,
        error: (!error.is_empty()).then(|| error.to_owned()),
        response: String::new(),
        latency_ms: 0,
    }
}

#[cfg(test)]
mod tests;
