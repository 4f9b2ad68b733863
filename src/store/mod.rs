//! The store: deliveries, runs and their stories, the ledger, the outbox, pauses.
//!
//! In the process, on SQLite. One thread writes: it takes what waits, puts it into one transaction with a savepoint per
//! item, commits with `synchronous = FULL`, and only then answers, so that what was answered is durable and callers
//! that arrive together share one `fsync`. Another thread reads.

mod error;
mod row;
mod sqlite;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

use crate::clock::Clock;
use crate::domain::{
    AppKey, Before, DeliveryId, Deployment, DeploymentId, EndpointName, JudgedRun, Label, MessageId, PlatformName,
    RunId, Timestamp,
};

pub use error::Error;
pub use row::{
    Accepted, AppPlace, Attempt, Commit, History, JournalEntry, KnownGood, LedgerWrite, Message, NewDelivery,
    NewMessage, Next, RunRecord, StoredDelivery,
};
pub use sqlite::Counters;
pub use sqlite::names::{Names, names_seen};
pub use view::{
    AppView, AttemptView, DeliveryView, EndpointView, EntryView, MessageView, Page, PauseView, RunFilter, RunView,
};

/// Rows in one page at most.
pub const PAGE_MAX: usize = 200;

/// A store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<sqlite::Sqlite>,
    clock: Clock,
}

impl Store {
    /// Opens the store at `url` (`sqlite://path`, relative to the working directory, or `sqlite:///absolute/path`),
    /// makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When the address is not one of SQLite's, the file cannot be opened, another process holds it, or a newer
    /// version of this program has written it.
    pub async fn open(url: &str, clock: Clock) -> Result<Self, Error> {
        let path = url
            .strip_prefix("sqlite://")
            .ok_or_else(|| Error::Address(url.to_owned()))?
            .to_owned();
        let opened = tokio::task::spawn_blocking(move || sqlite::Sqlite::open(&path)).await;
        let inner = Arc::new(opened.map_err(|_| Error::Closed)??);
        Ok(Self { inner, clock })
    }

    /// The address, for a log.
    pub fn url_redacted(&self) -> String {
        format!("sqlite://{}", self.inner.path)
    }

    /// What the writer has done so far.
    pub fn counters(&self) -> Counters {
        self.inner.counters()
    }

    /// Ends both threads; what was answered is durable already.
    pub async fn close(&self) {
        let inner = Arc::clone(&self.inner);
        // The threads end when their last item is done; waiting for them must not block the runtime.
        let _ = tokio::task::spawn_blocking(move || inner.close()).await;
    }

    // Deliveries.

    /// Stores a delivery, unless one with its deduplication key was stored in the last 48 hours. Durable on return.
    ///
    /// # Errors
    /// When the store is busy, full, or broken; then nothing is stored, and the sender should try again.
    pub async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, Error> {
        self.inner
            .write(move |tx| sqlite::deliveries::accept(tx, &delivery))
            .await
    }

    /// Deliveries that something follows from and no run has taken yet, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unhandled_deliveries(&self, limit: usize) -> Result<Vec<StoredDelivery>, Error> {
        self.inner
            .read(move |db| sqlite::deliveries::unhandled(db, limit))
            .await
    }

    /// Marks deliveries as dealt with, and says of each how.
    ///
    /// # Errors
    /// When the store cannot be written; then none of them is marked.
    pub async fn mark_handled(&self, deliveries: Vec<(DeliveryId, String)>) -> Result<(), Error> {
        self.inner
            .write(move |tx| {
                let mut marks = deliveries.iter();
                marks.try_for_each(|(id, note)| sqlite::deliveries::mark_handled(tx, id, None, note))
            })
            .await
    }

    // Runs.

    /// Commits one decision: the run's state, its story, its messages, what is remembered, and the delivery it took.
    ///
    /// # Errors
    /// [`Error::Stale`] if the run's version does not follow the stored one; [`Error::IntentTaken`] if another run has
    /// begun to roll the same deployment back; otherwise when the store cannot be written. Nothing is stored then.
    pub async fn commit(&self, commit: Commit) -> Result<(), Error> {
        self.inner.write(move |tx| sqlite::runs::commit(tx, &commit)).await
    }

    /// The newest run of a deployment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run_of(&self, platform: &PlatformName, deployment: &DeploymentId) -> Result<Option<RunRecord>, Error> {
        let (platform, deployment) = (platform.clone(), deployment.clone());
        self.inner
            .read(move |db| sqlite::runs::of_deployment(db, &platform, &deployment))
            .await
    }

    /// Runs that have not ended, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unfinished_runs(&self) -> Result<Vec<RunRecord>, Error> {
        self.inner.read(sqlite::runs::unfinished).await
    }

    /// One run with its state, to be taken up again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run_record(&self, id: &RunId) -> Result<Option<RunRecord>, Error> {
        let id = id.clone();
        self.inner.read(move |db| sqlite::runs::by_id(db, &id)).await
    }

    /// Keeps the text of a config under its hash, for the runs that began with it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn save_config(&self, hash: &str, text: &str) -> Result<(), Error> {
        let (hash, text, now) = (hash.to_owned(), text.to_owned(), self.clock.now());
        self.inner
            .write(move |tx| sqlite::runs::save_config(tx, &hash, &text, now))
            .await
    }

    /// The text of a config, by its hash.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn config(&self, hash: &str) -> Result<Option<String>, Error> {
        let hash = hash.to_owned();
        self.inner.read(move |db| sqlite::runs::config(db, &hash)).await
    }

    // The ledger and pauses.

    /// What is known of one app and environment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, key: &AppKey, now: Timestamp) -> Result<History, Error> {
        let key = key.clone();
        self.inner.read(move |db| sqlite::ledger::history(db, &key, now)).await
    }

    /// Keeps what the checks saw of the version that is live while another is on its way.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn looked_before(&self, key: &AppKey, before: Vec<Before>) -> Result<(), Error> {
        let key = key.clone();
        self.inner
            .write(move |tx| sqlite::ledger::looked_before(tx, &key, &before))
            .await
    }

    /// Withholds rollbacks of the app with this name until `until`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn pause(&self, app: &str, until: Timestamp) -> Result<(), Error> {
        let app = app.to_owned();
        self.inner.write(move |tx| sqlite::ledger::pause(tx, &app, until)).await
    }

    /// Ends a pause; whether there was one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn resume(&self, app: &str) -> Result<bool, Error> {
        let app = app.to_owned();
        self.inner.write(move |tx| sqlite::ledger::resume(tx, &app)).await
    }

    /// Until when the app with this name is paused.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn paused_until(&self, app: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let app = app.to_owned();
        self.inner
            .read(move |db| sqlite::ledger::paused_until(db, &app, now))
            .await
    }

    /// The pauses that have not ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn pauses(&self, now: Timestamp) -> Result<Vec<PauseView>, Error> {
        self.inner.read(move |db| sqlite::ledger::pauses(db, now)).await
    }

    // Trust.

    /// The apps and environments that runs were about.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn places(&self) -> Result<Vec<AppPlace>, Error> {
        self.inner.read(|db| sqlite::trust::places(db, None)).await
    }

    /// Whether a run was about `deployment`, or about a newer one in its place. One of which nobody says when it was made
    /// counts as known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn knows(&self, deployment: &Deployment) -> Result<bool, Error> {
        let deployment = deployment.clone();
        self.inner.read(move |db| sqlite::runs::knows(db, &deployment)).await
    }

    /// The environments of the app with this name that runs were about.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn places_of(&self, app: &str) -> Result<Vec<AppPlace>, Error> {
        let app = app.to_owned();
        self.inner.read(move |db| sqlite::trust::places(db, Some(&app))).await
    }

    /// The ended runs of one app and environment, newest first, with what people said of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn judged_runs(&self, key: &AppKey) -> Result<Vec<JudgedRun>, Error> {
        let key = key.clone();
        self.inner.read(move |db| sqlite::trust::judged(db, &key)).await
    }

    /// Keeps what a person says of a run that found its deployment bad; whether there is such a run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn label(&self, run: &RunId, label: Label) -> Result<bool, Error> {
        let (run, now) = (run.clone(), self.clock.now());
        self.inner
            .write(move |tx| sqlite::trust::label(tx, &run, label, now))
            .await
    }

    // The outbox.

    /// Messages to attempt now, the gravest first, then the oldest; none to an endpoint that is switched off.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due_messages(&self, now: Timestamp, limit: usize) -> Result<Vec<Message>, Error> {
        self.inner.read(move |db| sqlite::outbox::due(db, now, limit)).await
    }

    /// When the next message is to be attempted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        self.inner.read(sqlite::outbox::next_due).await
    }

    /// Keeps an attempt and what follows from it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn record_attempt(&self, attempt: Attempt, next: Next) -> Result<(), Error> {
        self.inner
            .write(move |tx| sqlite::outbox::record_attempt(tx, &attempt, &next))
            .await
    }

    /// Switches an endpoint off: nothing is sent to it any more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn endpoint_off(&self, endpoint: EndpointName, reason: String) -> Result<(), Error> {
        let now = self.clock.now();
        self.inner
            .write(move |tx| sqlite::outbox::endpoint_off(tx, &endpoint, &reason, now))
            .await
    }

    /// Queues a message again, with the same id and bytes; whether there is such a message.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn replay(&self, id: &MessageId, now: Timestamp) -> Result<bool, Error> {
        let id = id.clone();
        self.inner.write(move |tx| sqlite::outbox::replay(tx, &id, now)).await
    }

    /// Messages that wait, and the oldest one's moment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn outbox_depth(&self) -> Result<(u64, Option<Timestamp>), Error> {
        self.inner.read(sqlite::outbox::depth).await
    }

    // Views.

    /// Runs, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_runs(&self, filter: RunFilter) -> Result<Page<RunView>, Error> {
        self.inner.read(move |db| sqlite::views::runs(db, &filter)).await
    }

    /// One run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run(&self, id: &RunId) -> Result<Option<RunView>, Error> {
        let id = id.clone();
        self.inner.read(move |db| sqlite::views::run(db, &id)).await
    }

    /// A page of a run's story, oldest first, after the entry numbered `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn journal(&self, id: &RunId, after: i64, limit: usize) -> Result<Page<EntryView>, Error> {
        let id = id.clone();
        self.inner
            .read(move |db| sqlite::views::journal(db, &id, after, limit))
            .await
    }

    /// Received deliveries, newest first; `before` is the last page's last id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_deliveries(&self, before: Option<String>, limit: usize) -> Result<Page<DeliveryView>, Error> {
        self.inner
            .read(move |db| sqlite::views::deliveries(db, before.as_deref(), limit))
            .await
    }

    /// One received delivery, with its headers and body.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<DeliveryView>, Error> {
        let id = id.clone();
        self.inner.read(move |db| sqlite::views::delivery(db, &id)).await
    }

    /// Messages, newest first, of one run if asked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list_messages(
        &self,
        run: Option<RunId>,
        before: Option<String>,
        limit: usize,
    ) -> Result<Page<MessageView>, Error> {
        self.inner
            .read(move |db| sqlite::views::messages(db, run.as_ref(), before.as_deref(), limit))
            .await
    }

    /// One message, with its body and attempts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn message(&self, id: &MessageId) -> Result<Option<MessageView>, Error> {
        let id = id.clone();
        self.inner.read(move |db| sqlite::views::message(db, &id)).await
    }

    /// Endpoints that something was queued for, with how they fare.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn endpoints(&self) -> Result<Vec<EndpointView>, Error> {
        self.inner.read(sqlite::views::endpoints).await
    }

    /// Apps that a run was about, with their newest run.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn apps(&self) -> Result<Vec<AppView>, Error> {
        self.inner.read(sqlite::views::apps).await
    }

    // Housekeeping.

    /// The store's own key of this name; `fresh` becomes it the first time.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn key(&self, name: &'static str, fresh: [u8; 32]) -> Result<[u8; 32], Error> {
        self.inner.write(move |tx| sqlite::runs::key(tx, name, fresh)).await
    }

    /// Whether the store can be written now.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn writable(&self) -> Result<(), Error> {
        let now = self.clock.now();
        self.inner.write(move |tx| sqlite::runs::touch(tx, now)).await
    }

    /// Removes what is too old: deduplication keys after 48 hours, ended runs, deliveries and messages after 30 days.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn purge(&self, now: Timestamp) -> Result<(), Error> {
        self.inner.write(move |tx| sqlite::runs::purge(tx, now)).await
    }
}
