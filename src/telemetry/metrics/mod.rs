//! Metrics, by the conventions of <https://prometheus.io/docs/practices/naming/>: prefix `backstop_`, `_total` on
//! counters, labels from closed sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::domain::{Class, PlatformName};

/// The platform label of a request that names no platform of the config.
const PLATFORM_UNKNOWN: &str = "unknown";

macro_rules! label_values {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// The word as counted.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value of this word.
            pub fn of(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
                EncodeLabelValue::encode(&self.as_str(), encoder)
            }
        }
    )+};
}

label_values! {
    /// How a received delivery was answered.
    Answer {
        /// 202: stored.
        Accepted = "accepted",
        /// 200: stored before.
        Duplicate = "duplicate",
        /// 400: verified, but not JSON.
        NotJson = "not_json",
        /// 401: the signature, its timestamp or the secret does not hold.
        Unverified = "unverified",
        /// 404: no such platform.
        UnknownPlatform = "unknown_platform",
        /// 408: the body did not arrive in time.
        TooSlow = "too_slow",
        /// 401: the signature holds, but was made too long ago or too far in the future.
        Late = "late",
        /// 413: the body is over the limit.
        TooLarge = "too_large",
        /// 415: the body is encoded.
        Encoded = "encoded",
        /// 429: unverified, and the sender has sent too many of those.
        Limited = "limited",
        /// 503: the store could not take it.
        StoreTrouble = "store_trouble",
        /// 400: the connection broke, or the body was not what its framing said.
        BadRequest = "bad_request",
    }

    /// What a run did in the end.
    Action {
        /// Nothing was to be done.
        None = "none",
        /// Rolled back, and verified.
        RolledBack = "rolled back",
        /// Unhealthy, and left live for a reason.
        Withheld = "withheld",
        /// The rollback did not happen, or what it restored is bad too.
        RollbackFailed = "rollback failed",
        /// It is not known whether the rollback happened or helped.
        RollbackUnconfirmed = "rollback unconfirmed",
        /// A person ended it.
        Cancelled = "cancelled",
        /// A newer deployment took over.
        Superseded = "superseded",
        /// There was nothing to judge.
        Dismissed = "dismissed",
        /// A word that is not in this list.
        Other = "other",
    }

    /// What came of a rollback.
    RollbackResult {
        /// The target is current and passed the checks.
        Succeeded = "succeeded",
        /// It did not happen, or what it restored is bad too.
        Failed = "failed",
        /// It is not known whether it happened or helped.
        Unconfirmed = "unconfirmed",
        /// A guard withheld it.
        Withheld = "withheld",
    }
}

impl Action {
    /// The rollback's result that this action implies.
    const fn rollback(self) -> Option<RollbackResult> {
        match self {
            Self::RolledBack => Some(RollbackResult::Succeeded),
            Self::RollbackFailed => Some(RollbackResult::Failed),
            Self::RollbackUnconfirmed => Some(RollbackResult::Unconfirmed),
            Self::Withheld => Some(RollbackResult::Withheld),
            Self::None | Self::Cancelled | Self::Superseded | Self::Dismissed | Self::Other => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabels {
    platform: String,
    answer: Answer,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    verdict: &'static str,
    action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProbeLabels {
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RollbackLabels {
    result: RollbackResult,
}

/// Everything that is counted. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    deliveries: Family<DeliveryLabels, Counter>,
    runs: Family<RunLabels, Counter>,
    probes: Family<ProbeLabels, Counter>,
    rollbacks: Family<RollbackLabels, Counter>,
    outbox_depth: Gauge<u64, AtomicU64>,
    store_commits: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("backstop");
        let deliveries = Family::default();
        let runs = Family::default();
        let probes = Family::default();
        let rollbacks = Family::default();
        let outbox_depth = Gauge::default();
        let store_commits = Counter::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register(
            "deliveries",
            "Received deliveries by platform and answer",
            deliveries.clone(),
        );
        registry.register("runs", "Runs that ended, by verdict and by what was done", runs.clone());
        registry.register("probes", "Probes by what they say about the deployment", probes.clone());
        registry.register("rollbacks", "Rollbacks by result; withheld ones too", rollbacks.clone());
        registry.register(
            "outbox_depth",
            "Messages that are not delivered yet",
            outbox_depth.clone(),
        );
        registry.register(
            "store_commits",
            "Transactions of the store since the start",
            store_commits.clone(),
        );
        registry.register("build", "The version that runs", build);
        Self(Arc::new(Inner {
            registry,
            deliveries,
            runs,
            probes,
            rollbacks,
            outbox_depth,
            store_commits,
        }))
    }

    /// Counts an answered delivery. `platform` is `None` where the config has no such platform: its name came from
    /// outside, and labels are bounded.
    pub fn delivery(&self, platform: Option<&PlatformName>, answer: Answer) {
        let platform = platform.map_or(PLATFORM_UNKNOWN, PlatformName::as_str).to_owned();
        self.0
            .deliveries
            .get_or_create(&DeliveryLabels { platform, answer })
            .inc();
    }

    /// Counts a run that ended, and its rollback if there was one to make. `verdict` is the word of a
    /// [`crate::domain::Verdict`] or `none`; other words count as `none`, other actions as `other`.
    pub fn run_ended(&self, verdict: &str, action: &str) {
        let verdict = match verdict {
            "healthy" => "healthy",
            "degraded" => "degraded",
            "unhealthy" => "unhealthy",
            "inconclusive" => "inconclusive",
            _ => "none",
        };
        let action = Action::of(action).unwrap_or(Action::Other);
        self.0.runs.get_or_create(&RunLabels { verdict, action }).inc();
        if let Some(result) = action.rollback() {
            self.0.rollbacks.get_or_create(&RollbackLabels { result }).inc();
        }
    }

    /// Counts a probe.
    pub fn probe(&self, class: Class) {
        let class = match class {
            Class::Pass => "pass",
            Class::Slow => "slow",
            Class::Unready => "unready",
            Class::Broken => "broken",
            Class::Unknown => "unknown",
        };
        self.0.probes.get_or_create(&ProbeLabels { class }).inc();
    }

    /// Says how many messages are not delivered yet.
    pub fn set_outbox_depth(&self, messages: u64) {
        self.0.outbox_depth.set(messages);
    }

    /// Says how many transactions the store has committed.
    pub fn set_store_commits(&self, commits: u64) {
        self.0.store_commits.inner().store(commits, Ordering::Relaxed);
    }

    /// Everything in the OpenMetrics text format.
    ///
    /// # Errors
    /// Never in practice: writing to a string does not fail.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut page = String::new();
        text::encode(&mut page, &self.0.registry)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_everything() {
        let metrics = Metrics::new();
        metrics.delivery(Some(&PlatformName::new("temps")), Answer::Accepted);
        metrics.delivery(None, Answer::UnknownPlatform);
        metrics.run_ended("unhealthy", "rolled back");
        metrics.probe(Class::Broken);
        metrics.set_outbox_depth(3);
        metrics.set_store_commits(7);
        let mut lines: Vec<String> = metrics.encode().unwrap().lines().map(str::to_owned).collect();
        lines.retain(|line| !line.starts_with("# HELP"));
        lines.sort();
        let version = env!("CARGO_PKG_VERSION");
        insta::assert_snapshot!(lines.join("\n").replace(version, "VERSION"), @r#"
        # EOF
        # TYPE backstop_build info
        # TYPE backstop_deliveries counter
        # TYPE backstop_outbox_depth gauge
        # TYPE backstop_probes counter
        # TYPE backstop_rollbacks counter
        # TYPE backstop_runs counter
        # TYPE backstop_store_commits counter
        backstop_build_info{version="VERSION"} 1
        backstop_deliveries_total{platform="temps",answer="accepted"} 1
        backstop_deliveries_total{platform="unknown",answer="unknown_platform"} 1
        backstop_outbox_depth 3
        backstop_probes_total{class="broken"} 1
        backstop_rollbacks_total{result="succeeded"} 1
        backstop_runs_total{verdict="unhealthy",action="rolled back"} 1
        backstop_store_commits_total 7
        "#);
    }

    #[test]
    fn words_from_elsewhere_do_not_become_labels() {
        let metrics = Metrics::new();
        for number in 0..1_000 {
            metrics.run_ended(&format!("verdict {number}"), &format!("action {number}"));
        }
        let page = metrics.encode().unwrap();
        assert!(
            page.contains(r#"backstop_runs_total{verdict="none",action="other"} 1000"#),
            "{page}"
        );
    }
}
