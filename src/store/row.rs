//! What goes into the store and comes out of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    AgentId, AppKey, Before, CheckName, DeliveryId, DeploymentId, EndpointName, Fleet, Heard, MessageId, OutcomeEvent,
    PlatformName, RunId, TimesBefore, Timestamp, Verdict,
};

/// A verified delivery, to be stored.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// Our id of it.
    pub id: DeliveryId,
    /// The platform it came from.
    pub platform: PlatformName,
    /// When.
    pub received_at: Timestamp,
    /// The event in the platform's own word.
    pub event_word: Option<String>,
    /// What it says, if it is something we follow.
    pub heard: Option<Heard>,
    /// What came of it, if that is known: then no run will take it.
    pub note: Option<String>,
    /// The app whose own secret opened it.
    pub opened_app: Option<String>,
    /// Equal for deliveries of the same thing.
    pub dedup_key: Vec<u8>,
    /// Its headers, redacted.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What came of storing a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is durable.
    Stored,
    /// The same thing was stored before, as this delivery.
    Duplicate {
        /// The earlier one.
        of: DeliveryId,
    },
}

/// A stored delivery that a run may take.
#[derive(Clone, Debug)]
pub struct StoredDelivery {
    /// Our id of it.
    pub id: DeliveryId,
    /// The platform it came from.
    pub platform: PlatformName,
    /// When.
    pub received_at: Timestamp,
    /// What it says.
    pub heard: Heard,
    /// The app whose own secret opened it.
    pub opened_app: Option<String>,
}

/// One decision, to be committed whole.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The run as it is now; its version follows the stored one.
    pub run: RunRecord,
    /// What its story gains.
    pub journal: Vec<JournalEntry>,
    /// What is told.
    pub messages: Vec<NewMessage>,
    /// What is remembered.
    pub ledger: Vec<LedgerWrite>,
    /// The delivery that the run took.
    pub delivery: Option<DeliveryId>,
    /// Who decided it.
    pub agent: AgentId,
    /// A first commit only: refuse it if the deployment is being judged, or was.
    pub only: bool,
    /// For how long the run's owner may have a call under way.
    pub hold: Hold,
}

/// For how long a run's owner may have a call to the platform under way. Whoever takes the run over waits until then
/// before a call of their own, because no platform checks who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// None is.
    Release,
    /// As it was said before.
    Keep,
    /// So many milliseconds from now on.
    For(u64),
}

/// A run that was taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// As it is stored, with its new fence.
    pub run: RunRecord,
    /// For how long, in milliseconds, its former owner may still have a call under way.
    pub hold_ms: u64,
}

/// A run as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub id: RunId,
    /// Its platform.
    pub platform: PlatformName,
    /// Its deployment.
    pub deployment: DeploymentId,
    /// Whose version that is, once the platform said so.
    pub key: Option<AppKey>,
    /// The app's name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
    /// The commit.
    pub commit_sha: Option<String>,
    /// The platform says that a rollback made the deployment.
    pub is_rollback: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Where it stands, in words.
    pub phase: String,
    /// What it concluded.
    pub verdict: Option<Verdict>,
    /// What was done, in words.
    pub action: Option<String>,
    /// Why, in words.
    pub reason: Option<String>,
    /// The config it began with.
    pub config_hash: String,
    /// The machine's state, as JSON; opaque here.
    pub state: String,
    /// 1 for the first commit, and one more with each.
    pub version: u64,
    /// When the platform made the deployment.
    pub deployed_at: Option<Timestamp>,
    /// 1 for the first owner, and one more for each that takes the run over: the writes of earlier ones are refused.
    pub fence: u64,
}

/// One line of a run's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// When.
    pub at: Timestamp,
    /// Its kind.
    pub kind: String,
    /// In words.
    pub text: String,
    /// Facts, as JSON.
    pub data: Option<String>,
}

/// Something to remember of an app and environment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's words name its fields")]
pub enum LedgerWrite {
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
    /// The run is about to go back from `deployment` to `target`; one run per deployment may.
    Intent {
        key: AppKey,
        run: RunId,
        deployment: DeploymentId,
        target: DeploymentId,
        intents_seen: u64,
        at: Timestamp,
    },
    /// The run's rollback made this deployment.
    Made {
        key: AppKey,
        deployment: DeploymentId,
        run: RunId,
        at: Timestamp,
    },
}

/// A deployment that is known to be good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownGood {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Its commit.
    pub commit_sha: Option<String>,
    /// Since when it is known.
    pub at: Timestamp,
}

/// What is known of an app and environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Newest first, at most 50.
    pub known_good: Vec<KnownGood>,
    /// Found bad.
    pub bad: BTreeSet<DeploymentId>,
    /// When rollbacks were begun within the last 24 hours.
    pub rollbacks_at: Vec<Timestamp>,
    /// Checks that passed in full, with their forms.
    pub passed_checks: BTreeSet<(CheckName, String)>,
    /// The last 20 warm-ups, in milliseconds, newest first.
    pub warmups_ms: Vec<u64>,
    /// How many intents to roll back there were so far.
    pub intents: u64,
    /// Which run holds the intent for each deployment.
    pub intents_of: BTreeMap<DeploymentId, RunId>,
    /// Made by our own rollbacks.
    pub made: BTreeSet<DeploymentId>,
    /// What the checks saw of the version before the one that is on its way.
    pub before: Vec<Before>,
    /// The apps that are watched over.
    pub fleet: Fleet,
    /// How long the checks took in the last deployments that are known to be good.
    pub times: Vec<TimesBefore>,
}

/// How grave a message can be.
pub const GRAVITY_MAX: u32 = 3;

/// A message to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id, the same on every attempt.
    pub id: MessageId,
    /// Who gets it.
    pub endpoint: EndpointName,
    /// The run that says it.
    pub run: Option<RunId>,
    /// What it is about. Messages about the same reach an endpoint in their order; `None` has no order.
    pub subject: Option<String>,
    /// Its place among those of the same moment.
    pub seq: u32,
    /// How grave it is, from 0 to [`GRAVITY_MAX`]: it waits for no earlier message that is less grave.
    pub gravity: u32,
    /// Its kind.
    pub event: OutcomeEvent,
    /// Its body's type.
    pub content_type: String,
    /// Its body, which never changes.
    pub body: Vec<u8>,
    /// It should wake somebody, so it goes first.
    pub page: bool,
    /// When it was decided.
    pub created_at: Timestamp,
}

/// Which due messages are wanted.
#[derive(Clone, Debug)]
pub struct Due {
    /// Only those to these endpoints; those to any, unless told.
    pub only: Option<BTreeSet<EndpointName>>,
    /// How many to each endpoint, where it differs from `room`.
    pub rooms: BTreeMap<EndpointName, Room>,
    /// How many to any other endpoint.
    pub room: Room,
    /// How many in all.
    pub limit: usize,
}

/// How many messages an endpoint may be given now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of any gravity.
    pub any: usize,
    /// Counting the gravest ones too, for which there is a place more.
    pub gravest: usize,
}

/// Which messages are to be delivered again.
#[derive(Clone, Debug)]
pub struct ReplayFilter {
    /// Only those to this endpoint.
    pub endpoint: Option<EndpointName>,
    /// Only those that were given up.
    pub failed: bool,
    /// Only those that were decided at this moment or later.
    pub since: Option<Timestamp>,
    /// Only those that were decided before this moment.
    pub until: Option<Timestamp>,
    /// At most so many, oldest first.
    pub limit: usize,
}

/// What a replay queued again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// So many messages.
    pub count: u64,
    /// More of them are left.
    pub more: bool,
}

/// A message that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Who gets it.
    pub endpoint: EndpointName,
    /// Its body's type.
    pub content_type: String,
    /// Its body.
    pub body: Vec<u8>,
    /// Attempts made since it was queued, or queued again.
    pub attempts: u32,
    /// Its endpoint is switched off, and this message shows whether it may be on again.
    pub probe: bool,
}

/// How an endpoint fares, after an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faring {
    /// Attempts in a row that failed.
    pub failures: u32,
    /// When the first of them was.
    pub since: Timestamp,
    /// Others were told of it.
    pub told: bool,
    /// It is switched off.
    pub off: bool,
}

/// One attempt to deliver a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The message.
    pub message: MessageId,
    /// Who was to get it.
    pub endpoint: EndpointName,
    /// When.
    pub at: Timestamp,
    /// The host it went to.
    pub url_host: String,
    /// The status it got.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// The start of the answer's body, redacted, at most 4 KiB.
    pub response: String,
    /// How long it took.
    pub latency_ms: u32,
}

/// What follows from an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it was delivered.
    Delivered,
    /// Another attempt at this moment.
    RetryAt(Timestamp),
    /// Nothing more is tried.
    Dead {
        /// Why.
        reason: String,
    },
}

/// How an endpoint stands now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointStanding {
    /// Its name.
    pub name: String,
    /// Messages that wait.
    pub queued: u64,
    /// When the oldest of them was decided.
    pub oldest: Option<Timestamp>,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// It is switched off.
    pub off: bool,
}
