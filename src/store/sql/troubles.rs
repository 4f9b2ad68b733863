//! What keeps rollbacks from being possible now: a row for each trouble that was told of.

use super::super::{Error, NewMessage};
use super::{Db, values};
use crate::domain::Timestamp;

/// Keeps a trouble and queues what is told of it, unless it is known already.
pub(crate) fn begin(
    db: &dyn Db,
    about: &str,
    reason: &str,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<bool, Error> {
    let sql = "INSERT INTO troubles (about, reason, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let first = db.execute(sql, values![about, reason, now.as_millis()])? > 0;
    if first {
        messages
            .iter()
            .try_for_each(|message| super::outbox::queue(db, message))?;
    }
    Ok(first)
}

/// Forgets a trouble and queues what is told of its end, if it is known.
pub(crate) fn end(db: &dyn Db, about: &str, messages: &[NewMessage]) -> Result<bool, Error> {
    let known = db.execute("DELETE FROM troubles WHERE about = ?1", values![about])? > 0;
    if known {
        messages
            .iter()
            .try_for_each(|message| super::outbox::queue(db, message))?;
    }
    Ok(known)
}

/// What is wrong now, oldest first.
pub(crate) fn all(db: &dyn Db) -> Result<Vec<(String, String, Timestamp)>, Error> {
    let sql = "SELECT about, reason, since FROM troubles ORDER BY since, about";
    db.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}
