//! The shell: lets the machine decide, commits, performs, feeds back.
//!
//! One dispatcher owns every run. An event makes the machine decide; what it decided is committed in one transaction
//! with the outgoing messages; only then are the effects performed, by bounded tasks whose results come back as events.
//! Probes are reads, so their results fold in memory and are checkpointed. This is the only module that spawns tasks.

mod agent;
mod before;
mod count;
mod courier;
mod dispatcher;
mod effects;
mod export;
pub(crate) mod handle;
mod heartbeat;
mod input;
mod intake;
mod lanes;
mod lease;
mod live;
mod notices;
mod order;
mod perform;
mod plan;
mod probe;
mod protection;
mod reconcile;
mod record;
mod recovery;
mod reload;
mod services;
mod spans;
mod start;
mod subscribe;
#[cfg(test)]
mod tests;
mod tracer;

pub use agent::{Agent, Decide, Parts, StartError};
pub use handle::{ApprovalError, Approver, Awaiting, CancelError, Handle, OrderError, StartRunError, Started};
pub use notices::test_message;
pub use perform::Platforms;
pub use plan::RunPlan;
pub use probe::{Kept, Looked, Prober, StepLooked, Target, Traced};
pub use services::platforms;
pub use subscribe::subscribe;
