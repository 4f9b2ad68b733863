//! The table of metrics: each with its name, its labels and what it says.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::words::{Action, Answer, AttemptResult, Renewal, RollbackResult};
use crate::domain::{Class, Verdict};

/// In seconds. A dead deployment takes the whole warm-up, a good one 40 s.
const DECISION_BUCKETS: [f64; 11] = [5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 600.0, 1_800.0];
/// In seconds. An `fsync` takes about a millisecond.
const STORE_BUCKETS: [f64; 11] = [0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// In seconds. A receiver has 10 s.
const ATTEMPT_BUCKETS: [f64; 8] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

macro_rules! labels {
    ($($name:ident { $($label:ident: $kind:ty),+ })+) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name { $(pub(super) $label: $kind,)+ }
    )+};
}

labels! {
    DeliveryLabels { platform: String, answer: Answer }
    RunLabels { verdict: &'static str, action: Action }
    VerdictLabels { verdict: &'static str }
    ProbeLabels { class: &'static str }
    AppLabels { app: String, check: String }
    RollbackLabels { result: RollbackResult }
    GuardLabels { guard: &'static str }
    NeedLabels { needs: &'static str, platform: String }
    EndpointLabels { endpoint: String }
    ResultLabels { endpoint: String, result: AttemptResult }
    StoreLabels { operation: &'static str }
    RenewalLabels { result: Renewal }
}

type Times<L> = Family<L, Histogram, fn() -> Histogram>;
type Float = Gauge<f64, AtomicU64>;

fn decision_times() -> Histogram {
    Histogram::new(DECISION_BUCKETS)
}

fn store_times() -> Histogram {
    Histogram::new(STORE_BUCKETS)
}

fn attempt_times() -> Histogram {
    Histogram::new(ATTEMPT_BUCKETS)
}

/// The table: how it is registered (`plain`, or with its unit), its field, its name without prefix and suffixes, what it says.
macro_rules! families {
    ($($unit:ident $field:ident: $kind:ty = $name:literal, $help:literal, $made:expr;)+) => {
        pub(super) struct Families {
            pub(super) registry: Registry,
            pub(super) started_at: Gauge,
            $(pub(super) $field: $kind,)+
        }

        impl Families {
            fn registered(mut registry: Registry, started_at: Gauge) -> Self {
                let mut ours = Ours(registry.sub_registry_with_prefix("backstop"));
                ours.0.register("build", "The version that runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
                $(let $field: $kind = ours.$unit($name, $help, $made);)+
                Self { registry, started_at, $($field,)+ }
            }
        }
    };
}

families! {
    plain deliveries: Family<DeliveryLabels, Counter> =
        "deliveries", "Received deliveries, by platform and answer", Family::default();
    plain under_way: Gauge = "runs_under_way", "Runs that this agent has under way", Gauge::default();
    plain runs: Family<RunLabels, Counter> = "runs", "Runs that ended, by verdict and by what was done", Family::default();
    seconds decisions: Times<VerdictLabels> =
        "decision_duration", "From hearing that a deployment is live to a verdict on it",
        Family::new_with_constructor(decision_times);
    plain probes: Family<ProbeLabels, Counter> =
        "probes", "Probes, by what they say about the deployment", Family::default();
    ratio budget_left: Family<AppLabels, Float> =
        "budget_left", "Least share of a check's budget that is left in a run under way, by app and check", Family::default();
    plain rollbacks: Family<RollbackLabels, Counter> =
        "rollbacks", "Rollbacks, by result; withheld ones too", Family::default();
    plain guards: Family<GuardLabels, Counter> =
        "guards_withheld", "Rollbacks withheld, by the guard that did", Family::default();
    plain protected: Family<NeedLabels, Gauge> =
        "protected", "1 if what a rollback needs is there, 0 if not", Family::default();
    plain outbox_depth: Family<EndpointLabels, Gauge> =
        "outbox_depth", "Messages that are not delivered yet", Family::default();
    seconds outbox_age: Family<EndpointLabels, Float> =
        "outbox_oldest_age", "How long the oldest message has waited to be delivered", Family::default();
    plain endpoint_on: Family<EndpointLabels, Gauge> =
        "endpoint_on", "1 if the endpoint is sent to, 0 if it is switched off", Family::default();
    plain endpoint_failures: Family<EndpointLabels, Gauge> =
        "endpoint_failures", "Attempts in a row that failed", Family::default();
    plain attempts: Family<ResultLabels, Counter> =
        "outcome_attempts", "Attempts to deliver a message, by result", Family::default();
    seconds attempt_times: Times<EndpointLabels> =
        "outcome_attempt_duration", "How long an attempt to deliver a message took",
        Family::new_with_constructor(attempt_times);
    seconds store_times: Times<StoreLabels> =
        "store_operation_duration", "How long the store took, waiting included",
        Family::new_with_constructor(store_times);
    plain store_commits: Counter = "store_commits", "Transactions of the store", Counter::default();
    plain renewals: Family<RenewalLabels, Counter> =
        "lease_renewals", "Tries to renew the agent's lease, by result", Family::default();
    plain taken_over: Counter = "runs_taken_over", "Runs taken over from an agent that is gone", Counter::default();
    plain refused: Counter =
        "decisions_refused", "Decisions that did not hold, because another agent decided first", Counter::default();
    plain spans_dropped: Counter =
        "spans_dropped", "Spans of traces that were not exported: no room, refused, or nobody to take them", Counter::default();
}

impl Families {
    pub(super) fn new() -> Self {
        let mut registry = Registry::default();
        let started_at = Gauge::default();
        registry.register_with_unit(
            "process_start_time",
            "When the process started, since the Unix epoch",
            Unit::Seconds,
            started_at.clone(),
        );
        Self::registered(registry, started_at)
    }

    /// What is from a small closed set is there from the start, so that the first of a kind is an increase.
    pub(super) fn count_from_zero(&self) {
        for class in [Class::Pass, Class::Slow, Class::Unready, Class::Broken, Class::Unknown].map(Class::as_str) {
            drop(self.probes.get_or_create(&ProbeLabels { class }));
        }
        for verdict in [
            Verdict::Healthy,
            Verdict::Degraded,
            Verdict::Unhealthy,
            Verdict::Inconclusive,
        ] {
            let verdict = verdict.as_str();
            drop(self.decisions.get_or_create(&VerdictLabels { verdict }));
        }
        for result in [
            RollbackResult::Succeeded,
            RollbackResult::Failed,
            RollbackResult::Unconfirmed,
            RollbackResult::Withheld,
        ] {
            drop(self.rollbacks.get_or_create(&RollbackLabels { result }));
        }
        for result in [Renewal::Held, Renewal::Failed] {
            drop(self.renewals.get_or_create(&RenewalLabels { result }));
        }
    }
}

/// Registers under our prefix.
struct Ours<'a>(&'a mut Registry);

impl Ours<'_> {
    fn plain<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    fn seconds<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register_with_unit(name, help, Unit::Seconds, metric.clone());
        metric
    }

    fn ratio<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0
            .register_with_unit(name, help, Unit::Other("ratio".to_owned()), metric.clone());
        metric
    }
}
