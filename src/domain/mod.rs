//! The words that every module shares: ids, deployments, observations, verdicts, outcomes.
//!
//! Plain data that every other module shares. Nothing here does I/O, reads a clock or knows a file format; the types
//! derive `serde` only because a run's state is stored as what it is.

mod attribution;
mod deploy;
mod glob;
mod id;
mod observation;
mod outcome;
mod retention;
mod share;
mod time;
mod trust;
mod verdict;

pub use attribution::{Before, Fleet, FleetBrake, TimesBefore};
pub use deploy::{AppKey, AppPlace, CallAnswer, Commit, Deployment, DeploymentState, Heard, HeardEvent, Standing};
pub use glob::Glob;
pub use id::{
    AgentId, CheckName, DeliveryId, DeploymentId, EndpointName, EnvironmentId, MessageId, PlatformName, ProjectId,
    RunId,
};
pub use observation::{Class, Identity, Observation, Reason, Timing};
pub use outcome::{Approval, CheckReport, Notice, Outcome, OutcomeEvent, RollbackReport};
pub use retention::Retention;
pub use share::Share;
pub use time::{Moment, Timestamp, rfc3339};
pub use trust::{JudgedRun, Label};
pub use verdict::{Mode, Severity, Verdict};
