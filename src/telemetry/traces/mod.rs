//! Traces, by OpenTelemetry: a run is one trace, which is sent by OTLP over HTTP to whoever keeps traces.
//!
//! Everything that names a span comes from the run's own id, so whichever agent has the run continues the same trace, and
//! nothing needs to be stored. Nobody ever waits here: what does not fit into the queue is dropped and counted.

mod ids;
mod otlp;
mod queue;
mod span;
#[cfg(test)]
mod tests;

pub use ids::{SpanId, TRACEPARENT, TraceId, traceparent};
pub use otlp::{CONTENT_TYPE, Resource, encode, rejected};
pub use queue::{BATCH_MAX, SpanQueue, Waiting, queue};
pub use span::{Kind, Span, Value};
