//! What can go wrong with the store, and what to do about it.

use crate::domain::{DeploymentId, RunId};

/// Why the store did not do what was asked. Nothing of the item was stored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not one that this version knows.
    #[error(
        "`{0}` is no store address; write `sqlite://backstop.db`, `sqlite:///` and an absolute path, or `postgres://user:password@host/database`"
    )]
    Address(String),
    /// Another process has the file open.
    #[error("`{0}` is in use by another process; one agent owns a SQLite file, so stop the other one first")]
    Locked(String),
    /// A newer version of this program has written the file.
    #[error("`{path}` has schema version {found}, this program knows up to {known}; use the newer program")]
    NewerSchema {
        /// The file.
        path: String,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// More waits to be written than the queue takes.
    #[error("the store is busy: too much waits to be written; try again")]
    Busy,
    /// The run was changed by somebody else.
    #[error("run {run} is at version {found}, so version {asked} does not follow")]
    Stale {
        /// The run.
        run: RunId,
        /// The stored version.
        found: u64,
        /// The version asked for.
        asked: u64,
    },
    /// Another agent has taken the run over.
    #[error("another agent has taken run {0} over")]
    Fenced(RunId),
    /// Another run judges the deployment, or did.
    #[error("another run judges {0}, or did")]
    RunTaken(DeploymentId),
    /// Another rollback of the app was begun since the guards looked.
    #[error("another rollback of the app was begun since the guards of {0} looked")]
    Overtaken(DeploymentId),
    /// Another run has begun to roll this deployment back.
    #[error("another run has begun to roll {0} back")]
    IntentTaken(DeploymentId),
    /// The disk is full.
    #[error("the disk is full; free space where the store's file is")]
    Full,
    /// The file is damaged.
    #[error("the store's file is damaged ({0}); restore it from a copy")]
    Corrupt(String),
    /// The file cannot be read or written.
    #[error("`{path}` cannot be used as the store: {error}; its folder must be there to be written")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The server cannot be reached, or does not take writes.
    #[error("the store at `{place}` cannot be reached: {why}; it is tried again")]
    Unreachable {
        /// Where it is.
        place: String,
        /// What the network or the server says.
        why: String,
    },
    /// The server wants the transaction to be repeated, and still did after several times.
    #[error("the store is busy with others: {0}; try again")]
    Repeat(String),
    /// Something else that PostgreSQL says.
    #[error("the store failed: {0}")]
    Postgres(String),
    /// No thread could be started.
    #[error("no thread could be started for the store: {0}")]
    Thread(std::io::Error),
    /// Something else that SQLite says.
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
    /// A row does not hold what this version writes.
    #[error("a stored row cannot be read: {0}")]
    Row(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl Error {
    /// Whether somebody else decided first: the run is to be read again, and nothing of the decision holds.
    pub const fn is_conflict(&self) -> bool {
        matches!(
            self,
            Self::Stale { .. } | Self::Fenced(_) | Self::RunTaken(_) | Self::Overtaken(_) | Self::IntentTaken(_)
        )
    }

    /// Whether the same transaction may go through when it is run again at once.
    pub(super) const fn is_retryable(&self) -> bool {
        matches!(self, Self::Repeat(_))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}
