//! What runs the store's SQL: a contract with one implementation per kind of database.

use futures_util::future::BoxFuture;

use super::Error;
use super::sql::Db;

/// One piece of work on the database. It may be run again if the database asks for that, so nothing but its last run
/// counts.
pub(crate) type Item = Box<dyn FnMut(&dyn Db) -> Result<(), Error> + Send>;

/// What the engine has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions committed.
    pub commits: u64,
    /// Items in them.
    pub items: u64,
}

/// A database.
pub(crate) trait Engine: Send + Sync {
    /// Runs `item` in a transaction; all of it holds and is durable on return, or nothing of it.
    fn write(&self, item: Item) -> BoxFuture<'_, Result<(), Error>>;

    /// Runs a question, which changes nothing.
    fn read(&self, question: Item) -> BoxFuture<'_, Result<(), Error>>;

    /// Ends what is under way and lets go of the database. Blocks.
    fn close(&self);

    /// What it has done so far.
    fn counters(&self) -> Counters;

    /// Its address, without anything secret.
    fn place(&self) -> String;

    /// Whether other agents may have the same database open.
    fn is_shared(&self) -> bool;

    /// Whether the disk is full, so that only what is under way is still written.
    fn is_full(&self) -> bool {
        false
    }
}
