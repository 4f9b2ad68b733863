//! Spans that wait to be sent: bounded, and nobody who adds one ever waits.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::timeout;

use super::span::Span;
use crate::telemetry::Metrics;

/// Spans that wait; further ones are dropped.
const WAITING_MAX: usize = 8_192;
/// Spans that are sent at once.
pub const BATCH_MAX: usize = 512;
/// How long a span waits for others to be sent with.
const GATHER: Duration = Duration::from_secs(2);

/// Where spans are put. Cheap to clone.
#[derive(Clone)]
pub struct SpanQueue {
    spans: mpsc::Sender<Span>,
    metrics: Metrics,
}

/// Where they are taken out.
pub struct Waiting {
    spans: mpsc::Receiver<Span>,
    /// Taken out and not sent yet.
    batch: Vec<Span>,
}

/// A queue, which counts what it drops.
pub fn queue(metrics: Metrics) -> (SpanQueue, Waiting) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let queue = SpanQueue { spans: sender, metrics };
    let waiting = Waiting {
        spans: receiver,
        batch: Vec::new(),
    };
    (queue, waiting)
}

impl SpanQueue {
    /// Adds a span. Where there is no room it is dropped and counted.
    pub fn push(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.metrics.spans_dropped(1);
        }
    }
}

impl Waiting {
    /// Waits for spans, and then for others that come soon after; of those there is one at least. May be given up at any
    /// moment without losing any. [`Waiting::done`] says that they are done with; until then they come again.
    pub async fn next(&mut self) -> &[Span] {
        while self.batch.is_empty() {
            let room = BATCH_MAX;
            if self.spans.recv_many(&mut self.batch, room).await == 0 {
                // Whoever adds spans is gone, so none will come.
                std::future::pending::<()>().await;
            }
        }
        let gather = async {
            while self.batch.len() < BATCH_MAX {
                let room = BATCH_MAX - self.batch.len();
                if self.spans.recv_many(&mut self.batch, room).await == 0 {
                    break;
                }
            }
        };
        // Fewer are sent too.
        let _ = timeout(GATHER, gather).await;
        &self.batch
    }

    /// What waits now, without waiting for more; empty if nothing does.
    pub fn now(&mut self) -> &[Span] {
        while self.batch.len() < BATCH_MAX {
            match self.spans.try_recv() {
                Ok(span) => self.batch.push(span),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        &self.batch
    }

    /// The spans that were taken out last were sent or given up.
    pub fn done(&mut self) {
        self.batch.clear();
    }
}
