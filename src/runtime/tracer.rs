//! What becomes spans: whether any are wanted, and where they go.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::clock::Clock;
use crate::config::Config;
use crate::domain::Timestamp;
use crate::telemetry::traces::{Span, SpanQueue};

/// Takes spans, where the config in force wants any. Never waits. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tracer {
    config: Arc<ArcSwap<Config>>,
    clock: Clock,
    spans: SpanQueue,
}

impl Tracer {
    pub(super) fn new(config: Arc<ArcSwap<Config>>, clock: Clock, spans: SpanQueue) -> Self {
        Self { config, clock, spans }
    }

    /// Whether spans are wanted.
    pub(super) fn is_on(&self) -> bool {
        self.config.load().telemetry.is_some()
    }

    /// The moment, as spans have it.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes spans, which are dropped if nobody wants them.
    pub(super) fn take(&self, spans: impl IntoIterator<Item = Span>) {
        let mut spans = spans.into_iter().peekable();
        if spans.peek().is_some() && self.is_on() {
            spans.for_each(|span| self.spans.push(span));
        }
    }
}
