//! A run's state: everything that the next decision needs, and nothing that can be read elsewhere.

use serde::{Deserialize, Serialize};

use super::event::Place;
use super::guard::Guard;
use super::judge::Judge;
use crate::domain::{
    Approval, Deployment, DeploymentId, Heard, Mode, PlatformName, Reason, RollbackReport, RunId, Timestamp, Verdict,
};

/// The action of a drill that went through to the call.
pub const DRILLED: &str = "drilled";
/// The action of a drill that a guard would have stopped.
pub const DRILL_WITHHELD: &str = "drill withheld";
/// The one check of a drill; it passes once, then fails.
pub const DRILL: &str = "drill";

/// The action of a run that had nothing to judge.
pub const DISMISSED: &str = "dismissed";

/// What the answer to a look is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookFor {
    /// Whether our own rollback made this deployment.
    Start,
    /// Whether what passed is still current.
    Pass,
    /// Whether what ends its watch is still current.
    WatchEnd,
    /// Whether something that was heard means that it is no longer current.
    Nudge,
    /// Whether a rollback may be made.
    Guard,
    /// Whether a call whose answer is not known had an effect.
    Effect,
    /// Whether the target is current.
    Settle,
    /// Whether what was verified is still current.
    VerifyEnd,
}

/// A question to the platform that is in flight or waits to be asked again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// What for.
    pub purpose: LookFor,
    /// Its number while in flight.
    pub seq: Option<u32>,
    /// When it was needed first.
    pub since: Timestamp,
    /// When it is asked again, if it is not in flight.
    pub next_at: Timestamp,
}

/// An attempt to roll back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The targets, best first; at most three.
    pub targets: Vec<DeploymentId>,
    /// Which of them is being tried.
    pub index: usize,
    /// Calls made so far, over all targets.
    pub calls: u32,
    /// The call in flight.
    pub seq: Option<u32>,
    /// When the first call was decided.
    pub since: Timestamp,
    /// When the last call ended without a known effect.
    pub ended_at: Option<Timestamp>,
    /// The next call is not made before this.
    pub next_at: Timestamp,
    /// When the platform accepted.
    pub accepted_at: Option<Timestamp>,
    /// The deployment that the platform made for it.
    pub made: Option<DeploymentId>,
    /// How many intents to roll the app back there were when the guards looked.
    pub intents_seen: u64,
    /// That it is not going well was said.
    pub paged: bool,
    /// What the last call's answer was.
    pub last_answer: String,
}

impl Act {
    /// The target being tried.
    pub fn target(&self) -> Option<&DeploymentId> {
        self.targets.get(self.index)
    }
}

/// What the version to go back to answers while it is not current.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGood {
    /// The version.
    pub target: DeploymentId,
    /// The same, at its own address.
    pub deployment: Deployment,
    /// What was seen, check by check.
    pub places: Vec<PlaceLook>,
}

/// One failing check, asked of the last-good version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceLook {
    /// The check.
    pub place: Place,
    /// The probe in flight.
    pub seq: Option<u32>,
    /// Failures in a row, alike to the bad version's.
    pub failed: u32,
    /// Why the last look ended as it did.
    pub reason: Option<Reason>,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Asking the platform what the deployment is.
    Confirming,
    /// Warm-up, evidence, watch.
    Judging,
    /// Unhealthy; asking whether a rollback may be made.
    Guarding,
    /// Unhealthy, and no guard withholds a rollback; a person is asked.
    Awaiting,
    /// The platform is being asked to roll back, or is to be asked again.
    Calling,
    /// The platform accepted; waiting until the target is current.
    Settling,
    /// Checking what was restored.
    Verifying,
    /// Nothing more happens.
    Done,
}

impl Phase {
    /// The word as stored and shown.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Confirming => "confirming",
            Self::Judging => "judging",
            Self::Guarding => "guarding",
            Self::Awaiting => "awaiting approval",
            Self::Calling => "rolling back",
            Self::Settling => "settling",
            Self::Verifying => "verifying",
            Self::Done => "done",
        }
    }
}

/// What a run began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Began {
    /// A delivery said that its deployment is live.
    Heard,
    /// A person wanted it.
    ByHand,
    /// No delivery told of its deployment; it was found in the platform's own list.
    Missed,
}

impl Began {
    /// Whether the deployment had been live for a while when the run began.
    pub const fn late(self) -> bool {
        !matches!(self, Self::Heard)
    }
}

/// The state of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    /// The run.
    pub id: RunId,
    /// Its platform's name.
    pub platform: PlatformName,
    /// What its jitter is made from.
    pub seed: u64,
    /// What was heard.
    pub heard: Heard,
    /// The app whose secret opened the delivery, where each app has its own: the run may be about no other.
    pub opened_app: Option<String>,
    /// What it began with.
    pub began: Began,
    /// It acts out a failure up to the call, to show that the way works.
    pub drill: bool,
    /// When the deployment was heard to be live.
    pub live_at: Timestamp,
    /// When the run began.
    pub started_at: Timestamp,
    /// Where it stands.
    pub phase: Phase,
    /// What the platform says the deployment is.
    pub deployment: Option<Deployment>,
    /// The judging of the deployment.
    pub judge: Option<Judge>,
    /// The places that made it unhealthy.
    pub failing: Vec<Place>,
    /// The comparison with the last-good version, where it can be reached.
    pub last_good: Option<LastGood>,
    /// The approval that is waited for, or was given.
    pub approval: Option<Approval>,
    /// A person ordered the rollback, whatever was concluded.
    pub ordered: bool,
    /// The rollback, once decided.
    pub act: Option<Act>,
    /// The restored version.
    pub restored: Option<Deployment>,
    /// The judging of the restored version.
    pub verify: Option<Judge>,
    /// The look in flight or waiting.
    pub look: Option<Look>,
    /// The identify in flight.
    pub identify_seq: Option<u32>,
    /// Times the platform could not say what the deployment is.
    pub identify_failures: u32,
    /// When to ask again.
    pub identify_next_at: Timestamp,
    /// The mode in force: the stricter of the run's and the config's now.
    pub mode: Mode,
    /// What we conclude.
    pub verdict: Option<Verdict>,
    /// Why, in words.
    pub reason: Option<String>,
    /// What was done, in words: `rolled back`, `withheld`.
    pub action: Option<String>,
    /// Which guard withheld the rollback.
    #[serde(default)]
    pub held_by: Option<Guard>,
    /// The rollback's part in outcomes.
    pub rollback: Option<RollbackReport>,
    /// That it is failing was said.
    pub suspect_said: bool,
    /// The number of the last effect.
    pub seq: u32,
    /// Outcomes so far; they number the messages.
    pub outcomes: u32,
    /// When the last event was decided on.
    pub turned_at: Timestamp,
    /// When the run is to be woken.
    pub wake_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl RunState {
    /// A run of what was heard. `seed` makes its jitter.
    pub fn new(id: RunId, platform: PlatformName, heard: Heard, seed: u64, now: Timestamp) -> Self {
        Self {
            id,
            platform,
            seed,
            heard,
            opened_app: None,
            began: Began::Heard,
            drill: false,
            live_at: now,
            started_at: now,
            phase: Phase::Confirming,
            deployment: None,
            judge: None,
            failing: Vec::new(),
            last_good: None,
            approval: None,
            ordered: false,
            act: None,
            restored: None,
            verify: None,
            look: None,
            identify_seq: None,
            identify_failures: 0,
            identify_next_at: now,
            mode: Mode::AlertOnly,
            verdict: None,
            reason: None,
            action: None,
            held_by: None,
            rollback: None,
            suspect_said: false,
            seq: 0,
            outcomes: 0,
            turned_at: now,
            wake_at: None,
            ended_at: None,
        }
    }

    /// Whether a person may order a rollback of this deployment: it is known, and no call was made yet.
    pub fn may_order(&self) -> bool {
        let idle = matches!(
            self.phase,
            Phase::Judging | Phase::Guarding | Phase::Awaiting | Phase::Done
        );
        idle && self.deployment.is_some() && self.act.is_none()
    }

    /// Whether a person may end the run now: not while a call to the platform may have an effect.
    pub fn may_cancel(&self) -> bool {
        matches!(
            self.phase,
            Phase::Confirming | Phase::Judging | Phase::Guarding | Phase::Awaiting | Phase::Verifying
        )
    }
}
