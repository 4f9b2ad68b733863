//! What is removed because it is old or too much: found in one question, removed in another, so that nobody waits for a search.

use super::super::Error;
use super::{Db, Row, leases, signed, unsigned, values};
use crate::domain::Timestamp;

/// Deduplication keys are kept this long: 48 hours.
const DEDUP_MS: u64 = 48 * 3_600_000;
/// What became ready is asked after for so long: a week.
const AWAITED_MS: u64 = 7 * 24 * 3_600_000;
/// Rows that one transaction removes at most, but for the attempts of its last message.
pub(crate) const ROWS_MAX: u64 = 500;
/// What a row takes beside its longer texts, in bytes: its head, its ids and moments, its share of the indexes.
const ROW_BYTES: u64 = 250;

/// What ends, and is removed some time after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Delivery,
    Message,
    Run,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Delivery, Self::Message, Self::Run];
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    /// When it ended, or came.
    pub(crate) at: i64,
    /// Whether nothing waits for it.
    pub(crate) is_done: bool,
    /// What is free when it is gone, about.
    pub(crate) bytes: u64,
}

/// The oldest `limit` of a kind after `after`, oldest first; among them some that somebody still waits for.
///
/// Each goes along an index, so that looking costs the rows that are found. The ids of deliveries sort by age.
pub(crate) fn oldest(db: &dyn Db, kind: Kind, after: Option<&Ended>, limit: usize) -> Result<Vec<Ended>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (at, id) = after.map_or((i64::MIN, ""), |last| (last.at, last.id.as_str()));
    let found = |row: &Row| {
        Ok(Ended {
            kind,
            id: row.get(0)?,
            at: row.get(1)?,
            is_done: row.get(2)?,
            bytes: row.get::<u64>(3)?.saturating_add(ROW_BYTES),
        })
    };
    match kind {
        Kind::Delivery => {
            let sql = "SELECT id, received_at, CASE WHEN note IS NULL AND heard IS NOT NULL THEN 0 ELSE 1 END,
                              octet_length(body) + octet_length(headers) + coalesce(octet_length(heard), 0)
                       FROM deliveries WHERE id > ?1 ORDER BY id LIMIT ?2";
            db.all(sql, values![id, limit], found)
        }
        Kind::Message => {
            let sql = format!(
                "SELECT id, created_at, CASE WHEN state = 'queued' THEN 0 ELSE 1 END, octet_length(body) +
                        (SELECT coalesce(sum(octet_length(response) + {ROW_BYTES}), 0) FROM attempts WHERE message = m.id)
                 FROM messages m WHERE (created_at, id) > (?1, ?2) ORDER BY created_at, id LIMIT ?3"
            );
            db.all(&sql, values![at, id, limit], found)
        }
        Kind::Run => {
            let sql = format!(
                "SELECT id, ended_at, 1, octet_length(state) +
                        (SELECT coalesce(sum(octet_length(text) + coalesce(octet_length(data), 0) + {ROW_BYTES}), 0)
                         FROM journal WHERE run = r.id)
                 FROM runs r WHERE ended_at IS NOT NULL AND (ended_at, id) > (?1, ?2) ORDER BY ended_at, id LIMIT ?3"
            );
            db.all(&sql, values![at, id, limit], found)
        }
    }
}

/// Removes the first of `items`, as many as fit into one transaction; how many of them are gone. What was wanted again since
/// it was found stays.
pub(crate) fn remove(db: &dyn Db, items: &[Ended]) -> Result<usize, Error> {
    let mut rows = ROWS_MAX;
    for (gone, item) in items.iter().enumerate() {
        match item.kind {
            Kind::Delivery => {
                let sql = "DELETE FROM deliveries WHERE id = ?1 AND (note IS NOT NULL OR heard IS NULL)";
                rows = rows.saturating_sub(db.execute(sql, values![item.id])?);
            }
            Kind::Message => rows = rows.saturating_sub(remove_message(db, &item.id)?),
            Kind::Run => {
                rows = rows.saturating_sub(remove_run(db, &item.id, rows)?);
                if rows == 0 {
                    // A part of its story may be left.
                    return Ok(gone);
                }
            }
        }
        if rows == 0 {
            return Ok(gone + 1);
        }
    }
    Ok(items.len())
}

fn remove_message(db: &dyn Db, id: &str) -> Result<u64, Error> {
    let sql = "DELETE FROM messages WHERE id = ?1 AND state <> 'queued'";
    if db.execute(sql, values![id])? == 0 {
        return Ok(0);
    }
    Ok(1 + db.execute("DELETE FROM attempts WHERE message = ?1", values![id])?)
}

/// Removes a run's story, and itself with the last of it; how many rows that were, at most `rows_max`.
fn remove_run(db: &dyn Db, id: &str, rows_max: u64) -> Result<u64, Error> {
    // Changes nothing, and holds the row: whoever takes the run up again does so before or after.
    let sql = "UPDATE runs SET phase = phase WHERE id = ?1 AND ended_at IS NOT NULL";
    if db.execute(sql, values![id])? == 0 {
        return Ok(0);
    }
    let sql =
        "DELETE FROM journal WHERE number IN (SELECT number FROM journal WHERE run = ?1 ORDER BY number LIMIT ?2)";
    let told = db.execute(sql, values![id, signed(rows_max)])?;
    if told == rows_max {
        return Ok(told);
    }
    db.execute("DELETE FROM labels WHERE run = ?1", values![id])?;
    Ok(told + db.execute("DELETE FROM runs WHERE id = ?1", values![id])?)
}

/// A place between deduplication keys.
pub(crate) type Key = (String, Vec<u8>);

/// The end of the page of keys after `after`, and whether one of the page is too old; `None` after the last key.
pub(crate) fn keys_after(db: &dyn Db, after: &Key, now: Timestamp) -> Result<Option<(Key, bool)>, Error> {
    let sql = "SELECT platform, key, at FROM dedup WHERE (platform, key) > (?1, ?2) ORDER BY platform, key LIMIT ?3";
    let page: Vec<(Key, i64)> = db.all(sql, values![after.0, after.1, signed(ROWS_MAX)], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
    })?;
    let old = too_old(now, DEDUP_MS);
    let is_any_old = page.iter().any(|(_, at)| *at < old);
    Ok(page.into_iter().next_back().map(|(key, _)| (key, is_any_old)))
}

/// Removes the keys of a page that are too old.
pub(crate) fn remove_keys(db: &dyn Db, after: &Key, to: &Key, now: Timestamp) -> Result<u64, Error> {
    let sql = "DELETE FROM dedup WHERE at < ?1 AND (platform, key) > (?2, ?3) AND (platform, key) <= (?4, ?5)";
    db.execute(sql, values![too_old(now, DEDUP_MS), after.0, after.1, to.0, to.1])
}

/// Removes what there is little of: pauses that are over, leases of agents that are gone, deployments that nothing could be
/// learned of since they were ready, configs from before `old` that no run began with.
pub(crate) fn remove_the_rest(db: &dyn Db, now: Timestamp, old: Timestamp) -> Result<(), Error> {
    db.execute("DELETE FROM pauses WHERE until < ?1", values![now.as_millis()])?;
    leases::purge(db)?;
    db.execute("DELETE FROM awaited WHERE at < ?1", values![too_old(now, AWAITED_MS)])?;
    let sql = "DELETE FROM configs WHERE at < ?1 AND NOT EXISTS (SELECT 1 FROM runs WHERE config_hash = hash)";
    db.execute(sql, values![old.as_millis()])?;
    Ok(())
}

fn too_old(now: Timestamp, ms: u64) -> i64 {
    now.as_millis().saturating_sub_unsigned(ms)
}

/// What the rows hold, in bytes, for databases that do not say what is used of their files: lengths of the longer texts, which
/// are known without reading them, and a share for each row.
pub(crate) fn held_bytes(db: &dyn Db) -> Result<u64, Error> {
    const HELD: [(&str, &str); 7] = [
        ("dedup", "octet_length(key)"),
        (
            "deliveries",
            "octet_length(body) + octet_length(headers) + coalesce(octet_length(heard), 0)",
        ),
        ("runs", "octet_length(state)"),
        ("journal", "octet_length(text) + coalesce(octet_length(data), 0)"),
        ("messages", "octet_length(body)"),
        ("attempts", "octet_length(response)"),
        ("configs", "octet_length(text)"),
    ];
    let mut bytes = 0_u64;
    for (table, length) in HELD {
        let sql = format!("SELECT count(*), coalesce(sum({length}), 0) FROM {table}");
        let held = db.first(&sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (rows, long): (i64, i64) = held.unwrap_or_default();
        bytes = bytes
            .saturating_add(unsigned(rows).saturating_mul(ROW_BYTES))
            .saturating_add(unsigned(long));
    }
    Ok(bytes)
}
