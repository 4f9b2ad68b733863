//! Metrics, by the conventions of <https://prometheus.io/docs/practices/naming/>: prefix `backstop_`, `_total` on
//! counters, base units, labels from closed sets. `docs/metrics.md` lists them; a test holds it to what is here.

mod budgets;
mod exposition;
mod families;
mod words;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text;

use budgets::Budgets;
pub use exposition::Form;
use families::{
    AppLabels, DeliveryLabels, EndpointLabels, Families, GuardLabels, NeedLabels, ProbeLabels, RenewalLabels,
    ResultLabels, RollbackLabels, RunLabels, StoreLabels, VerdictLabels,
};
pub use words::{Action, Answer, AttemptResult, Renewal, RollbackResult};

use crate::domain::{Class, EndpointName, PlatformName, RunId, Timestamp, Verdict};

/// The platform label of a request that names no platform of the config.
const PLATFORM_UNKNOWN: &str = "unknown";

/// The label of every app that no policy of the config names, and of endpoints that are not in it any more.
pub const OTHER: &str = "other";

/// Everything that is counted. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    families: Families,
    /// Also keeps two that ask at once from mixing what each of them read.
    budgets: Mutex<Budgets>,
}

/// How an endpoint stands when somebody asks.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointStanding {
    /// Its name, or [`OTHER`].
    pub name: String,
    /// Messages that wait.
    pub queued: u64,
    /// How long the oldest of them has waited.
    pub oldest: Duration,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// It is not switched off.
    pub is_on: bool,
}

/// What is not counted but read when somebody asks.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The endpoints; empty if they could not be read.
    pub endpoints: Vec<EndpointStanding>,
    /// What a rollback needs, of which platform if it is one, and whether it is there; empty if it could not be read.
    pub protected: Vec<(&'static str, String, bool)>,
    /// Transactions that the store has committed.
    pub store_commits: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let families = Families::new();
        families.count_from_zero();
        Self(Arc::new(Inner {
            families,
            budgets: Mutex::default(),
        }))
    }

    /// Says when the process started, by the wall clock.
    pub fn started(&self, at: Timestamp) {
        self.0.families.started_at.set(at.as_secs());
    }

    /// Says which guards there are, so that each is counted from zero.
    pub fn know_guards(&self, guards: impl IntoIterator<Item = &'static str>) {
        for guard in guards {
            drop(self.0.families.guards.get_or_create(&GuardLabels { guard }));
        }
    }

    /// Counts an answered delivery. `platform` is `None` where the config has no such platform: its name came from
    /// outside, and labels are bounded.
    pub fn delivery(&self, platform: Option<&PlatformName>, answer: Answer) {
        let platform = platform.map_or(PLATFORM_UNKNOWN, PlatformName::as_str).to_owned();
        let labels = DeliveryLabels { platform, answer };
        self.0.families.deliveries.get_or_create(&labels).inc();
    }

    /// Says how many runs this agent has under way.
    pub fn set_runs_under_way(&self, runs: usize) {
        self.0.families.under_way.set(i64::try_from(runs).unwrap_or(i64::MAX));
    }

    /// Counts a run that ended, its rollback if there was one to make, and the guard that withheld it. `verdict` is the word
    /// of a [`Verdict`] or `none`; other words count as `none`, other actions as `other`. `guard` is from a closed set.
    pub fn run_ended(&self, verdict: &str, action: &str, guard: Option<&'static str>) {
        let verdict = match verdict {
            "healthy" => "healthy",
            "degraded" => "degraded",
            "unhealthy" => "unhealthy",
            "inconclusive" => "inconclusive",
            _ => "none",
        };
        let action = Action::of(action).unwrap_or(Action::Other);
        let families = &self.0.families;
        families.runs.get_or_create(&RunLabels { verdict, action }).inc();
        if let Some(result) = action.rollback() {
            families.rollbacks.get_or_create(&RollbackLabels { result }).inc();
        }
        if let Some(guard) = guard {
            families.guards.get_or_create(&GuardLabels { guard }).inc();
        }
    }

    /// Counts a verdict, and how long it took from when the deployment was heard to be live.
    pub fn decided(&self, verdict: Verdict, took_ms: u64) {
        let verdict = verdict.as_str();
        let times = &self.0.families.decisions;
        times
            .get_or_create(&VerdictLabels { verdict })
            .observe(seconds(took_ms));
    }

    /// Counts a probe.
    pub fn probe(&self, class: Class) {
        let class = class.as_str();
        self.0.families.probes.get_or_create(&ProbeLabels { class }).inc();
    }

    /// Keeps which share of its budget `check` of a run under way has left. `app` is [`OTHER`] unless a policy names it.
    pub fn budget(&self, run: &RunId, app: &str, check: &str, left: f64) {
        self.budgets().keep(run, app, check, left);
    }

    /// A run is not under way here any more.
    pub fn run_gone(&self, run: &RunId) {
        self.budgets().forget(run);
    }

    /// Counts an attempt to deliver a message to an endpoint of the config.
    pub fn attempt(&self, endpoint: &EndpointName, result: AttemptResult, took_ms: u32) {
        let (endpoint, families) = (endpoint.to_string(), &self.0.families);
        let labels = ResultLabels {
            endpoint: endpoint.clone(),
            result,
        };
        families.attempts.get_or_create(&labels).inc();
        let times = families.attempt_times.get_or_create(&EndpointLabels { endpoint });
        times.observe(seconds(took_ms.into()));
    }

    /// Counts what the store was asked; `operation` is from a closed set.
    pub fn store(&self, operation: &'static str, took: Duration) {
        let times = self.0.families.store_times.get_or_create(&StoreLabels { operation });
        times.observe(took.as_secs_f64());
    }

    /// Counts a try to renew the agent's lease.
    pub fn lease(&self, result: Renewal) {
        self.0.families.renewals.get_or_create(&RenewalLabels { result }).inc();
    }

    /// Counts runs that were taken over from an agent that is gone.
    pub fn runs_taken_over(&self, runs: usize) {
        let runs = u64::try_from(runs).unwrap_or(u64::MAX);
        self.0.families.taken_over.inc_by(runs);
    }

    /// Counts a decision that did not hold, because another agent decided first.
    pub fn decision_refused(&self) {
        self.0.families.refused.inc();
    }

    /// Counts spans that were not exported.
    pub fn spans_dropped(&self, spans: usize) {
        let spans = u64::try_from(spans).unwrap_or(u64::MAX);
        self.0.families.spans_dropped.inc_by(spans);
    }

    /// Everything in the text format that is asked for.
    ///
    /// # Errors
    /// Never in practice: writing to a string does not fail.
    pub fn encode(&self, standing: &Standing, form: Form) -> Result<String, std::fmt::Error> {
        let budgets = self.budgets();
        self.show(standing, &budgets);
        let mut page = String::new();
        text::encode(&mut page, &self.0.families.registry)?;
        Ok(match form {
            Form::OpenMetrics => page,
            Form::Prometheus => exposition::prometheus(&page),
        })
    }

    fn show(&self, standing: &Standing, budgets: &Budgets) {
        let families = &self.0.families;
        families.budget_left.clear();
        for ((app, check), left) in budgets.worst() {
            families.budget_left.get_or_create(&AppLabels { app, check }).set(left);
        }
        families.outbox_depth.clear();
        families.outbox_age.clear();
        families.endpoint_failures.clear();
        families.endpoint_on.clear();
        for endpoint in &standing.endpoints {
            let labels = EndpointLabels {
                endpoint: endpoint.name.clone(),
            };
            let queued = i64::try_from(endpoint.queued).unwrap_or(i64::MAX);
            families.outbox_depth.get_or_create(&labels).set(queued);
            let age = endpoint.oldest.as_secs_f64();
            families.outbox_age.get_or_create(&labels).set(age);
            families
                .endpoint_failures
                .get_or_create(&labels)
                .set(endpoint.failures.into());
            families.endpoint_on.get_or_create(&labels).set(endpoint.is_on.into());
        }
        families.protected.clear();
        for (needs, platform, is_there) in &standing.protected {
            let labels = NeedLabels {
                needs,
                platform: platform.clone(),
            };
            families.protected.get_or_create(&labels).set((*is_there).into());
        }
        let commits = families.store_commits.inner();
        commits.store(standing.store_commits, Ordering::Relaxed);
    }

    fn budgets(&self) -> std::sync::MutexGuard<'_, Budgets> {
        self.0.budgets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of days are exact")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
