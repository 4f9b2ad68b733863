//! The engine for several agents: a few threads, each with a connection to one PostgreSQL.
//!
//! Each item is a transaction of its own at `READ COMMITTED`; whatever two agents may decide at the same time is a statement
//! that changes a row only as it was seen (`UPDATE … WHERE version = …`, `ON CONFLICT`), so no other isolation is needed. A
//! transaction that the server asks to repeat is repeated. A server that has gone is an error at once, and is dialled again.

mod connection;
mod database;
mod listener;
mod tls;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use postgres::Config;
use tokio::sync::{Notify, mpsc, oneshot};

use self::connection::{Connection, Kind};
use super::Error;
use super::engine::{Counters, Engine, Item};
pub(super) use listener::Listener;

/// Connections that work; one more listens.
const CONNECTIONS: usize = 6;
/// Items that may wait for them; past that, callers are told to try again.
const JOBS_MAX: usize = 4_096;

struct Job {
    kind: Kind,
    item: Item,
    reply: oneshot::Sender<Result<(), Error>>,
}

/// A PostgreSQL database.
pub(super) struct Postgres {
    place: String,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    listener: Mutex<Option<Listener>>,
    commits: Arc<AtomicU64>,
}

impl Postgres {
    /// Connects and brings the schema up to date. Blocks. `changed` is told when another agent says that there is news.
    pub(super) fn open(url: &str, changed: &Arc<Notify>) -> Result<Self, Error> {
        let config = config(url)?;
        let place = place(&config);
        let mut first = Connection::new(config.clone(), place.clone());
        first.migrate()?;
        let (sender, queue) = mpsc::channel::<Job>(JOBS_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let commits = Arc::new(AtomicU64::new(0));
        let mut connections = vec![first];
        connections.extend((1..CONNECTIONS).map(|_| Connection::new(config.clone(), place.clone())));
        let threads = connections.into_iter().map(|connection| {
            let (queue, commits) = (Arc::clone(&queue), Arc::clone(&commits));
            std::thread::Builder::new()
                .name("store".to_owned())
                .spawn(move || work(connection, &queue, &commits))
        });
        let threads: Vec<_> = threads.collect::<Result<_, _>>().map_err(Error::Thread)?;
        let listener = Listener::start(config, Arc::clone(changed)).map_err(Error::Thread)?;
        Ok(Self {
            place,
            jobs: Mutex::new(Some(sender)),
            threads: Mutex::new(threads),
            listener: Mutex::new(Some(listener)),
            commits,
        })
    }

    async fn ask(&self, kind: Kind, item: Item) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let queue = lock(&self.jobs).clone().ok_or(Error::Closed)?;
        let job = Job { kind, item, reply };
        match kind {
            Kind::Write => queue.try_send(job).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Error::Busy,
                mpsc::error::TrySendError::Closed(_) => Error::Closed,
            })?,
            Kind::Read => queue.send(job).await.map_err(|_| Error::Closed)?,
        }
        answer.await.map_err(|_| Error::Closed)?
    }
}

impl Engine for Postgres {
    fn write(&self, item: Item) -> BoxFuture<'_, Result<(), Error>> {
        self.ask(Kind::Write, item).boxed()
    }

    fn read(&self, question: Item) -> BoxFuture<'_, Result<(), Error>> {
        self.ask(Kind::Read, question).boxed()
    }

    fn close(&self) {
        lock(&self.jobs).take();
        for thread in lock(&self.threads).drain(..) {
            let _ = thread.join();
        }
        if let Some(listener) = lock(&self.listener).take() {
            listener.stop();
        }
    }

    fn counters(&self) -> Counters {
        let commits = self.commits.load(Ordering::Relaxed);
        Counters {
            commits,
            items: commits,
        }
    }

    fn place(&self) -> String {
        self.place.clone()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// Takes jobs, one after the other, until there will be none.
fn work(mut connection: Connection, queue: &Mutex<mpsc::Receiver<Job>>, commits: &AtomicU64) {
    loop {
        // The lock is held while waiting: whoever waits next for a job waits for the lock instead.
        let job = lock(queue).blocking_recv();
        let Some(Job { kind, mut item, reply }) = job else {
            return;
        };
        let result = connection.run(kind, &mut item);
        if result.is_ok() && kind == Kind::Write {
            commits.fetch_add(1, Ordering::Relaxed);
        }
        let _ = reply.send(result);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn config(url: &str) -> Result<Config, Error> {
    let mut config: Config = url.parse().map_err(|_| Error::Address(without_password(url)))?;
    config
        .application_name("backstop")
        .connect_timeout(connection::CONNECT_MAX)
        .tcp_user_timeout(connection::SILENCE_MAX)
        .keepalives_idle(connection::SILENCE_MAX);
    Ok(config)
}

/// The address up to what may be secret in it.
fn without_password(url: &str) -> String {
    let host = url.rsplit_once('@').map_or(url, |(_, host)| host);
    let host = host.split(['?', ' ']).next().unwrap_or_default();
    format!(
        "postgres://{}",
        host.trim_start_matches("postgres://")
            .trim_start_matches("postgresql://")
    )
}

/// Where the database is, for people.
fn place(config: &Config) -> String {
    let host = config.get_hosts().first().map_or_else(String::new, |host| match host {
        postgres::config::Host::Tcp(host) => host.clone(),
        #[cfg(unix)]
        postgres::config::Host::Unix(path) => path.display().to_string(),
    });
    format!("postgres://{host}/{}", config.get_dbname().unwrap_or_default())
}
