//! How verdicts and alarms went over the last weeks.

use serde::Serialize;
use utoipa::ToSchema;

use super::{Alarm, is_good};
use crate::domain::{JudgedRun, Timestamp, rfc3339};

/// Weeks looked back on.
pub const WEEKS_MAX: usize = 12;
const WEEK_MS: i64 = 7 * 24 * 3_600_000;
/// The first Monday of 1970.
const MONDAY_MS: i64 = 4 * 24 * 3_600_000;

/// A week, from Monday on, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Week {
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub begins_at: Timestamp,
    /// Runs that ended healthy or degraded in it.
    pub healthy: usize,
    /// Deployments found bad in it.
    pub alarms: usize,
    /// Those of the alarms that were false, as far as it is known.
    pub false_alarms: usize,
}

/// The number of the week that a moment is in.
fn number(at: Timestamp) -> i64 {
    (at.as_millis() - MONDAY_MS).div_euclid(WEEK_MS)
}

/// Oldest first: up to this week, from the week of the oldest run on, but no more than [`WEEKS_MAX`].
pub(super) fn weeks(runs: &[JudgedRun], alarms: &[Alarm], now: Timestamp) -> Vec<Week> {
    let last = number(now);
    let Some(oldest) = runs.iter().map(|run| number(run.ended_at)).min() else {
        return Vec::new();
    };
    let first = oldest.max(last - WEEKS_MAX as i64 + 1);
    let week = |number: i64| Week {
        begins_at: Timestamp::from_millis(MONDAY_MS + number * WEEK_MS),
        healthy: 0,
        alarms: 0,
        false_alarms: 0,
    };
    let mut weeks: Vec<Week> = (first..=last).map(week).collect();
    let place = |at: Timestamp| usize::try_from(number(at) - first).ok();
    for run in runs.iter().filter(|run| is_good(run)) {
        if let Some(week) = place(run.ended_at).and_then(|at| weeks.get_mut(at)) {
            week.healthy += 1;
        }
    }
    for alarm in alarms {
        if let Some(week) = place(alarm.at).and_then(|at| weeks.get_mut(at)) {
            week.alarms += 1;
            week.false_alarms += usize::from(alarm.was_right == Some(false));
        }
    }
    weeks
}
