//! Sends spans to whoever keeps traces, in batches. Whoever makes spans never waits for this: while nobody takes them, the queue
//! fills, and what does not fit is dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Telemetry};
use crate::domain::AgentId;
use crate::http::{Client, Trust};
use crate::step::{Request, clean, cut};
use crate::telemetry::Metrics;
use crate::telemetry::traces::{self, Resource, Span, Waiting};

/// How long whoever takes traces has for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// What is read of an answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Attempts at one batch; then it is dropped.
const ATTEMPTS_MAX: u32 = 5;
/// Before the second attempt; twice as long before each further one.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest that `Retry-After` may make us wait.
const AGAIN_MAX: Duration = Duration::from_secs(30);
/// How long sending what is left may take at the end.
const FLUSH_MAX: Duration = Duration::from_secs(5);
/// Characters of what whoever takes traces says that are logged.
const SAID_CHARS_MAX: usize = 200;

/// Sends spans.
pub(super) struct Exporter {
    pub(super) agent: AgentId,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) client: Client,
    pub(super) metrics: Metrics,
    /// Held by whoever sends; one at a time.
    pub(super) state: Mutex<State>,
}

/// What waits, and how it went last.
pub(super) struct State {
    waiting: Waiting,
    well: bool,
}

/// Why a batch was not taken.
#[derive(Debug)]
struct Refused {
    why: String,
    /// It may be taken if it is sent again, after this time at least.
    again: Option<Duration>,
}

impl State {
    pub(super) fn new(waiting: Waiting) -> Self {
        Self { waiting, well: true }
    }
}

impl Exporter {
    /// Sends until stopped. What was not sent then waits for the next who calls this, or for [`Exporter::flush`].
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut state = self.state.lock().await;
        let State { waiting, well } = &mut *state;
        while !stop.is_cancelled() {
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                batch = waiting.next() => batch,
            };
            let Some(sent) = self.send(batch, &stop).await else {
                return;
            };
            self.count(sent, batch.len(), well);
            waiting.done();
        }
    }

    /// Sends what waits, once, and gives up what is not taken soon.
    pub(super) async fn flush(&self) {
        let mut state = self.state.lock().await;
        let State { waiting, well } = &mut *state;
        let all = async {
            while !waiting.now().is_empty() {
                let batch = waiting.now();
                let sent = self.attempt(batch).await;
                self.count(sent, batch.len(), well);
                waiting.done();
            }
        };
        if timeout(FLUSH_MAX, all).await.is_err() {
            let mut left = 0;
            while !waiting.now().is_empty() {
                left += waiting.now().len();
                waiting.done();
            }
            self.metrics.spans_dropped(left);
            tracing::warn!(spans = left, "the last spans were not taken in time and are dropped");
        }
    }

    /// Sends a batch, more than once where that may help; `None` if it was stopped, and the batch is still to be sent.
    async fn send(&self, batch: &[Span], stop: &CancellationToken) -> Option<Result<(), Refused>> {
        let mut wait = AGAIN;
        for attempt in 1.. {
            // What is under way when it is stopped may have been taken; the same spans twice are the same spans.
            let sent = tokio::select! {
                biased;
                sent = self.attempt(batch) => sent,
                () = stop.cancelled() => return None,
            };
            let Err(Refused {
                again: Some(least),
                why,
            }) = sent
            else {
                return Some(sent);
            };
            if attempt >= ATTEMPTS_MAX {
                return Some(Err(Refused { why, again: None }));
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                () = tokio::time::sleep(wait.max(least).min(AGAIN_MAX)) => {}
            }
            wait *= 2;
        }
        None
    }

    async fn attempt(&self, batch: &[Span]) -> Result<(), Refused> {
        let config = self.config.load_full();
        let Some(telemetry) = &config.telemetry else {
            return Err(Refused {
                why: "the config wants no traces any more".to_owned(),
                again: None,
            });
        };
        let answer = self
            .client
            .send(&self.request(telemetry, batch), Trust::Configured)
            .await;
        let answer = answer.map_err(|failure| Refused {
            why: failure.detail,
            again: Some(Duration::ZERO),
        })?;
        match answer.status {
            200..=299 => {
                if let Some((spans, why)) = traces::rejected(&answer.body) {
                    self.metrics
                        .spans_dropped(usize::try_from(spans).unwrap_or(usize::MAX).min(batch.len()));
                    tracing::debug!(spans, why = shown(&why), "spans were refused");
                }
                Ok(())
            }
            // OTLP says which answers may be different the next time.
            status @ (429 | 502 | 503 | 504) => {
                let after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let seconds = after.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                Err(Refused {
                    why: format!("it answered {status}"),
                    again: Some(Duration::from_secs(seconds)),
                })
            }
            status => Err(Refused {
                why: format!("it answered {status}"),
                again: None,
            }),
        }
    }

    fn request(&self, telemetry: &Telemetry, batch: &[Span]) -> Request {
        let resource = Resource {
            service: telemetry.service_name.clone(),
            instance: self.agent.to_string(),
        };
        let mut headers = telemetry.headers.clone();
        headers.push((CONTENT_TYPE, HeaderValue::from_static(traces::CONTENT_TYPE)));
        Request {
            headers,
            body: Some(traces::encode(&resource, batch)),
            body_bytes_max: ANSWER_BYTES_MAX,
            cut_body: true,
            carries_credentials: telemetry.is_secret,
            ..Request::new(Method::POST, telemetry.otlp.clone(), ANSWER_MAX)
        }
    }

    /// Counts what was dropped, and says so when that changes.
    fn count(&self, sent: Result<(), Refused>, spans: usize, well: &mut bool) {
        let config = self.config.load();
        let host = config
            .telemetry
            .as_ref()
            .and_then(|telemetry| telemetry.otlp.host_str());
        match sent {
            Ok(()) => {
                if !*well {
                    tracing::info!(host, "traces are exported again");
                }
                *well = true;
            }
            Err(refused) => {
                self.metrics.spans_dropped(spans);
                if *well {
                    let why = shown(&refused.why);
                    tracing::warn!(
                        host,
                        why,
                        "traces are not exported; their spans are dropped until it works again"
                    );
                }
                *well = false;
            }
        }
    }
}

/// What somebody else said, for the log.
fn shown(text: &str) -> String {
    clean(&cut(text, SAID_CHARS_MAX))
}

#[cfg(test)]
mod tests;
