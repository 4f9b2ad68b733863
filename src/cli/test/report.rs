//! What a test saw, as plain data for every format. All text in it is redacted.

use serde::Serialize;

use crate::cli::Exit;
use crate::domain::Severity;

/// What a test saw.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Where the deployment answers.
    pub(super) url: String,
    pub(super) app: String,
    pub(super) env: String,
    pub(super) elapsed_ms: u64,
    pub(super) checks: Vec<CheckReport>,
}

/// What was seen of one check.
#[derive(Debug, Serialize)]
pub(super) struct CheckReport {
    pub(super) check: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    pub(super) result: Verdict,
    pub(super) severity: Severity,
    pub(super) reason: Option<&'static str>,
    pub(super) detail: String,
    /// How often it was looked at.
    pub(super) looks: u32,
    pub(super) latency_ms: Option<u32>,
    pub(super) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) http_version: Option<String>,
    /// Its requests, where it is more than one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<StepReport>,
    /// A command that repeats what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) curl: Option<String>,
}

/// What was seen of one request.
#[derive(Debug, Serialize)]
pub(super) struct StepReport {
    pub(super) step: String,
    pub(super) result: Verdict,
    pub(super) detail: String,
    pub(super) latency_ms: u32,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Everything held.
    Pass,
    /// What should hold did not, or a check failed that never rolls back.
    Degraded,
    /// It passed only when it was looked at again.
    Flaky,
    /// What must hold did not.
    Fail,
    /// It was not looked at: what it needs did not pass.
    Skipped,
    /// It could not be told.
    Unknown,
}

impl Verdict {
    /// Every verdict, the worst first.
    pub(super) const ALL: [Self; 6] = [
        Self::Fail,
        Self::Unknown,
        Self::Skipped,
        Self::Degraded,
        Self::Flaky,
        Self::Pass,
    ];

    /// The word for it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Degraded => "degraded",
            Self::Flaky => "flaky",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }
}

impl Report {
    /// How many checks came to `verdict`.
    pub(super) fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.result == verdict).count()
    }

    /// `12 checks: 1 fail, 11 pass, in 0.4 s`.
    pub(super) fn summary(&self) -> String {
        let counts: Vec<String> = Verdict::ALL
            .into_iter()
            .filter(|verdict| self.count(*verdict) > 0)
            .map(|verdict| format!("{} {}", self.count(verdict), verdict.as_str()))
            .collect();
        let checks = self.checks.len();
        let s = if checks == 1 { "" } else { "s" };
        let seconds = self.elapsed_ms as f64 / 1_000.0;
        format!("{checks} check{s}: {}, in {seconds:.2} s", counts.join(", "))
    }

    /// The worst that happened.
    pub(super) fn verdict(&self) -> Verdict {
        let worst = Verdict::ALL.into_iter().find(|verdict| self.count(*verdict) > 0);
        worst.unwrap_or(Verdict::Unknown)
    }

    /// The exit code. Of checks that never roll back only what failed counts, and only if `strict`.
    pub(super) fn exit(&self, strict: bool) -> Exit {
        let critical = |verdict| {
            let mut checks = self.checks.iter().filter(|check| check.severity == Severity::Critical);
            checks.any(|check| check.result == verdict)
        };
        if critical(Verdict::Fail) || strict && (self.count(Verdict::Degraded) + self.count(Verdict::Flaky)) > 0 {
            Exit::Failed
        } else if self.checks.is_empty() || critical(Verdict::Unknown) || critical(Verdict::Skipped) {
            Exit::Inconclusive
        } else {
            Exit::Ok
        }
    }
}
