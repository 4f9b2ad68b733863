//! What we conclude, and what we may do about it.

use serde::{Deserialize, Serialize};

/// What a run concludes about its deployment.
///
/// Only [`Verdict::Unhealthy`] may lead to a rollback; not being able to tell is [`Verdict::Inconclusive`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every check that may roll back passed.
    Healthy,
    /// Passed, but a warning or a check of lower severity did not hold.
    Degraded,
    /// The deployment is bad.
    Unhealthy,
    /// We could not tell.
    Inconclusive,
}

impl Verdict {
    /// The word as shown and stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// What Backstop may do about an unhealthy deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Say so, and nothing else. The stricter of the two, so it orders first.
    AlertOnly,
    /// Ask a person, and roll back if they say so and no guard withholds it.
    Approve,
    /// Roll back, if no guard withholds it.
    AutoRollback,
}

impl Mode {
    /// The word of the config.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlertOnly => "alert-only",
            Self::Approve => "approve",
            Self::AutoRollback => "auto-rollback",
        }
    }
}

/// How grave a failing check is. Only [`Severity::Critical`] may roll back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Its failure makes the deployment unhealthy.
    Critical,
    /// Its failure makes the deployment degraded.
    Degraded,
    /// It looks at something the app depends on: its failure degrades, and speaks against blaming the deployment.
    Dependency,
}
