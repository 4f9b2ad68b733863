//! What the warm-up gate's evidence amounts to.

use super::super::event::Place;
use super::super::plan::Plan;
use super::{Conclusion, Judge};
use crate::domain::Timestamp;

impl Judge {
    /// While the gate has not opened: whether it never will.
    pub(super) fn conclude_gate(&self, plan: &Plan, now: Timestamp) -> Option<Conclusion> {
        let gate = &self.gate;
        let said = gate
            .last_failure
            .as_ref()
            .map_or("no answer was seen", |(_, detail)| detail.as_str());
        if gate.is_proven_wrong(now) {
            let reason = format!("the new version answers, and wrongly: {said}");
            return Some(Conclusion::Unhealthy {
                reason,
                failing: vec![Place::Gate],
            });
        }
        // What follows from time alone waits for the answer that is out, or is to be asked for at this very moment.
        let is_open = gate.in_flight.is_some() || gate.next_at <= now;
        if is_open || now < self.warm_up_limit(plan) {
            return None;
        }
        let waited_s = plan.warm_up_ms / 1_000;
        Some(if gate.old_version_last {
            let reason = format!("another version still answered after {waited_s} s: {said}");
            Conclusion::Inconclusive { reason }
        } else if gate.probes == 0 || gate.unknown > gate.probes {
            let reason = format!("the warm-up of {waited_s} s gave no answer that says anything about the deployment");
            Conclusion::Inconclusive { reason }
        } else {
            let reason = format!("not ready after a warm-up of {waited_s} s: {said}");
            Conclusion::Unhealthy {
                reason,
                failing: vec![Place::Gate],
            }
        })
    }
}
