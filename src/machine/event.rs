//! What goes into the machine and what comes out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::Limits;
use super::state::RunState;
use crate::domain::{
    AppKey, Before, CallAnswer, CheckName, Deployment, DeploymentId, Fleet, Mode, Observation, Outcome, RunId,
    Standing, TimesBefore, Timestamp,
};

/// Where in a plan an observation belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The warm-up gate.
    Gate,
    /// The check with this index.
    Check(usize),
}

/// Which version a probe looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The deployment that the run is about.
    Deployment,
    /// The version that a rollback restored.
    Restored,
    /// The version to go back to, looked at where it answers although it is not current.
    LastGood,
}

/// Why a run wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WakeReason {
    /// A probe is due.
    ProbeDue,
    /// The warm-up has taken as long as it may.
    WarmUpLimit,
    /// Judging has taken as long as it may.
    JudgingLimit,
    /// The watch ends.
    WatchEnds,
    /// The platform is to be asked again.
    AskAgain,
    /// The call is to be made again.
    CallAgain,
    /// The platform has had as long as it may.
    SettleLimit,
    /// Nobody has approved.
    ApprovalEnds,
}

impl WakeReason {
    /// In words, for a person.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProbeDue => "a probe is due",
            Self::WarmUpLimit => "the warm-up ends",
            Self::JudgingLimit => "judging ends",
            Self::WatchEnds => "the watch ends",
            Self::AskAgain => "the platform is asked again",
            Self::CallAgain => "the rollback is called again",
            Self::ApprovalEnds => "waiting for an approval ends",
            Self::SettleLimit => "waiting for the platform ends",
        }
    }
}

/// What happened.
#[expect(missing_docs, reason = "each variant's words name its fields")]
#[derive(Clone, Debug)]
pub enum Event {
    /// The run was just made.
    Began,
    /// Whoever held the run does not any more; it is taken over. Whatever was in flight is forgotten, but for a call to the
    /// platform, which may still be under way for `hold_ms`.
    Resumed { hold_ms: u64 },
    /// The moment the run asked to be woken at has come.
    Woke,
    /// The platform said what the deployment is, or could not be asked.
    Identified {
        seq: u32,
        answer: Result<Box<Deployment>, String>,
    },
    /// A probe ended.
    Probed {
        seq: u32,
        place: Place,
        seen: Box<Observation>,
    },
    /// The platform and the store were looked at, or could not be.
    Looked {
        seq: u32,
        answer: Result<Box<Facts>, String>,
    },
    /// The rollback call ended.
    Called { seq: u32, answer: CallAnswer },
    /// Something was heard that may mean that the deployment is no longer current.
    Nudged { why: String },
    /// A person ended the run.
    Cancelled,
    /// A person approved the rollback that is waited for.
    Approved,
    /// A person ordered a rollback, whatever was concluded.
    Ordered,
}

/// What is to be done once the decision is recorded.
#[expect(missing_docs, reason = "each variant's words name its fields")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask the platform what the deployment is.
    Identify { seq: u32 },
    /// Probe a version.
    Probe { seq: u32, place: Place, subject: Subject },
    /// Read what the platform lists, what the store knows, and, if asked, the controls.
    Look { seq: u32, controls: bool },
    /// Ask the platform to go back to `target`, if `bad` is still current just before.
    RollBack {
        seq: u32,
        bad: DeploymentId,
        target: DeploymentId,
    },
}

/// Whether the controls answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controls {
    /// None configured, or not asked for.
    Unasked,
    /// Most of them answer.
    Up,
    /// Most of them do not: we are offline.
    Down,
}

/// What the guards decide by, read at one moment.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the platform lists.
    pub standing: Standing,
    /// What the store knows of this app and environment.
    pub known: Known,
    /// Whether we ourselves are online.
    pub controls: Controls,
    /// The mode in the config now.
    pub mode: Mode,
    /// The limits in the config now.
    pub limits: Limits,
    /// Until when a person has paused this app.
    pub paused_until: Option<Timestamp>,
    /// The freeze window that is open, as the config writes it.
    pub frozen: Option<String>,
}

/// What the store knows of one app and environment.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The ledger of known-good deployments, newest first, with when each became known.
    pub good: Vec<(DeploymentId, Timestamp)>,
    /// Deployments found bad.
    pub bad: BTreeSet<DeploymentId>,
    /// When rollbacks were begun, within the last day.
    pub rollbacks_at: Vec<Timestamp>,
    /// Checks that have passed, with the hash of the form they passed in.
    pub passed: BTreeSet<(CheckName, String)>,
    /// How many intents to roll the app back there were.
    pub intents: u64,
    /// Which run has begun to roll which deployment back.
    pub intents_of: BTreeMap<DeploymentId, RunId>,
    /// Deployments that our own rollbacks made.
    pub made: BTreeSet<DeploymentId>,
    /// What the checks saw of the version before.
    pub before: Vec<Before>,
    /// The apps that are watched over.
    pub fleet: Fleet,
    /// How long the checks took in earlier deployments.
    pub times: Vec<TimesBefore>,
}

/// What is to be remembered beyond the run.
#[expect(missing_docs, reason = "each variant's words name its fields")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The deployment is known to be good.
    KnownGood {
        key: AppKey,
        deployment: DeploymentId,
        commit_sha: Option<String>,
        at: Timestamp,
    },
    /// The deployment is known to be bad.
    Bad {
        key: AppKey,
        deployment: DeploymentId,
        at: Timestamp,
    },
    /// A check passed in full, in this form.
    CheckPassed {
        key: AppKey,
        check: CheckName,
        form: String,
        at: Timestamp,
    },
    /// How long a check's answers took in a deployment that is known to be good.
    Times {
        key: AppKey,
        deployment: DeploymentId,
        times: TimesBefore,
        at: Timestamp,
    },
    /// A warm-up took this long.
    WarmUp { key: AppKey, ms: u64, at: Timestamp },
    /// We are about to go back from `deployment` to `target`. There is at most one such intent per deployment.
    Intent {
        key: AppKey,
        deployment: DeploymentId,
        target: DeploymentId,
        intents_seen: u64,
        at: Timestamp,
    },
    /// Our rollback made this deployment.
    Made {
        key: AppKey,
        deployment: DeploymentId,
        at: Timestamp,
    },
}

/// The kind of an entry in a run's story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A probe and what it did to the budget.
    Probe,
    /// A change of phase, or something worth knowing.
    Note,
    /// What was concluded.
    Verdict,
    /// What a guard said.
    Guard,
    /// A call to the platform and its answer.
    Call,
    /// Why the run woke up, where that was not for a probe.
    Wake,
}

impl EntryKind {
    /// The word as stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Note => "note",
            Self::Verdict => "verdict",
            Self::Guard => "guard",
            Self::Call => "call",
            Self::Wake => "wake",
        }
    }
}

/// One line of a run's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Its kind.
    pub kind: EntryKind,
    /// In words.
    pub text: String,
    /// A probe's facts: the check, what was seen, the budget before and after in thousandths of a failure.
    pub probe: Option<Box<ProbeEntry>>,
}

/// A probe in a run's story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeEntry {
    /// The check's name, or `warm-up`.
    pub check: String,
    /// What it saw.
    pub seen: Observation,
    /// The budget before it, in thousandths of a failure.
    pub budget_from: u32,
    /// The budget after it.
    pub budget_to: u32,
    /// What a full budget is.
    pub budget_max: u32,
    /// Which version it looked at.
    pub subject: Subject,
}

/// What [`super::advance`] decided. The caller commits it, then performs the effects.
#[derive(Clone, Debug)]
pub struct Advance {
    /// The next state.
    pub state: RunState,
    /// What is to be done, in this order.
    pub effects: Vec<Effect>,
    /// What the run's story gains.
    pub journal: Vec<Entry>,
    /// What is told.
    pub outcomes: Vec<Outcome>,
    /// What is remembered.
    pub records: Vec<Record>,
    /// When to wake the run, and why.
    pub wake_at: Option<(Timestamp, WakeReason)>,
    /// Whether this must be committed before anything else happens; otherwise the next checkpoint will do.
    pub commit_now: bool,
}
