//! The store: deliveries, runs and their stories, the ledger, the outbox, pauses.
//!
//! What is kept and how is SQL, written once (`sql`); an engine runs it: `sqlite` in the process, for one agent; `postgres`,
//! for several; `memory`, for simulations. What a call returns is durable. Every rule that two agents could break together
//! is a statement that changes a row only as it was seen, so that the second one is refused, and looks again.

mod agents;
mod engine;
mod error;
mod lists;
mod memory;
mod outbox;
mod postgres;
mod retention;
mod row;
mod silence;
mod sql;
mod sqlite;
#[cfg(test)]
pub(crate) mod tests;
mod view;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::clock::Clock;
use crate::domain::{AppKey, Before, DeliveryId, DeploymentId, JudgedRun, Label, PlatformName, RunId, Timestamp};

pub use engine::Counters;
pub(crate) use engine::{Engine, Item};
pub use error::Error;
pub use retention::Purged;
pub use row::{
    Accepted, Attempt, Commit, Due, EndpointStanding, Faring, GRAVITY_MAX, History, Hold, JournalEntry, KnownGood,
    LedgerWrite, Message, NewDelivery, NewMessage, Next, ReplayFilter, Replayed, Room, RunRecord, StoredDelivery,
    Taken,
};
pub(crate) use sql::Db;
#[cfg(test)]
pub(crate) use sql::{Row, Value};
pub use sqlite::names::{Names, names_seen};
pub use view::{
    AppView, AttemptView, DeliveryFilter, DeliveryView, EndpointView, EntryView, MessageFilter, MessagePlace,
    MessageView, Page, PauseView, RunFilter, RunView,
};
pub use watch::{Operation, Watch};

/// Rows in one page at most.
pub const PAGE_MAX: usize = 200;

/// A store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    clock: Clock,
    called: Arc<Notify>,
    watch: Option<Watch>,
}

impl Store {
    /// Opens the store at `url`, makes it if it is not there, and brings its schema up to date.
    ///
    /// `sqlite://path` is a file, relative to the working directory, or `sqlite:///absolute/path`; one agent has it open.
    /// `postgres://user:password@host/database` is shared by several agents. `memory:` is forgotten with the process.
    ///
    /// # Errors
    /// When the address is none of these, the file or server cannot be used, another process holds the file, or a newer
    /// version of this program has written it.
    pub async fn open(url: &str, clock: Clock) -> Result<Self, Error> {
        let called = Arc::new(Notify::new());
        let (url, hands, inner_clock) = (url.to_owned(), Arc::clone(&called), clock.clone());
        let open = move || open_engine(&url, &hands, &inner_clock);
        let engine = tokio::task::spawn_blocking(open).await.map_err(|_| Error::Closed)??;
        Ok(Self {
            engine,
            clock,
            called,
            watch: None,
        })
    }

    /// A store that is forgotten with its last handle. Its time, by which leases are measured, is `clock`'s.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory(clock: Clock) -> Result<Self, Error> {
        let engine = Arc::new(memory::Memory::open(clock.clone())?);
        let called = Arc::new(Notify::new());
        Ok(Self {
            engine,
            clock,
            called,
            watch: None,
        })
    }

    /// The same store, of whose operations `watch` is told.
    #[must_use]
    pub fn watched(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Where it is, for people: nothing secret.
    pub fn place(&self) -> String {
        self.engine.place()
    }

    /// Whether several agents may have it open.
    pub fn is_shared(&self) -> bool {
        self.engine.is_shared()
    }

    /// What the engine has done so far.
    pub fn counters(&self) -> Counters {
        self.engine.counters()
    }

    /// Lets go of the database; what was answered is durable already.
    pub async fn close(&self) {
        let engine = Arc::clone(&self.engine);
        // What is under way ends first; waiting for it must not block the runtime.
        let _ = tokio::task::spawn_blocking(move || engine.close()).await;
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&dyn Db) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.write_as(Operation::Write, work).await
    }

    async fn write_as<T: Send + 'static>(
        &self,
        operation: Operation,
        work: impl Fn(&dyn Db) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (item, done) = item(work);
        self.timed(operation, self.engine.write(item)).await?;
        done()
    }

    async fn timed<T>(&self, operation: Operation, done: impl Future<Output = T>) -> T {
        let Some(watch) = &self.watch else {
            return done.await;
        };
        let begun = self.clock.elapsed();
        let done = done.await;
        watch(operation, self.clock.elapsed().saturating_sub(begun));
        done
    }

    async fn read<T: Send + 'static>(
        &self,
        question: impl Fn(&dyn Db) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (item, done) = item(question);
        self.timed(Operation::Read, self.engine.read(item)).await?;
        done()
    }

    // Deliveries.

    /// Stores a delivery, unless one with its deduplication key was stored in the last 48 hours. Durable on return.
    ///
    /// # Errors
    /// When the store is busy, full, or broken; then nothing is stored, and the sender should try again.
    pub async fn accept(&self, delivery: NewDelivery) -> Result<Accepted, Error> {
        if self.engine.is_full() {
            return Err(Error::Full);
        }
        self.write_as(Operation::Accept, move |tx| sql::deliveries::accept(tx, &delivery))
            .await
    }

    /// Deliveries that something follows from and no run has taken yet, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unhandled_deliveries(&self, limit: usize) -> Result<Vec<StoredDelivery>, Error> {
        self.read(move |db| sql::deliveries::unhandled(db, limit)).await
    }

    /// Marks deliveries as dealt with, and says of each how. Returns those that nobody had dealt with before.
    ///
    /// # Errors
    /// When the store cannot be written; then none of them is marked.
    pub async fn mark_handled(&self, deliveries: Vec<(DeliveryId, String)>) -> Result<Vec<DeliveryId>, Error> {
        self.write(move |tx| {
            let mut ours = Vec::new();
            for (id, note) in &deliveries {
                if sql::deliveries::mark_handled(tx, id, None, note)? {
                    ours.push(id.clone());
                }
            }
            Ok(ours)
        })
        .await
    }

    // Runs.

    /// Commits one decision: the run's state, its story, its messages, what is remembered, and the delivery it took.
    ///
    /// # Errors
    /// An error that [`Error::is_conflict`] if somebody else decided first, so that this does not follow; otherwise when the
    /// store cannot be written. Nothing is stored then.
    pub async fn commit(&self, commit: Commit) -> Result<(), Error> {
        self.write_as(Operation::Commit, move |tx| sql::runs::commit(tx, &commit))
            .await
    }

    /// The newest run of a deployment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run_of(&self, platform: &PlatformName, deployment: &DeploymentId) -> Result<Option<RunRecord>, Error> {
        let (platform, deployment) = (platform.clone(), deployment.clone());
        self.read(move |db| sql::runs::of_deployment(db, &platform, &deployment))
            .await
    }

    /// One run with its state, to be taken up again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn run_record(&self, id: &RunId) -> Result<Option<RunRecord>, Error> {
        let id = id.clone();
        self.read(move |db| sql::runs::by_id(db, &id)).await
    }

    /// Keeps the text of a config under its hash, for the runs that begin with it. One that is in force is kept again from time to
    /// time, or it grows old and goes with its last run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn save_config(&self, hash: &str, text: &str) -> Result<(), Error> {
        let (hash, text, now) = (hash.to_owned(), text.to_owned(), self.clock.now());
        self.write(move |tx| sql::runs::save_config(tx, &hash, &text, now))
            .await
    }

    /// The text of a config, by its hash.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn config(&self, hash: &str) -> Result<Option<String>, Error> {
        let hash = hash.to_owned();
        self.read(move |db| sql::runs::config(db, &hash)).await
    }

    // The ledger and pauses.

    /// What is known of one app and environment.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn history(&self, key: &AppKey, now: Timestamp) -> Result<History, Error> {
        let key = key.clone();
        self.read(move |db| sql::ledger::history(db, &key, now)).await
    }

    /// Keeps what the checks saw of the version that is live while another is on its way.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn looked_before(&self, key: &AppKey, before: Vec<Before>) -> Result<(), Error> {
        let key = key.clone();
        self.write(move |tx| sql::ledger::looked_before(tx, &key, &before))
            .await
    }

    /// Withholds rollbacks of the app with this name until `until`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn pause(&self, app: &str, until: Timestamp) -> Result<(), Error> {
        let app = app.to_owned();
        self.write(move |tx| sql::ledger::pause(tx, &app, until)).await
    }

    /// Ends a pause; whether there was one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn resume(&self, app: &str) -> Result<bool, Error> {
        let app = app.to_owned();
        self.write(move |tx| sql::ledger::resume(tx, &app)).await
    }

    /// Until when the app with this name is paused.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn paused_until(&self, app: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let app = app.to_owned();
        self.read(move |db| sql::ledger::paused_until(db, &app, now)).await
    }

    /// The pauses that have not ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn pauses(&self, now: Timestamp) -> Result<Vec<PauseView>, Error> {
        self.read(move |db| sql::ledger::pauses(db, now)).await
    }

    // Trust.

    /// The ended runs of one app and environment, newest first, with what people said of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn judged_runs(&self, key: &AppKey) -> Result<Vec<JudgedRun>, Error> {
        let key = key.clone();
        self.read(move |db| sql::trust::judged(db, &key)).await
    }

    /// Whether a version of an app and environment is known to be good, so that there is something to go back to.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn has_known_good(&self, key: &AppKey) -> Result<bool, Error> {
        let key = key.clone();
        self.read(move |db| sql::ledger::has_good(db, &key)).await
    }

    /// Keeps what a person says of a run that found its deployment bad; whether there is such a run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn label(&self, run: &RunId, label: Label) -> Result<bool, Error> {
        let (run, now) = (run.clone(), self.clock.now());
        self.write(move |tx| sql::trust::label(tx, &run, label, now)).await
    }

    // Housekeeping.

    /// The store's own key of this name; `fresh` becomes it the first time.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn key(&self, name: &'static str, fresh: [u8; 32]) -> Result<[u8; 32], Error> {
        self.write(move |tx| sql::runs::key(tx, name, fresh)).await
    }

    /// Whether the store can be written now.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn writable(&self) -> Result<(), Error> {
        let now = self.clock.now();
        self.write(move |tx| sql::runs::touch(tx, now)).await?;
        if self.engine.is_full() {
            Err(Error::Full)
        } else {
            Ok(())
        }
    }
}

fn open_engine(url: &str, called: &Arc<Notify>, clock: &Clock) -> Result<Arc<dyn Engine>, Error> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        return Ok(Arc::new(sqlite::Sqlite::open(path, clock)?));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Arc::new(postgres::Postgres::open(url, called)?));
    }
    if url == "memory:" {
        return Ok(Arc::new(memory::Memory::open(clock.clone())?));
    }
    Err(Error::Address(url.to_owned()))
}

/// Work as the engine takes it, and its result once it was done.
fn item<T: Send + 'static>(
    work: impl Fn(&dyn Db) -> Result<T, Error> + Send + 'static,
) -> (Item, impl FnOnce() -> Result<T, Error>) {
    let slot = Arc::new(Mutex::new(None));
    let result = Arc::clone(&slot);
    let item: Item = Box::new(move |db| {
        let done = work(db)?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        Ok(())
    });
    (item, move || {
        let done = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.ok_or(Error::Closed)
    })
}
