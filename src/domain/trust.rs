//! What has become of a run, as far as trust in its verdict goes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DeploymentId, RunId, Timestamp, Verdict};

/// What a person says of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// The deployment was bad.
    Right,
    /// It was not.
    Wrong,
}

impl Label {
    /// The word as typed, stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
        }
    }

    /// The label that is written so.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Right, Self::Wrong]
            .into_iter()
            .find(|label| label.as_str() == word)
    }
}

/// A run of one app in one environment that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedRun {
    /// The run.
    pub id: RunId,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// The platform says that a rollback made the deployment.
    pub is_rollback: bool,
    /// What it concluded.
    pub verdict: Option<Verdict>,
    /// What was done.
    pub action: Option<String>,
    /// Why, of one that found its deployment bad.
    pub reason: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What a person said of it.
    pub label: Option<Label>,
}
