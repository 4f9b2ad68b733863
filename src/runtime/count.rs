//! What a turn, and a run's end, add to metrics and traces.

use super::dispatcher::Dispatcher;
use super::live::Live;
use super::spans;
use super::tracer::Tracer;
use crate::domain::{RunId, Timestamp};
use crate::machine::{Advance, Guard, Subject};
use crate::telemetry::{Metrics, OTHER};

/// Counts what `decided` adds to `live`: a verdict, and what probes left of the budgets; and notes what that ends.
pub(super) fn turned(metrics: &Metrics, tracer: &Tracer, live: &mut Live, decided: &Advance, now: Timestamp) {
    let state = &decided.state;
    if let Some(verdict) = state.verdict.filter(|_| state.verdict != live.state.verdict) {
        metrics.decided(verdict, now.ms_since(state.live_at));
    }
    for probe in decided.journal.iter().filter_map(|entry| entry.probe.as_deref()) {
        if probe.subject == Subject::Deployment && probe.budget_max > 0 {
            let left = f64::from(probe.budget_to) / f64::from(probe.budget_max);
            metrics.budget(&state.id, app_label(live), &probe.check, left);
        }
    }
    if tracer.is_on() {
        let ended = spans::turned(live, state, now);
        live.pending.spans.extend(ended);
    }
}

/// The app's name, if a policy is for apps by name and for this one.
fn app_label(live: &Live) -> &str {
    let deployment = live.state.deployment.as_ref();
    let named = deployment.filter(|deployment| live.plan.config.policy_names(deployment));
    named.map_or(OTHER, |deployment| deployment.app.as_str())
}

impl Dispatcher {
    /// A run came to its end, and that is committed.
    pub(super) fn ended(&mut self, run: &RunId) {
        if let Some(live) = self.runs.get(run) {
            let verdict = live.state.verdict.map_or("none", |verdict| verdict.as_str());
            let action = live.state.action.as_deref().unwrap_or("none");
            let reason = live.state.reason.as_deref().unwrap_or("");
            let guard = live.state.held_by.map(Guard::as_str);
            self.metrics.run_ended(verdict, action, guard);
            tracing::info!(run.id = %run, verdict, action, reason, "the run ended");
            if self.performer.tracer.is_on() {
                self.performer.tracer.take([spans::ended(live)]);
            }
        }
        self.forget(run);
    }
}
