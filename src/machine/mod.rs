//! The machine: from a run's state and an event to its next state and what is to be done.
//!
//! Pure and synchronous: no clock, randomness, I/O or async. Time, seeds and ids are arguments, effects are data. The
//! caller commits what [`advance`] returns before it performs the effects, and feeds their results back as events.
//!
//! A run goes through [`state::Phase`]: *confirming* what the platform says of the deployment, *judging* it (warm-up,
//! evidence, watch), asking the *guards*, *calling* the platform, *settling* until the target is current, *verifying*
//! what was restored, *done*. At most one of identify, look and call is in flight; its answer carries the sequence
//! number it was asked with, and any other answer is dropped as stale.
#![deny(clippy::wildcard_enum_match_arm, clippy::unwrap_used, clippy::expect_used)]

mod act;
mod advance;
mod approve;
mod attribute;
mod compare;
mod confirm;
mod event;
mod guard;
mod judge;
mod judging;
mod latency;
mod look;
mod plan;
mod state;
mod tell;
#[cfg(test)]
mod tests;
mod track;
mod verify;

pub use advance::advance;
pub use event::{
    Advance, Controls, Effect, Entry, EntryKind, Event, Facts, Known, Place, ProbeEntry, Record, Subject, WakeReason,
};
pub use guard::{Guard, OFFLINE, WARM_UP};
pub use judge::{Conclusion, Judge};
pub use latency::{TIMES_MAX, Times};
pub use plan::{CheckPlan, Limits, Plan, TimeBound};
pub use state::{Began, DISMISSED, DRILL, DRILL_WITHHELD, DRILLED, LookFor, Phase, RunState};
pub use track::Track;
