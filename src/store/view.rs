//! What people and scripts see of the store: the rows of the API and of the pages.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{AppKey, Timestamp, rfc3339};

/// Some rows, and where the next page begins.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What to ask the next page with; none if this is the last.
    pub next: Option<String>,
    /// So many rows were looked through, and fewer of them fit than the page takes. Older ones may: go on with `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked: Option<u64>,
}

/// Which runs to list.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only of this app.
    pub app: Option<String>,
    /// Only in this environment.
    pub environment: Option<String>,
    /// Only with this verdict.
    pub verdict: Option<String>,
    /// Only where this was done.
    pub action: Option<String>,
    /// Only those that began at this moment or later, by their ids.
    pub since: Option<Timestamp>,
    /// Only those that began before this moment, by their ids.
    pub until: Option<Timestamp>,
    /// Only before this run: the last page's `next`.
    pub before: Option<String>,
    /// At most this many, and at most [`super::PAGE_MAX`].
    pub limit: usize,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only from this platform.
    pub platform: Option<String>,
    /// Only about this app.
    pub app: Option<String>,
    /// Only of this event, in the platform's own word.
    pub event: Option<String>,
    /// Only those that came at this moment or later, by their ids.
    pub since: Option<Timestamp>,
    /// Only those that came before this moment, by their ids.
    pub until: Option<Timestamp>,
    /// Only before this delivery: the last page's `next`.
    pub before: Option<String>,
    /// At most this many, and at most [`super::PAGE_MAX`].
    pub limit: usize,
}

/// Which messages to list.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Only of this run.
    pub run: Option<String>,
    /// Only to this endpoint.
    pub endpoint: Option<String>,
    /// Only of this event.
    pub event: Option<String>,
    /// Only those that stand so: `queued`, `delivered` or `dead`.
    pub state: Option<String>,
    /// Only those that were decided at this moment or later.
    pub since: Option<Timestamp>,
    /// Only those that were decided before this moment.
    pub until: Option<Timestamp>,
    /// Only before this place: the last page's `next`.
    pub before: Option<MessagePlace>,
    /// At most this many, and at most [`super::PAGE_MAX`].
    pub limit: usize,
}

/// A message's place in the list; as text, what the next page is asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePlace {
    /// When it was decided.
    pub created_at: Timestamp,
    /// Its id.
    pub id: String,
}

impl MessagePlace {
    /// Reads what [`fmt::Display`] writes; `None` if it is something else.
    pub fn of_text(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('-')?;
        Some(Self {
            created_at: Timestamp::from_millis(at.parse().ok()?),
            id: id.to_owned(),
        })
    }
}

impl fmt::Display for MessagePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.created_at.as_millis(), self.id)
    }
}

/// A run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunView {
    /// Its id.
    pub id: String,
    /// Its platform.
    pub platform: String,
    /// The app's name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
    /// Its deployment.
    pub deployment: String,
    /// The commit.
    pub commit_sha: Option<String>,
    /// Where it stands.
    pub phase: String,
    /// What it concluded.
    pub verdict: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When it began.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// One more with each decision, so that two views of a run can be told apart.
    #[serde(skip)]
    pub version: u64,
}

/// One line of a run's story.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntryView {
    /// Its number; stories are paged by it.
    pub number: i64,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Its kind.
    pub kind: String,
    /// In words.
    pub text: String,
    /// Facts.
    pub data: Option<serde_json::Value>,
}

/// A received delivery.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Our id of it.
    pub id: String,
    /// The platform it came from.
    pub platform: String,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// The event in the platform's own word.
    pub event: Option<String>,
    /// The app it is about, as far as it says or its run knows.
    pub app: Option<String>,
    /// The deployment it names.
    pub deployment: Option<String>,
    /// The run that took it.
    pub run: Option<String>,
    /// What came of it; none while it waits.
    pub note: Option<String>,
    /// Its headers, redacted; only where one delivery is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<serde_json::Value>,
    /// Its body; only where one delivery is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// A message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageView {
    /// Its id.
    pub id: String,
    /// Who gets it.
    pub endpoint: String,
    /// The run that says it.
    pub run: Option<String>,
    /// Its kind.
    pub event: String,
    /// `queued`, `delivered` or `dead`.
    pub state: String,
    /// Why it is dead.
    pub reason: Option<String>,
    /// Attempts since it was queued.
    pub attempts: u32,
    /// It should wake somebody.
    pub page: bool,
    /// When it was decided.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it is attempted next.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// Its body; only where one message is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Its attempts, newest first; only where one message is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt_log: Option<Vec<AttemptView>>,
}

impl MessageView {
    /// Where it stands in the list, as [`MessagePlace`] is written.
    pub fn place(&self) -> String {
        let (created_at, id) = (self.created_at, self.id.clone());
        MessagePlace { created_at, id }.to_string()
    }
}

/// An attempt to deliver a message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// When.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The host it went to.
    pub host: String,
    /// The status it got.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// The start of the answer's body.
    pub response: String,
    /// How long it took.
    pub latency_ms: u32,
}

/// An endpoint that something was queued for.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct EndpointView {
    /// Its name.
    pub name: String,
    /// Messages delivered.
    pub delivered: u64,
    /// Messages that wait.
    pub queued: u64,
    /// Messages given up.
    pub dead: u64,
    /// Attempts in a row that failed.
    pub failures: u32,
    /// When the first of them was.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// Why it is switched off.
    pub off_reason: Option<String>,
    /// When it was switched off.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub off_since: Option<Timestamp>,
}

/// An app in an environment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AppView {
    /// Its platform.
    pub platform: String,
    /// Its name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
    /// Its newest run.
    pub last_run: RunView,
    /// The newest deployment known to be good.
    pub last_good: Option<String>,
    /// By which the platform knows them.
    #[serde(skip)]
    pub key: AppKey,
}

/// A pause.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PauseView {
    /// The app's name.
    pub app: String,
    /// Until when.
    #[serde(serialize_with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}
