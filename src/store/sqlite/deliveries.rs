//! Received deliveries and their deduplication keys.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Accepted, Error, NewDelivery, StoredDelivery};
use super::unreadable;
use crate::domain::{DeliveryId, RunId, Timestamp};

/// Stores a delivery unless its key is known. Both happen in one transaction, so a key is known if and only if its
/// delivery is durable.
pub(crate) fn accept(db: &Connection, delivery: &NewDelivery) -> Result<Accepted, Error> {
    let platform = delivery.platform.as_str();
    let known: Option<String> = db
        .prepare_cached("SELECT delivery FROM dedup WHERE platform = ?1 AND key = ?2")?
        .query_row(params![platform, delivery.dedup_key], |row| row.get(0))
        .optional()?;
    if let Some(of) = known {
        return Ok(Accepted::Duplicate {
            of: DeliveryId::new(of),
        });
    }
    db.prepare_cached("INSERT INTO dedup (platform, key, delivery, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            platform,
            delivery.dedup_key,
            delivery.id.as_str(),
            delivery.received_at.as_millis()
        ])?;
    let heard = match &delivery.heard {
        Some(heard) => Some(serde_json::to_string(heard).map_err(|error| unreadable("delivery", error))?),
        None => None,
    };
    let headers = serde_json::to_string(&delivery.headers).map_err(|error| unreadable("headers", error))?;
    db.prepare_cached(
        "INSERT INTO deliveries (id, platform, received_at, event_word, deployment, heard, opened_app, headers, body, note)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        delivery.id.as_str(),
        platform,
        delivery.received_at.as_millis(),
        delivery.event_word,
        delivery.heard.as_ref().map(|heard| heard.deployment.as_str()),
        heard,
        delivery.opened_app,
        headers,
        delivery.body,
        delivery.note
    ])?;
    Ok(Accepted::Stored)
}

pub(crate) fn unhandled(db: &Connection, limit: usize) -> Result<Vec<StoredDelivery>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT id, platform, received_at, heard, opened_app FROM deliveries
         WHERE note IS NULL AND heard IS NOT NULL ORDER BY id LIMIT ?1",
    )?;
    let mut rows = statement.query(params![i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let heard: String = row.get(3)?;
        found.push(StoredDelivery {
            id: DeliveryId::new(row.get::<_, String>(0)?),
            platform: row.get::<_, String>(1)?.as_str().into(),
            received_at: Timestamp::from_millis(row.get(2)?),
            heard: serde_json::from_str(&heard).map_err(|error| unreadable("delivery", error))?,
            opened_app: row.get(4)?,
        });
    }
    Ok(found)
}

/// Marks a delivery as dealt with.
pub(crate) fn mark_handled(db: &Connection, id: &DeliveryId, run: Option<&RunId>, note: &str) -> Result<(), Error> {
    db.prepare_cached("UPDATE deliveries SET note = ?2, run = coalesce(?3, run) WHERE id = ?1")?
        .execute(params![id.as_str(), note, run.map(RunId::as_str)])?;
    Ok(())
}
