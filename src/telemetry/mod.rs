//! What the agent says about itself: logs on standard error, metrics for Prometheus, and traces for OpenTelemetry.
//!
//! A log line is readable alone and carries fields: one dotted name per thing (`run.id`), units in names, an error
//! logged once where it is handled, never a secret. A metric's labels come from closed sets, or from names that the config
//! has: platforms, endpoints, checks, apps that a policy names.

mod logs;
mod metrics;
pub mod traces;

pub use logs::{FILTER_VARIABLE, Format, init};
pub use metrics::{
    Action, Answer, AttemptResult, EndpointStanding, Form as MetricsForm, Metrics, OTHER, Renewal, RollbackResult,
    Standing,
};
