//! Outgoing messages, the attempts to deliver them, and endpoints that are switched off.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::{Attempt, Error, Message, NewMessage, Next};
use crate::domain::{EndpointName, MessageId, Timestamp};

/// Attempts kept of one message.
const ATTEMPTS_MAX: i64 = 50;
/// Bytes kept of an answer's body.
const RESPONSE_BYTES_MAX: usize = 4 * 1024;

/// Queues a message for its first attempt. One that is there already stays as it is.
pub(crate) fn queue(db: &Connection, message: &NewMessage) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO messages
         (id, endpoint, run, event, content_type, body, page, created_at, state, attempts, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued', 0, ?8)",
    )?
    .execute(params![
        message.id.as_str(),
        message.endpoint.as_str(),
        message.run.as_ref().map(|run| run.as_str()),
        message.event.as_str(),
        message.content_type,
        message.body,
        message.page,
        message.created_at.as_millis()
    ])?;
    Ok(())
}

/// Due messages. A page goes before what is not, and a first attempt before a repeated one.
pub(crate) fn due(db: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Message>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT id, endpoint, content_type, body, attempts FROM messages
         WHERE state = 'queued' AND next_at <= ?1 AND endpoint NOT IN (SELECT name FROM endpoints_off)
         ORDER BY page DESC, attempts, created_at, id LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![now.as_millis(), limit], |row| {
        Ok(Message {
            id: MessageId::new(row.get::<_, String>(0)?),
            endpoint: EndpointName::new(row.get::<_, String>(1)?),
            content_type: row.get(2)?,
            body: row.get(3)?,
            attempts: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(crate) fn next_due(db: &Connection) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT min(next_at) FROM messages
               WHERE state = 'queued' AND endpoint NOT IN (SELECT name FROM endpoints_off)";
    let at: Option<i64> = db.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(at.map(Timestamp::from_millis))
}

pub(crate) fn depth(db: &Connection) -> Result<(u64, Option<Timestamp>), Error> {
    let sql = "SELECT count(*), min(created_at) FROM messages WHERE state = 'queued'";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (count, oldest): (i64, Option<i64>) = db.prepare_cached(sql)?.query_row([], read)?;
    Ok((u64::try_from(count).unwrap_or(0), oldest.map(Timestamp::from_millis)))
}

pub(crate) fn record_attempt(db: &Connection, attempt: &Attempt, next: &Next) -> Result<(), Error> {
    let response = cut(&attempt.response);
    db.prepare_cached(
        "INSERT INTO attempts (message, at, host, status, error, response, latency_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        attempt.message.as_str(),
        attempt.at.as_millis(),
        attempt.url_host,
        attempt.status,
        attempt.error,
        response,
        attempt.latency_ms
    ])?;
    let sql = "DELETE FROM attempts WHERE message = ?1 AND number NOT IN
               (SELECT number FROM attempts WHERE message = ?1 ORDER BY number DESC LIMIT ?2)";
    db.prepare_cached(sql)?
        .execute(params![attempt.message.as_str(), ATTEMPTS_MAX])?;
    let (state, next_at, reason) = match next {
        Next::Delivered => ("delivered", None, None),
        Next::RetryAt(at) => ("queued", Some(at.as_millis()), None),
        Next::Dead { reason } => ("dead", None, Some(reason)),
    };
    let sql = "UPDATE messages SET state = ?2, next_at = ?3, reason = ?4, attempts = attempts + 1 WHERE id = ?1";
    db.prepare_cached(sql)?
        .execute(params![attempt.message.as_str(), state, next_at, reason])?;
    Ok(())
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(RESPONSE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Switches an endpoint off. What waits for it is kept, so that it can be delivered when it is on again.
pub(crate) fn endpoint_off(db: &Connection, name: &EndpointName, reason: &str, now: Timestamp) -> Result<(), Error> {
    let sql = "INSERT OR IGNORE INTO endpoints_off (name, reason, since) VALUES (?1, ?2, ?3)";
    db.execute(sql, params![name.as_str(), reason, now.as_millis()])?;
    Ok(())
}

pub(crate) fn endpoint_on(db: &Connection, name: &EndpointName) -> Result<bool, Error> {
    Ok(db.execute("DELETE FROM endpoints_off WHERE name = ?1", params![name.as_str()])? > 0)
}

pub(crate) fn replay(db: &Connection, id: &MessageId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE messages SET state = 'queued', next_at = ?2, attempts = 0, reason = NULL WHERE id = ?1";
    let changed = db.execute(sql, params![id.as_str(), now.as_millis()])?;
    let endpoint: Option<String> = db
        .query_row(
            "SELECT endpoint FROM messages WHERE id = ?1",
            params![id.as_str()],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(endpoint) = endpoint {
        // Asking for a replay says that the endpoint is wanted again.
        endpoint_on(db, &EndpointName::new(endpoint))?;
    }
    Ok(changed > 0)
}
