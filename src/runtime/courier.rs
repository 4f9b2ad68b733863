//! The courier: takes due messages from the outbox, makes one signed attempt each, and records what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Ids};
use crate::config::Config;
use crate::domain::{AgentId, EndpointName, Notice, OutcomeEvent};
use crate::http::Client;
use crate::outcome::{self, Standing};
use crate::store::{self, Attempt, Faring, Message, NewMessage, Next, Store};

use super::notices;

/// Messages taken from the outbox at once.
const BATCH_MAX: usize = 64;
/// Attempts under way at once to one endpoint.
const PER_ENDPOINT_MAX: usize = 4;
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
    pub(super) wake: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

impl Courier {
    /// Runs until stopped; attempts under way end first.
    pub(super) async fn run(self) {
        let this = Arc::new(self);
        let tasks = TaskTracker::new();
        let mut lanes: BTreeMap<EndpointName, Arc<Semaphore>> = BTreeMap::new();
        let under_way = UnderWay::default();
        // Of what an earlier start took and could not attempt nothing is known here.
        let mut unsure = false;
        while !this.stop.is_cancelled() {
            match this.take_due(&lanes, &under_way, unsure).await {
                Ok(due) => {
                    unsure = false;
                    this.begin(due, &tasks, &mut lanes, &under_way);
                }
                Err(error) => {
                    unsure = true;
                    tracing::warn!(error = %error, "the outbox could not be read; trying again");
                }
            }
            tokio::select! {
                biased;
                () = this.stop.cancelled() => {}
                () = this.wake.notified() => {}
                () = tokio::time::sleep(this.pause().await) => {}
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Takes messages that are due, but none to an endpoint with as many attempts under way as may be.
    /// Where the answer of the last time was lost, what it took is given back first.
    async fn take_due(
        &self,
        lanes: &BTreeMap<EndpointName, Arc<Semaphore>>,
        under_way: &UnderWay,
        unsure: bool,
    ) -> Result<Vec<Message>, store::Error> {
        if unsure {
            let ours = lock(under_way).clone();
            self.store.give_back(&self.agent, ours).await?;
        }
        let busy = lanes.iter().filter(|(_, lane)| lane.available_permits() == 0);
        let busy = busy.map(|(name, _)| name.clone()).collect();
        self.store
            .take_due(&self.agent, self.clock.now(), BATCH_MAX, busy)
            .await
    }

    /// Until the next message is due.
    async fn pause(&self) -> Duration {
        let next = self.store.next_due().await.ok().flatten();
        let until = next.map_or(LOOK_EVERY, |at| Duration::from_millis(at.ms_since(self.clock.now())));
        until.clamp(Duration::from_millis(20), LOOK_EVERY)
    }

    fn begin(
        self: &Arc<Self>,
        due: Vec<Message>,
        tasks: &TaskTracker,
        lanes: &mut BTreeMap<EndpointName, Arc<Semaphore>>,
        under_way: &UnderWay,
    ) {
        for message in due {
            let lane = lanes
                .entry(message.endpoint.clone())
                .or_insert_with(|| Arc::new(Semaphore::new(PER_ENDPOINT_MAX)));
            let id = message.id.clone();
            lock(under_way).insert(id.clone());
            let (this, lane, under_way) = (Arc::clone(self), Arc::clone(lane), Arc::clone(under_way));
            tasks.spawn(async move {
                let turn = tokio::select! {
                    biased;
                    () = this.stop.cancelled() => None,
                    turn = lane.acquire_owned() => turn.ok(),
                };
                if turn.is_some() {
                    this.attempt(message).await;
                }
                lock(&under_way).remove(&id);
                drop(turn);
                this.wake.notify_one();
            });
        }
    }

    async fn attempt(&self, message: Message) {
        let config = self.config.load_full();
        let Some(endpoint) = config
            .endpoints
            .iter()
            .find(|endpoint| endpoint.name == message.endpoint)
        else {
            let reason = format!("the config has no [outcome.{}] any more", message.endpoint);
            return self
                .record(attempt_of(&message, self.clock.now(), &reason), Next::Dead { reason })
                .await;
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
        self.record(attempt, next).await;
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
                if let Err(error) = self.store.endpoint_fails(endpoint.clone(), told).await {
                    tracing::error!(endpoint = %endpoint, error = %error, "that it fails could not be told");
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
            Ok(first) if first => tracing::error!(endpoint = %endpoint, reason, "the endpoint is switched off"),
            Ok(_) => {}
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

type UnderWay = Arc<std::sync::Mutex<std::collections::BTreeSet<crate::domain::MessageId>>>;

fn lock(under_way: &UnderWay) -> std::sync::MutexGuard<'_, std::collections::BTreeSet<crate::domain::MessageId>> {
    under_way.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn attempt_of(message: &Message, at: crate::domain::Timestamp, error: &str) -> Attempt {
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
