//! The engine for simulations and trials: nothing outlives the process, and nothing runs on another thread.
//!
//! The same SQL on SQLite's own memory, so that it cannot differ from what a file holds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::future::{BoxFuture, FutureExt as _};
use rusqlite::Connection;

use super::Error;
use super::engine::{Counters, Engine, Item};
use super::sqlite::{Database, STATEMENTS_MAX, migrate};
use crate::clock::Clock;

/// A database in memory. Several agents of one process may share it.
pub(super) struct Memory {
    connection: Mutex<Connection>,
    clock: Clock,
    commits: AtomicU64,
}

impl Memory {
    pub(super) fn open(clock: Clock) -> Result<Self, Error> {
        let mut connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        migrate(&mut connection, "memory:")?;
        Ok(Self {
            connection: Mutex::new(connection),
            clock,
            commits: AtomicU64::new(0),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transact(&self, mut item: Item) -> Result<(), Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        item(&Database::new(&transaction, &self.clock))?;
        transaction.commit()?;
        self.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl Engine for Memory {
    fn write(&self, item: Item) -> BoxFuture<'_, Result<(), Error>> {
        async move { self.transact(item) }.boxed()
    }

    fn read(&self, mut question: Item) -> BoxFuture<'_, Result<(), Error>> {
        async move { question(&Database::new(&self.lock(), &self.clock)) }.boxed()
    }

    fn close(&self) {}

    fn counters(&self) -> Counters {
        let commits = self.commits.load(Ordering::Relaxed);
        Counters {
            commits,
            items: commits,
        }
    }

    fn place(&self) -> String {
        "memory:".to_owned()
    }

    fn is_shared(&self) -> bool {
        true
    }
}
