//! The schema and its forward steps.

use super::super::Error;
use super::{Db, values};

/// Forward steps, in SQLite's words; the schema's version is how many of them were taken.
pub(crate) const STEPS: &[&str] = &[include_str!("migrations/001.sql"), include_str!("migrations/002.sql")];

/// The same in PostgreSQL's words. Replaced in this order.
const POSTGRES_WORDS: &[(&str, &str)] = &[
    (") STRICT, WITHOUT ROWID;", ");"),
    (") STRICT;", ");"),
    (
        "number INTEGER PRIMARY KEY",
        "number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    ),
    (" INTEGER", " BIGINT"),
    (" BLOB", " BYTEA"),
    ("heard ->> 'app'", "CAST(heard AS JSON) ->> 'app'"),
];

/// A step in PostgreSQL's words.
pub(crate) fn for_postgres(step: &str) -> String {
    POSTGRES_WORDS
        .iter()
        .fold(step.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The steps that a store at `found` has not taken yet, with the version that each leads to.
///
/// # Errors
/// When a newer version of this program has written it.
pub(crate) fn steps_after(found: i64, place: &str) -> Result<impl Iterator<Item = (i64, &'static str)>, Error> {
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(Error::NewerSchema {
            path: place.to_owned(),
            found,
            known,
        });
    }
    let missing = STEPS.iter().copied().zip(1..).skip(usize::try_from(found).unwrap_or(0));
    Ok(missing.map(|(step, version)| (version, step)))
}

/// Where PostgreSQL keeps the version; a table, because it has nothing like SQLite's `user_version`.
pub(crate) const VERSION_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS backstop_schema (one BIGINT PRIMARY KEY, version BIGINT NOT NULL)";

/// The version kept there, locked until the transaction ends, so that agents which start together take the steps one
/// after the other.
pub(crate) fn locked_version(db: &dyn Db) -> Result<i64, Error> {
    db.execute(
        "INSERT INTO backstop_schema (one, version) VALUES (1, 0) ON CONFLICT (one) DO NOTHING",
        &[],
    )?;
    let sql = "SELECT version FROM backstop_schema WHERE one = 1 FOR UPDATE";
    Ok(db.first(sql, &[], |row| row.get(0))?.unwrap_or(0))
}

/// Keeps the version.
pub(crate) fn set_version(db: &dyn Db, version: i64) -> Result<(), Error> {
    db.execute(
        "UPDATE backstop_schema SET version = ?1 WHERE one = 1",
        values![version],
    )?;
    Ok(())
}
