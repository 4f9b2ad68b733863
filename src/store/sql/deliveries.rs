//! Received deliveries and their deduplication keys.

use super::super::{Accepted, Error, NewDelivery, StoredDelivery};
use super::{Db, silence, unreadable, values};
use crate::domain::{DeliveryId, RunId};

/// Stores a delivery unless its key is known. Both happen in one transaction, so a key is known if and only if its
/// delivery is durable.
pub(crate) fn accept(db: &dyn Db, delivery: &NewDelivery) -> Result<Accepted, Error> {
    let platform = delivery.platform.as_str();
    let sql = "INSERT INTO dedup (platform, key, delivery, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    let at = delivery.received_at.as_millis();
    if db.execute(sql, values![platform, delivery.dedup_key, delivery.id.as_str(), at])? == 0 {
        let sql = "SELECT delivery FROM dedup WHERE platform = ?1 AND key = ?2";
        let of: Option<String> = db.first(sql, values![platform, delivery.dedup_key], |row| row.get(0))?;
        return Ok(Accepted::Duplicate {
            of: DeliveryId::new(of.unwrap_or_default()),
        });
    }
    let heard = match &delivery.heard {
        Some(heard) => Some(serde_json::to_string(heard).map_err(|error| unreadable("delivery", error))?),
        None => None,
    };
    let headers = serde_json::to_string(&delivery.headers).map_err(|error| unreadable("headers", error))?;
    let app = delivery.heard.as_ref().and_then(|heard| heard.app.as_ref());
    let app = app.or(delivery.opened_app.as_ref());
    db.execute("INSERT INTO deliveries (id, platform, received_at, event_word, deployment, heard, opened_app, headers, body, note, app)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)", values![
        delivery.id.as_str(),
        platform,
        delivery.received_at.as_millis(),
        delivery.event_word,
        delivery.heard.as_ref().map(|heard| heard.deployment.as_str()),
        heard,
        delivery.opened_app,
        headers,
        delivery.body,
        delivery.note,
        app
    ])?;
    if let Some(heard) = &delivery.heard {
        silence::heard(db, &delivery.platform, heard, delivery.received_at)?;
    }
    Ok(Accepted::Stored)
}

pub(crate) fn unhandled(db: &dyn Db, limit: usize) -> Result<Vec<StoredDelivery>, Error> {
    let sql = "SELECT id, platform, received_at, heard, opened_app FROM deliveries
               WHERE note IS NULL AND heard IS NOT NULL ORDER BY id LIMIT ?1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    db.all(sql, values![limit], |row| {
        let heard: String = row.get(3)?;
        Ok(StoredDelivery {
            id: DeliveryId::new(row.get::<String>(0)?),
            platform: row.get::<String>(1)?.as_str().into(),
            received_at: row.get(2)?,
            heard: serde_json::from_str(&heard).map_err(|error| unreadable("delivery", error))?,
            opened_app: row.get(4)?,
        })
    })
}

/// Marks a delivery as dealt with; whether nobody had done so before.
pub(crate) fn mark_handled(db: &dyn Db, id: &DeliveryId, run: Option<&RunId>, note: &str) -> Result<bool, Error> {
    let sql = "UPDATE deliveries SET note = ?2, run = coalesce(?3, run) WHERE id = ?1 AND note IS NULL";
    Ok(db.execute(sql, values![id.as_str(), note, run.map(RunId::as_str)])? > 0)
}
