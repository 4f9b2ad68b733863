//! What we tell the world: one outcome per decision.

use serde::{Deserialize, Serialize};

use super::{CheckName, Commit, DeploymentId, Mode, RunId, Severity, Timestamp, Verdict};

macro_rules! outcome_events {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)+) => {
        /// The kind of an outcome.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum OutcomeEvent {
            $($(#[$doc])* #[serde(rename = $word)] $name,)+
        }

        impl OutcomeEvent {
            /// Every kind there is, in the order a run says them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word as sent and as `events` in the config matches it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

outcome_events! {
    /// A run began to judge.
    SmokeTestStarted = "smoke_test.started";
    /// The deployment passed; the watch begins.
    SmokeTestPassed = "smoke_test.passed";
    /// It passed with warnings.
    SmokeTestDegraded = "smoke_test.degraded";
    /// Failing for 60 s, not yet decided.
    SmokeTestSuspect = "smoke_test.suspect";
    /// It is bad, and what follows is said by a rollback outcome.
    SmokeTestFailed = "smoke_test.failed";
    /// We could not tell.
    SmokeTestInconclusive = "smoke_test.inconclusive";
    /// The platform is being asked to roll back.
    RollbackStarted = "rollback.started";
    /// The target is current and passed the checks.
    RollbackSucceeded = "rollback.succeeded";
    /// We do not know whether the rollback happened, or whether what it restored works.
    RollbackUnconfirmed = "rollback.unconfirmed";
    /// The rollback did not happen, or what it restored is bad too.
    RollbackFailed = "rollback.failed";
    /// The deployment is bad and was left live; the reason says why.
    RollbackWithheld = "rollback.withheld";
    /// A rollback waits for a person.
    ApprovalRequested = "approval.requested";
    /// A newer deployment took over, or a person ended the run.
    RunSuperseded = "run.superseded";
    /// A deployment went live and no delivery told of it; it was found in the platform's own list.
    DeliveryMissed = "delivery.missed";
    /// An endpoint keeps failing.
    EndpointFailing = "endpoint.failing";
    /// A person asked for a message, to see whether it comes through.
    EndpointTest = "endpoint.test";
    /// A rollback could not be made now.
    ProtectionLost = "protection.lost";
    /// A rollback could be made again.
    ProtectionRestored = "protection.restored";
}

/// One check's part in an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Its name.
    pub name: CheckName,
    /// How grave its failure is.
    pub severity: Severity,
    /// What we conclude of it; `None` while undecided.
    pub verdict: Option<Verdict>,
    /// Probes that count.
    pub probes: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// Why the last failing one failed.
    pub reason: Option<super::Reason>,
    /// The last failing one in words.
    pub detail: Option<String>,
}

/// The rollback's part in an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollbackReport {
    /// The bad deployment.
    pub from: DeploymentId,
    /// The deployment to go back to.
    pub to: DeploymentId,
    /// Its commit.
    pub to_commit: Option<String>,
    /// When the platform was asked first.
    pub requested_at: Option<Timestamp>,
    /// When the platform said that the target is current.
    pub confirmed_at: Option<Timestamp>,
    /// Whether the restored version passed the checks.
    pub verified: bool,
    /// What the platform was left in, in words.
    pub platform_state: Option<String>,
}

/// A rollback that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The bad deployment.
    pub from: DeploymentId,
    /// The deployment to go back to.
    pub to: DeploymentId,
    /// Until when it may be approved.
    pub expires_at: Timestamp,
    /// Somebody approved it.
    pub given: bool,
}

/// What a run tells the world. Rendering makes bytes of it, per endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its kind.
    pub event: OutcomeEvent,
    /// When it was decided.
    pub at: Timestamp,
    /// Sequence within the run; with the run's id it makes the message's id.
    pub seq: u32,
    /// The run.
    pub run: RunId,
    /// The platform's name.
    pub platform: String,
    /// The app's name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its commit.
    pub commit: Commit,
    /// What caused it.
    pub triggered_by: Option<String>,
    /// Where it answers.
    pub url: Option<String>,
    /// The mode in force.
    pub mode: Mode,
    /// The verdict, once there is one.
    pub verdict: Option<Verdict>,
    /// Why, in one sentence for a person.
    pub reason: String,
    /// Whether this should wake somebody: rollback failed or unconfirmed, the restored version bad too, unhealthy but
    /// withheld where auto-rollback was on.
    pub page: bool,
    /// The checks.
    pub checks: Vec<CheckReport>,
    /// The rollback, if one was begun.
    pub rollback: Option<RollbackReport>,
    /// The approval that is asked for.
    pub approval: Option<Approval>,
}

/// What the agents tell the world of their own standing, which no run is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its kind.
    pub event: OutcomeEvent,
    /// When it was noticed.
    pub at: Timestamp,
    /// What it is about: `endpoint ops`, `platform temps`.
    pub about: String,
    /// What is wrong, or right again, in one sentence for a person.
    pub reason: String,
}
