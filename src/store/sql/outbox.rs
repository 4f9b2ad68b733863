//! Outgoing messages and the attempts to deliver them.

use std::collections::BTreeSet;

use super::super::{Attempt, Error, Faring, Message, NewMessage, Next};
use super::{Db, Row, ToValue as _, Value, values};
use crate::domain::{AgentId, EndpointName, MessageId, Timestamp};

/// Attempts kept of one message.
const ATTEMPTS_MAX: i64 = 50;
/// Bytes kept of an answer's body.
const RESPONSE_BYTES_MAX: usize = 4 * 1024;

/// Queues a message for its first attempt. One that is there already stays as it is.
pub(crate) fn queue(db: &dyn Db, message: &NewMessage) -> Result<(), Error> {
    db.execute(
        "INSERT INTO messages
         (id, endpoint, run, event, content_type, body, page, created_at, state, attempts, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued', 0, ?8) ON CONFLICT DO NOTHING",
        values![
            message.id.as_str(),
            message.endpoint.as_str(),
            message.run.as_ref().map(|run| run.as_str()),
            message.event.as_str(),
            message.content_type,
            message.body,
            message.page,
            message.created_at.as_millis()
        ],
    )?;
    Ok(())
}

/// Takes due messages for `agent`: until it says what came of the attempt, or its lease ends, nobody else is given them. A page
/// goes before what is not, and a first attempt before a repeated one.
pub(crate) fn take_due(
    db: &dyn Db,
    agent: &AgentId,
    now: Timestamp,
    limit: usize,
    but: &BTreeSet<EndpointName>,
) -> Result<Vec<Message>, Error> {
    let sql = format!(
        "SELECT {MESSAGE} FROM messages m
         WHERE state = 'queued' AND next_at <= ?1 AND {FREE} {}
         ORDER BY page DESC, attempts, created_at, id LIMIT ?3",
        and_not(but.len(), 4)
    );
    let (now, at) = (now.as_millis(), db.now()?.as_millis());
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut values = vec![now.to_value(), at.to_value(), limit.to_value()];
    values.extend(but.iter().map(|name| Value::Text(name.as_str())));
    let mut taken = Vec::new();
    for row in db.rows(&sql, &values)? {
        taken.extend(take(db, &row, agent, false)?);
    }
    for endpoint in super::endpoints::to_probe(db, now)? {
        let sql = format!(
            "SELECT {MESSAGE} FROM messages WHERE state = 'queued' AND endpoint = ?1 ORDER BY created_at, id LIMIT 1"
        );
        for row in db.rows(&sql, values![endpoint])? {
            taken.extend(take(db, &row, agent, true)?);
        }
    }
    Ok(taken)
}

const MESSAGE: &str = "id, endpoint, content_type, body, attempts, taken_by";

/// Takes the message in `row` as it was seen; another agent may have taken it since, and then its name stands there.
fn take(db: &dyn Db, row: &Row, agent: &AgentId, probe: bool) -> Result<Option<Message>, Error> {
    let (id, before): (String, Option<String>) = (row.get(0)?, row.get(5)?);
    let sql = "UPDATE messages SET taken_by = ?2
               WHERE id = ?1 AND state = 'queued' AND coalesce(taken_by, '') = coalesce(?3, '')";
    if db.execute(sql, values![id, agent.as_str(), before])? == 0 {
        return Ok(None);
    }
    Ok(Some(Message {
        id: MessageId::new(id),
        endpoint: EndpointName::new(row.get::<String>(1)?),
        content_type: row.get(2)?,
        body: row.get(3)?,
        attempts: row.get(4)?,
        probe,
    }))
}

/// A message is free if nobody has taken it, or whoever did has no lease any more; `?2` is the database's time.
const FREE: &str = "endpoint NOT IN (SELECT name FROM endpoints WHERE off_since IS NOT NULL)
    AND (taken_by IS NULL OR NOT EXISTS (SELECT 1 FROM agents a WHERE a.id = m.taken_by AND a.lease_until >= ?2))";

/// The condition that leaves out so many endpoints, whose names are the values from `first` on.
fn and_not(count: usize, first: usize) -> String {
    if count == 0 {
        return String::new();
    }
    let places: Vec<String> = (first..first + count).map(|place| format!("?{place}")).collect();
    format!("AND endpoint NOT IN ({})", places.join(", "))
}

/// Gives back what `agent` took, but for `kept`.
pub(crate) fn give_back(db: &dyn Db, agent: &AgentId, kept: &BTreeSet<MessageId>) -> Result<(), Error> {
    let sql = "SELECT id FROM messages WHERE taken_by = ?1 AND state = 'queued'";
    let taken: Vec<String> = db.all(sql, values![agent.as_str()], |row| row.get(0))?;
    for id in taken.iter().filter(|id| !kept.contains(&MessageId::new(id.as_str()))) {
        let sql = "UPDATE messages SET taken_by = NULL WHERE id = ?1 AND taken_by = ?2";
        db.execute(sql, values![id, agent.as_str()])?;
    }
    Ok(())
}

pub(crate) fn next_due(db: &dyn Db) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT min(next_at) FROM messages
               WHERE state = 'queued' AND taken_by IS NULL AND endpoint NOT IN (SELECT name FROM endpoints WHERE off_since IS NOT NULL)";
    Ok(db.first(sql, &[], |row| row.get(0))?.flatten())
}

pub(crate) fn depth(db: &dyn Db) -> Result<(u64, Option<Timestamp>), Error> {
    let sql = "SELECT count(*), min(created_at) FROM messages WHERE state = 'queued'";
    Ok(db
        .first(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))?
        .unwrap_or((0, None)))
}

/// Keeps an attempt, what follows for its message, and how its endpoint fares.
pub(crate) fn record_attempt(db: &dyn Db, attempt: &Attempt, next: &Next) -> Result<Faring, Error> {
    let response = cut(&attempt.response);
    db.execute(
        "INSERT INTO attempts (message, at, host, status, error, response, latency_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        values![
            attempt.message.as_str(),
            attempt.at.as_millis(),
            attempt.url_host,
            attempt.status,
            attempt.error,
            response,
            attempt.latency_ms
        ],
    )?;
    let sql = "DELETE FROM attempts WHERE message = ?1 AND number NOT IN
               (SELECT number FROM attempts WHERE message = ?1 ORDER BY number DESC LIMIT ?2)";
    db.execute(sql, values![attempt.message.as_str(), ATTEMPTS_MAX])?;
    let (state, next_at, reason) = match next {
        Next::Delivered => ("delivered", None, None),
        Next::RetryAt(at) => ("queued", Some(at.as_millis()), None),
        Next::Dead { reason } => ("dead", None, Some(reason)),
    };
    let sql = "UPDATE messages SET state = ?2, next_at = ?3, reason = ?4, attempts = attempts + 1, taken_by = NULL WHERE id = ?1";
    db.execute(sql, values![attempt.message.as_str(), state, next_at, reason])?;
    super::endpoints::fared(db, &attempt.endpoint, matches!(next, Next::Delivered), attempt.at)
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(RESPONSE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

pub(crate) fn replay(db: &dyn Db, id: &MessageId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE messages SET state = 'queued', next_at = ?2, attempts = 0, reason = NULL, taken_by = NULL WHERE id = ?1";
    let changed = db.execute(sql, values![id.as_str(), now.as_millis()])?;
    let sql = "SELECT endpoint FROM messages WHERE id = ?1";
    let endpoint: Option<String> = db.first(sql, values![id.as_str()], |row| row.get(0))?;
    if let Some(endpoint) = endpoint {
        // Asking for a replay says that the endpoint is wanted again.
        super::endpoints::forget(db, &EndpointName::new(endpoint))?;
    }
    Ok(changed > 0)
}
