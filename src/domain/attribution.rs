//! What tells whether a failure is the deployment's doing.

use super::{CheckName, Reason, Timestamp};

/// What a check saw of the version before, while the deployment was on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The check.
    pub check: CheckName,
    /// The hash of its form then.
    pub form: String,
    /// Looks that count.
    pub probes: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Why the last one failed.
    pub reason: Option<Reason>,
    /// When it was looked at last.
    pub at: Timestamp,
}

/// How long a check's good answers took in earlier deployments that are known to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimesBefore {
    /// The check.
    pub check: CheckName,
    /// The hash of its form.
    pub form: String,
    /// The times, in milliseconds.
    pub times_ms: Vec<u32>,
}

/// The apps that are watched over, and which of them are failing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    /// Apps, each in one environment, that have a known-good version; with the one that asks.
    pub enrolled: usize,
    /// When each of the others, if it had a known-good version, was last found bad, within a day.
    pub failing_at: Vec<Timestamp>,
}

/// Apps that fail together are not one deployment's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetBrake {
    /// The share of the enrolled apps, in percent, 1 to 100.
    pub share_percent: u32,
    /// Within this time.
    pub window_ms: u64,
}

/// Fewer apps than this failing together are chance.
const FLEET_MIN: usize = 3;

impl FleetBrake {
    /// Whether it is on, with `failing` of `enrolled` apps failing within its window.
    pub fn is_on(self, failing: usize, enrolled: usize) -> bool {
        let share = usize::try_from(self.share_percent).unwrap_or(usize::MAX);
        failing >= FLEET_MIN && failing * 100 >= enrolled.max(failing) * share
    }

    /// How many of `failing_at` are within its window before `now`.
    pub fn within(self, failing_at: &[Timestamp], now: Timestamp) -> usize {
        let within = |at: &&Timestamp| now.ms_since(**at) <= self.window_ms;
        failing_at.iter().filter(within).count()
    }

    /// The stricter of both, part by part.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        Self {
            share_percent: self.share_percent.min(other.share_percent),
            window_ms: self.window_ms.max(other.window_ms),
        }
    }
}
