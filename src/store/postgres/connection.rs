//! One connection: dialled when it is needed, dialled again when it broke.

use std::time::Duration;

use postgres::error::SqlState;
use postgres::{Client, Config};

use super::super::Error;
use super::super::engine::Item;
use super::super::sql::schema::{VERSION_TABLE, for_postgres, locked_version, set_version, steps_after};
use super::database::Database;
use super::tls;

/// How long dialling may take.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long a server may leave what was sent unconfirmed.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(10);
/// What every connection is told first. A statement or a lock that takes longer fails, and with it the item.
const GREETING: &str = "SET statement_timeout = '10s'; SET lock_timeout = '5s'; \
                        SET idle_in_transaction_session_timeout = '30s'; SET synchronous_commit = on";
/// How often a transaction is run that the server asks to repeat.
const TRIES: u32 = 5;

/// Whether an item writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// In a transaction.
    Write,
    /// It changes nothing.
    Read,
}

/// A connection to the server, or the wish for one.
pub(super) struct Connection {
    config: Config,
    place: String,
    database: Option<Database>,
}

impl Connection {
    pub(super) fn new(config: Config, place: String) -> Self {
        Self {
            config,
            place,
            database: None,
        }
    }

    /// Runs an item; again, if the server asks for that.
    pub(super) fn run(&mut self, kind: Kind, item: &mut Item) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let fresh = self.database.is_none();
            let result = self.open().and_then(|database| match kind {
                Kind::Write => database.transact(|database| item(database)),
                Kind::Read => item(database),
            });
            tries += 1;
            if self.database.as_ref().is_some_and(Database::is_broken) {
                self.database = None;
            }
            match result {
                Err(error) if tries < TRIES && error.is_retryable() => {}
                // A connection that broke while nobody used it says nothing of the server.
                Err(Error::Unreachable { .. }) if kind == Kind::Read && !fresh && tries == 1 => {}
                other => return other,
            }
        }
    }

    fn open(&mut self) -> Result<&Database, Error> {
        if self.database.is_none() {
            self.database = Some(Database::new(connect(&self.config, &self.place)?, self.place.clone()));
        }
        self.database.as_ref().ok_or(Error::Closed)
    }

    /// Brings the schema up to date. Agents that start together take turns.
    pub(super) fn migrate(&mut self) -> Result<(), Error> {
        let place = self.place.clone();
        // Two sessions that make the same table at the same moment: the second fails, and finds it there.
        let made = self.open()?.run_script(VERSION_TABLE);
        if made.is_err() {
            self.open()?.run_script(VERSION_TABLE)?;
        }
        self.open()?.transact(|database| {
            let found = locked_version(database)?;
            for (version, step) in steps_after(found, &place)? {
                database.run_script(&for_postgres(step))?;
                set_version(database, version)?;
            }
            Ok(())
        })
    }
}

/// A new connection that was told what all are told.
pub(super) fn connect(config: &Config, place: &str) -> Result<Client, Error> {
    let tls = tls::connector().map_err(|error| Error::Unreachable {
        place: place.to_owned(),
        why: format!("TLS cannot be set up: {error}"),
    })?;
    let mut client = config.connect(tls).map_err(|error| unreachable(place, &error))?;
    client
        .batch_execute(GREETING)
        .map_err(|error| unreachable(place, &error))?;
    Ok(client)
}

fn unreachable(place: &str, error: &postgres::Error) -> Error {
    Error::Unreachable {
        place: place.to_owned(),
        why: words(error),
    }
}

/// What the server or the network says, without the statement.
pub(super) fn words(error: &postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    let cause = std::error::Error::source(error).map(ToString::to_string);
    match cause {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// What an error of the server means for the store.
pub(super) fn meaning(place: &str, error: &postgres::Error) -> Error {
    let Some(code) = error.code() else {
        return unreachable(place, error);
    };
    let repeat = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
    ];
    let gone = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    if repeat.contains(code) {
        Error::Repeat(words(error))
    } else if *code == SqlState::DISK_FULL {
        Error::Full
    } else if gone.contains(code) {
        unreachable(place, error)
    } else if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED {
        Error::Corrupt(words(error))
    } else {
        Error::Postgres(format!("{} ({})", words(error), code.code()))
    }
}
