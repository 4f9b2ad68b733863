//! What the store keeps, in SQL that every engine understands.
//!
//! One file per kind of row. Each function is given a database inside of a transaction, and knows nothing of who runs it.
//! Placeholders are `?1`, `?2`, …; numbers are 64-bit integers, truth is 0 or 1, moments are milliseconds since 1970.

mod db;
pub(super) mod deliveries;
pub(super) mod endpoints;
pub(super) mod leases;
pub(super) mod ledger;
pub(super) mod lists;
pub(super) mod outbox;
pub(super) mod retention;
pub(super) mod runs;
pub(super) mod schema;
pub(super) mod silence;
pub(super) mod times;
pub(super) mod troubles;
pub(super) mod trust;
pub(super) mod views;
mod walk;

pub(super) use db::{Cell, ToValue, values};
pub(crate) use db::{Db, Row, Value};

use super::Error;

/// A count as it is stored; never negative.
fn unsigned(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// A number as it is stored; more than fits is as good as the most.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A row that does not hold what this version writes.
fn unreadable(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Row(format!("{what}: {error}"))
}
