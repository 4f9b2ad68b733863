//! The engine for one agent: one thread that writes, one that reads, and the file they share.
//!
//! The writer takes what waits, puts it into one transaction with a savepoint per item, commits with `synchronous = FULL`, and
//! only then answers, so that callers that arrive together share one `fsync`.

mod database;
pub(super) mod names;
mod reserve;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use self::reserve::Reserve;
use super::Error;
use super::engine::{Counters, Engine, Item};
use crate::clock::Clock;
pub(super) use database::{Database, STATEMENTS_MAX, migrate};

/// Items that may wait for the writer; past that, callers are told to try again.
const WRITES_MAX: usize = 4_096;
/// Items in one transaction.
const BATCH_MAX: usize = 512;
/// The writer's page cache at most; negative is KiB, as SQLite counts it.
const CACHE_KIB: i32 = -8 * 1024;
/// Questions that may wait for the reader.
const READS_MAX: usize = 1_024;

/// The writer's name, as debuggers show it.
const WRITER: &str = "store-writer";

/// One item; without a transaction it only says that it was not stored.
type Write = Box<dyn FnOnce(Option<(&mut rusqlite::Transaction<'_>, &Clock)>) -> (Answer, Found) + Send>;
/// Sends an item's answer once the transaction it was in has ended.
type Answer = Box<dyn FnOnce(Outcome) + Send>;
/// Whether an item found the disk full.
type Found = bool;
/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Committed,
    Failed,
    Full,
}
type Read = Box<dyn FnOnce(&Database<'_>) + Send>;

/// An open SQLite file.
pub(super) struct Sqlite {
    path: String,
    writes: Mutex<Option<mpsc::Sender<Write>>>,
    reads: Mutex<Option<mpsc::Sender<Read>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
    items: Arc<AtomicU64>,
    reserve: Arc<Reserve>,
    /// Held as long as the store is open, so that a second process is refused.
    _lock: File,
}

impl Sqlite {
    pub(super) fn open(path: &str, clock: &Clock) -> Result<Self, Error> {
        let lock = lock(path)?;
        let mut writer = Connection::open(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        writer.pragma_update(None, "synchronous", "FULL")?;
        writer.pragma_update(None, "cache_size", CACHE_KIB)?;
        writer.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        migrate(&mut writer, path)?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        reader.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let (writes, write_queue) = mpsc::channel(WRITES_MAX);
        let (reads, read_queue) = mpsc::channel(READS_MAX);
        let (commits, items) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (counted_commits, counted_items) = (Arc::clone(&commits), Arc::clone(&items));
        let (write_clock, read_clock) = (clock.clone(), clock.clone());
        let reserve = Arc::new(Reserve::new(path));
        let scribe = Scribe {
            connection: writer,
            clock: write_clock,
            reserve: Arc::clone(&reserve),
            commits: counted_commits,
            items: counted_items,
        };
        let write = move || scribe.write_all(write_queue);
        let threads = vec![
            std::thread::Builder::new()
                .name(WRITER.to_owned())
                .spawn(write)
                .map_err(unusable(path))?,
            std::thread::Builder::new()
                .name("store-reader".to_owned())
                .spawn(move || read_all(&reader, &read_clock, read_queue))
                .map_err(unusable(path))?,
        ];
        Ok(Self {
            path: path.to_owned(),
            writes: Mutex::new(Some(writes)),
            reads: Mutex::new(Some(reads)),
            threads: Mutex::new(threads),
            commits,
            items,
            reserve,
            _lock: lock,
        })
    }

    async fn write(&self, item: Item) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let write: Write = Box::new(move |transaction| {
            let result = match transaction {
                Some((transaction, clock)) => in_savepoint(transaction, clock, item),
                None => Err(Error::Busy),
            };
            let full = matches!(result, Err(Error::Full));
            let answer: Answer = Box::new(move |outcome| {
                let result = result.and(match outcome {
                    Outcome::Committed => Ok(()),
                    Outcome::Failed => Err(Error::Busy),
                    Outcome::Full => Err(Error::Full),
                });
                let _ = reply.send(result);
            });
            (answer, full)
        });
        let queue = lock_of(&self.writes).clone().ok_or(Error::Closed)?;
        queue.try_send(write).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Closed,
        })?;
        answer.await.map_err(|_| Error::Closed)?
    }

    async fn read(&self, mut question: Item) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |database| {
            let _ = reply.send(question(database));
        });
        let queue = lock_of(&self.reads).clone().ok_or(Error::Closed)?;
        queue.send(read).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }
}

impl Engine for Sqlite {
    fn write(&self, item: Item) -> BoxFuture<'_, Result<(), Error>> {
        self.write(item).boxed()
    }

    fn read(&self, question: Item) -> BoxFuture<'_, Result<(), Error>> {
        self.read(question).boxed()
    }

    fn counters(&self) -> Counters {
        Counters {
            commits: self.commits.load(Ordering::Relaxed),
            items: self.items.load(Ordering::Relaxed),
        }
    }

    fn place(&self) -> String {
        format!("sqlite://{}", self.path)
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn is_full(&self) -> bool {
        self.reserve.is_given_up()
    }

    /// Lets both threads end what they have, and waits for them: the reader first, because whoever closes the file last
    /// moves the log into it.
    fn close(&self) {
        lock_of(&self.reads).take();
        let mut threads = lock_of(&self.threads);
        for thread in threads.drain(..).rev() {
            lock_of(&self.writes).take_if(|_| thread.thread().name() == Some(WRITER));
            let _ = thread.join();
        }
    }
}

fn lock_of<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unusable(path: &str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |error| Error::Io { path, error }
}

/// An advisory lock beside the file: SQLite's own locks would let a second agent in between transactions.
fn lock(path: &str) -> Result<File, Error> {
    if let Some(folder) = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(unusable(path))?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(format!("{path}.lock"))
        .map_err(unusable(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(unusable(path)(error)),
    }
}

/// Runs one item so that its failure leaves the others of the transaction alone.
fn in_savepoint(transaction: &mut rusqlite::Transaction<'_>, clock: &Clock, mut item: Item) -> Result<(), Error> {
    let savepoint = transaction.savepoint()?;
    item(&Database::new(&savepoint, clock))?;
    Ok(savepoint.commit()?)
}

/// The writer.
struct Scribe {
    connection: Connection,
    clock: Clock,
    reserve: Arc<Reserve>,
    commits: Arc<AtomicU64>,
    items: Arc<AtomicU64>,
}

impl Scribe {
    /// Takes what waits, commits it together, answers.
    fn write_all(mut self, mut queue: mpsc::Receiver<Write>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while queue.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            let count = batch.len() as u64;
            self.reserve.restore(self.clock.now());
            let mut answers = Vec::with_capacity(batch.len());
            let committed = self.commit(batch.drain(..), &mut answers);
            let outcome = match &committed {
                Ok(()) => {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    self.items.fetch_add(count, Ordering::Relaxed);
                    Outcome::Committed
                }
                Err(error) => {
                    tracing::error!(error = %error, items = count, "the store could not commit");
                    if matches!(error, Error::Full) {
                        give_up(&self.reserve, &self.clock);
                        Outcome::Full
                    } else {
                        Outcome::Failed
                    }
                }
            };
            for answer in answers {
                answer(outcome);
            }
        }
    }

    fn commit(&mut self, batch: impl Iterator<Item = Write>, answers: &mut Vec<Answer>) -> Result<(), Error> {
        let begun = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
        let mut transaction = match begun {
            Ok(transaction) => transaction,
            Err(error) => {
                answers.extend(batch.map(|item| item(None).0));
                return Err(error.into());
            }
        };
        let mut full = false;
        for item in batch {
            let (answer, found) = item(Some((&mut transaction, &self.clock)));
            full |= found;
            answers.push(answer);
        }
        let committed = transaction.commit();
        if full && committed.is_ok() {
            give_up(&self.reserve, &self.clock);
        }
        Ok(committed?)
    }
}

fn give_up(reserve: &Reserve, clock: &Clock) {
    if reserve.give_up(clock.now()) {
        tracing::error!("the disk is full: the space kept back is for what is under way; deliveries are refused");
    }
}

fn read_all(connection: &Connection, clock: &Clock, mut queue: mpsc::Receiver<Read>) {
    let database = Database::new(connection, clock);
    while let Some(read) = queue.blocking_recv() {
        read(&database);
    }
}
