//! Deployments: what a delivery says of them, and what the platform's API says.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DeploymentId, EnvironmentId, PlatformName, ProjectId, Timestamp};

/// One app in one environment on one platform; what limits, pauses and the ledger count by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AppKey {
    /// The platform, by its name in the config.
    pub platform: PlatformName,
    /// The platform's id of the project.
    pub project: ProjectId,
    /// The platform's id of the environment.
    pub environment: EnvironmentId,
}

/// An app in an environment, as runs have named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPlace {
    /// What the ledger counts by.
    pub key: AppKey,
    /// The app's name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.platform, self.project, self.environment)
    }
}

/// The commit a deployment was built from, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Full or abbreviated hash.
    pub sha: Option<String>,
    /// Message.
    pub message: Option<String>,
    /// Author's name.
    pub author: Option<String>,
    /// Branch.
    pub branch: Option<String>,
}

/// What a delivery says happened; a platform file maps its own names onto these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeardEvent {
    /// `deploy.started`: queued or building.
    Started,
    /// `build.completed`: built, not yet deploying.
    Built,
    /// `health_check.passed`: it can receive traffic.
    Ready,
    /// `deploy.live`: traffic goes to it.
    Live,
    /// `deploy.failed`: it did not go live.
    Failed,
    /// It was cancelled before going live.
    Cancelled,
    /// `deploy.rolled_back`: the platform or a person went back from it.
    RolledBack,
}

impl HeardEvent {
    /// The word that people know it by, whatever the platform calls it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "deploy.started",
            Self::Built => "build.completed",
            Self::Ready => "health_check.passed",
            Self::Live => "deploy.live",
            Self::Failed => "deploy.failed",
            Self::Cancelled => "deploy.cancelled",
            Self::RolledBack => "deploy.rolled_back",
        }
    }

    /// Whether anything follows from it: a run, a look at the version before, a question to a run under way. The others
    /// are only kept.
    pub const fn has_consequences(self) -> bool {
        match self {
            Self::Started | Self::Live | Self::Failed | Self::Cancelled | Self::RolledBack => true,
            Self::Built | Self::Ready => false,
        }
    }
}

/// What a verified delivery says: a hint, to be confirmed by the platform's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// What happened.
    pub event: HeardEvent,
    /// To which deployment.
    pub deployment: DeploymentId,
    /// Its project's id, where the delivery has it.
    pub project: Option<ProjectId>,
    /// Its app's name, where the delivery has it (never empty).
    pub app: Option<String>,
    /// Its environment's name, where the delivery has it (never empty).
    pub environment: Option<String>,
    /// Its commit, as far as the delivery has it.
    pub commit: Commit,
    /// Its address, where the delivery has it.
    pub url: Option<String>,
    /// What caused it: `git_push`.
    pub triggered_by: Option<String>,
}

/// Where a deployment stands on its platform; a platform file maps its own states onto these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// Queued, building or starting.
    UnderWay,
    /// Went live well; it may be current or superseded. A possible target.
    Good,
    /// Failed, cancelled or gone. Never a target.
    Dead,
    /// A word that the platform file does not know. Never a target.
    Other,
}

/// One deployment as the platform's API tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Whose version it is.
    pub key: AppKey,
    /// The platform's id of it.
    pub id: DeploymentId,
    /// The app's name, for people and for `when`.
    pub app: String,
    /// The environment's name, for people and for `when`.
    pub environment: String,
    /// Whether the environment is a preview.
    pub preview: bool,
    /// Where it stands.
    pub state: DeploymentState,
    /// The platform's own word for that.
    pub state_word: String,
    /// Whether traffic goes to it.
    pub current: bool,
    /// Whether it was made by a rollback.
    pub rollback: bool,
    /// What it went back to, if it was made by a rollback and the platform tells.
    pub rolled_back_from: Option<DeploymentId>,
    /// Its commit.
    pub commit: Commit,
    /// Where it answers: the environment's address, else its own.
    pub url: Option<String>,
    /// Where this very version answers, whether or not it is current; none where the platform does not route it.
    pub own_url: Option<String>,
    /// When the platform made it.
    pub created_at: Option<Timestamp>,
}

impl Deployment {
    /// One that is live, of which no more is known than whose it is.
    pub fn live(id: impl Into<DeploymentId>, place: AppPlace) -> Self {
        Self {
            key: place.key,
            id: id.into(),
            app: place.app,
            environment: place.environment,
            preview: false,
            state: DeploymentState::Good,
            state_word: String::new(),
            current: true,
            rollback: false,
            rolled_back_from: None,
            commit: Commit::default(),
            url: None,
            own_url: None,
            created_at: None,
        }
    }
}

/// One environment's deployments as the platform lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The deployment that traffic goes to.
    pub current: Option<DeploymentId>,
    /// Newest first, at most 100.
    pub deployments: Vec<Deployment>,
}

impl Standing {
    /// The listed deployment with this id.
    pub fn find(&self, id: &DeploymentId) -> Option<&Deployment> {
        self.deployments.iter().find(|d| &d.id == id)
    }

    /// Whether traffic goes to `target`: it is current, or the current one was made by going back to it.
    pub fn is_back_at(&self, target: &DeploymentId) -> bool {
        self.current.as_ref().is_some_and(|current| {
            current == target
                || self
                    .find(current)
                    .is_some_and(|d| d.rollback && d.rolled_back_from.as_ref() == Some(target))
        })
    }
}

/// What came of asking the platform to roll back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallAnswer {
    /// 2xx: accepted, which is not yet success.
    Accepted {
        /// The deployment that the call made, if it made one.
        made: Option<DeploymentId>,
    },
    /// One of the answers that the platform file lists as a definite refusal of this target: it had no effect.
    Refused {
        /// What the platform said.
        reason: String,
    },
    /// The request never left: it had no effect.
    NotSent {
        /// Why.
        reason: String,
    },
    /// Anything else: it may or may not have had an effect.
    Unknown {
        /// What was seen.
        reason: String,
    },
}
