//! How endpoints fare: a row for each whose last attempt failed, or that is switched off.

use std::collections::BTreeMap;

use super::super::{EndpointStanding, Error, Faring, NewMessage};
use super::{Db, values};
use crate::domain::{EndpointName, Timestamp};

/// One message is tried this long after an endpoint was switched off, and again after each try that failed.
const PROBE_EVERY_MS: u32 = 15 * 60 * 1_000;

/// Counts an attempt. One that went well ends what there was, and switches the endpoint on again.
pub(crate) fn fared(db: &dyn Db, name: &EndpointName, well: bool, at: Timestamp) -> Result<Faring, Error> {
    if well {
        // One that is off for good stays so: what was on its way may still arrive.
        let sql = "DELETE FROM endpoints WHERE name = ?1 AND (off_since IS NULL OR probe_at IS NOT NULL)";
        db.execute(sql, values![name.as_str()])?;
        return Ok(Faring::default());
    }
    let sql = "INSERT INTO endpoints (name, failures, since, told) VALUES (?1, 1, ?2, 0)
               ON CONFLICT (name) DO UPDATE SET failures = endpoints.failures + 1";
    db.execute(sql, values![name.as_str(), at.as_millis()])?;
    let sql = "SELECT failures, since, told, off_since FROM endpoints WHERE name = ?1";
    let found = db.first(sql, values![name.as_str()], |row| {
        Ok(Faring {
            failures: row.get(0)?,
            since: row.get(1)?,
            told: row.get(2)?,
            off: row.get::<Option<Timestamp>>(3)?.is_some(),
        })
    })?;
    Ok(found.unwrap_or_default())
}

/// Forgets what went wrong: the endpoint is on, and its failures count anew. Whether there was anything.
pub(crate) fn forget(db: &dyn Db, name: &EndpointName) -> Result<bool, Error> {
    Ok(db.execute("DELETE FROM endpoints WHERE name = ?1", values![name.as_str()])? > 0)
}

/// Queues what others are told of an endpoint that fails, unless they were told since it began to.
pub(crate) fn tell(db: &dyn Db, name: &EndpointName, messages: &[NewMessage]) -> Result<bool, Error> {
    let sql = "UPDATE endpoints SET told = 1 WHERE name = ?1 AND told = 0";
    let first = db.execute(sql, values![name.as_str()])? > 0;
    if first {
        messages
            .iter()
            .try_for_each(|message| super::outbox::queue(db, message))?;
    }
    Ok(first)
}

/// Switches an endpoint off. What waits for it is kept, so that it can be delivered when it is on again; with `probed`, one
/// message is tried from time to time, else it is off until a person switches it on. Whether that is news.
pub(crate) fn off(
    db: &dyn Db,
    name: &EndpointName,
    reason: &str,
    probed: bool,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<bool, Error> {
    let probe_at = probed.then(|| now.plus_ms(PROBE_EVERY_MS.into()).as_millis());
    let sql = "INSERT INTO endpoints (name, failures, since, told) VALUES (?1, 0, ?2, 0) ON CONFLICT (name) DO NOTHING";
    db.execute(sql, values![name.as_str(), now.as_millis()])?;
    let news = match probed {
        true => "off_since IS NULL",
        false => "(off_since IS NULL OR probe_at IS NOT NULL)",
    };
    let sql = format!(
        "UPDATE endpoints SET off_reason = ?2, off_since = ?3, probe_at = ?4, told = 1 WHERE name = ?1 AND {news}"
    );
    let first = db.execute(&sql, values![name.as_str(), reason, now.as_millis(), probe_at])? > 0;
    if first {
        messages
            .iter()
            .try_for_each(|message| super::outbox::queue(db, message))?;
    }
    Ok(first)
}

/// Endpoints that are off and to be probed; each is given to one who asks, until the next time.
pub(crate) fn to_probe(db: &dyn Db, now_ms: i64) -> Result<Vec<String>, Error> {
    let sql = "SELECT name, probe_at FROM endpoints WHERE off_since IS NOT NULL AND probe_at <= ?1";
    let due: Vec<(String, i64)> = db.all(sql, values![now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut ours = Vec::new();
    for (name, at) in due {
        let sql = "UPDATE endpoints SET probe_at = ?3 WHERE name = ?1 AND probe_at = ?2";
        if db.execute(sql, values![name, at, now_ms + i64::from(PROBE_EVERY_MS)])? > 0 {
            ours.push(name);
        }
    }
    Ok(ours)
}

/// Endpoints that something waits for, or that are in the table.
pub(crate) fn standing(db: &dyn Db) -> Result<Vec<EndpointStanding>, Error> {
    let sql = "SELECT endpoint, count(*), min(created_at) FROM messages WHERE state = 'queued' GROUP BY endpoint";
    let waiting: Vec<(String, u64, Option<Timestamp>)> =
        db.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let sql = "SELECT name, failures, off_since FROM endpoints";
    let failing: Vec<(String, u32, Option<Timestamp>)> =
        db.all(sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut standing: BTreeMap<String, EndpointStanding> = BTreeMap::new();
    for (name, queued, oldest) in waiting {
        let found = standing.entry(name).or_default();
        (found.queued, found.oldest) = (queued, oldest);
    }
    for (name, failures, off_since) in failing {
        let found = standing.entry(name).or_default();
        (found.failures, found.off) = (failures, off_since.is_some());
    }
    Ok(standing
        .into_iter()
        .map(|(name, found)| EndpointStanding { name, ..found })
        .collect())
}
