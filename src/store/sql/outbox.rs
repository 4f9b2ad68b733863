//! Outgoing messages and the attempts to deliver them.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Attempt, Due, Error, Faring, GRAVITY_MAX, Message, NewMessage, Next, ReplayFilter, Replayed};
use super::{Db, Row, values};
use crate::domain::{AgentId, EndpointName, MessageId, Timestamp};

/// Attempts kept of one message.
const ATTEMPTS_MAX: i64 = 50;
/// Bytes kept of an answer's body.
const RESPONSE_BYTES_MAX: usize = 4 * 1024;

/// Queues a message for its first attempt. One that is there already stays as it is.
pub(crate) fn queue(db: &dyn Db, message: &NewMessage) -> Result<(), Error> {
    db.execute(
        "INSERT INTO messages
         (id, endpoint, run, event, content_type, body, page, created_at, state, attempts, next_at, subject, seq, gravity)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'queued', 0, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
        values![
            message.id.as_str(),
            message.endpoint.as_str(),
            message.run.as_ref().map(|run| run.as_str()),
            message.event.as_str(),
            message.content_type,
            message.body,
            message.page,
            message.created_at.as_millis(),
            message.subject,
            message.seq,
            message.gravity.min(GRAVITY_MAX)
        ],
    )?;
    Ok(())
}

/// Takes due messages for `agent`: until it says what came of the attempt, or its lease ends, nobody else is given them.
///
/// The gravest come first, then those that were due first. A message waits for every earlier one about the same to the same
/// endpoint, unless it is graver than that.
pub(crate) fn take_due(db: &dyn Db, agent: &AgentId, now: Timestamp, due: &Due) -> Result<Vec<Message>, Error> {
    let off = off(db)?;
    let mut taken = Vec::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (endpoint, gravity) in lanes(db, now, due)? {
        if off.contains(&endpoint) {
            continue;
        }
        let room = due
            .rooms
            .get(&EndpointName::new(endpoint.as_str()))
            .copied()
            .unwrap_or(due.room);
        let room = if gravity == GRAVITY_MAX { room.gravest } else { room.any };
        let count = counts.entry(endpoint.clone()).or_default();
        let limit = room.saturating_sub(*count).min(due.limit - taken.len());
        let found = take_of(db, agent, now, (&endpoint, gravity), limit)?;
        *count += found.len();
        taken.extend(found);
    }
    for endpoint in super::endpoints::to_probe(db, now.as_millis())? {
        let sql = format!(
            "SELECT {MESSAGE} FROM messages WHERE state = 'queued' AND endpoint = ?1 ORDER BY created_at, seq, id LIMIT 1"
        );
        for row in db.rows(&sql, values![endpoint])? {
            taken.extend(take(db, &row, agent, true)?);
        }
    }
    Ok(taken)
}

/// The endpoints that are switched off.
fn off(db: &dyn Db) -> Result<BTreeSet<String>, Error> {
    let sql = "SELECT name FROM endpoints WHERE off_since IS NOT NULL";
    db.all(sql, &[], |row| row.get(0))
}

/// Endpoints, each with how grave what is due may be; the gravest first.
fn lanes(db: &dyn Db, now: Timestamp, due: &Due) -> Result<Vec<(String, u32)>, Error> {
    let gravities = (0..=GRAVITY_MAX).rev();
    if let Some(only) = &due.only {
        let of_all = |gravity| only.iter().map(move |name| (name.to_string(), gravity));
        return Ok(gravities.flat_map(of_all).collect());
    }
    let sql = "SELECT DISTINCT endpoint, gravity FROM messages WHERE state = 'queued' AND next_at <= ?1
               ORDER BY gravity DESC, endpoint";
    db.all(sql, values![now.as_millis()], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// Takes at most `limit` messages of one gravity to one endpoint.
fn take_of(
    db: &dyn Db,
    agent: &AgentId,
    now: Timestamp,
    (endpoint, gravity): (&str, u32),
    limit: usize,
) -> Result<Vec<Message>, Error> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {MESSAGE} FROM messages m
         WHERE state = 'queued' AND endpoint = ?3 AND gravity = ?4 AND next_at <= ?1 AND {FREE} AND {IN_ORDER}
         ORDER BY next_at, created_at, seq, id LIMIT ?5"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = db.rows(
        &sql,
        values![now.as_millis(), db.now()?.as_millis(), endpoint, gravity, limit],
    )?;
    let mut taken = Vec::new();
    for row in rows {
        taken.extend(take(db, &row, agent, false)?);
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
const FREE: &str =
    "(taken_by IS NULL OR NOT EXISTS (SELECT 1 FROM agents a WHERE a.id = m.taken_by AND a.lease_until >= ?2))";

/// No earlier message about the same waits for the same endpoint, but for less grave ones.
const IN_ORDER: &str = "(subject IS NULL OR NOT EXISTS (
    SELECT 1 FROM messages e
    WHERE e.state = 'queued' AND e.endpoint = m.endpoint AND e.subject = m.subject AND e.gravity >= m.gravity
      AND (e.created_at, e.seq, e.id) < (m.created_at, m.seq, m.id)))";

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

/// When the next message will be due that is not due at `now`.
pub(crate) fn next_due(db: &dyn Db, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT min(next_at) FROM messages WHERE state = 'queued' AND next_at > ?1 AND taken_by IS NULL
               AND endpoint NOT IN (SELECT name FROM endpoints WHERE off_since IS NOT NULL)";
    Ok(db.first(sql, values![now.as_millis()], |row| row.get(0))?.flatten())
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

/// Queues a message again. An attempt that is under way is not joined by another.
pub(crate) fn replay(db: &dyn Db, id: &MessageId, now: Timestamp) -> Result<bool, Error> {
    let sql = "UPDATE messages SET next_at = ?2, attempts = 0, reason = NULL,
                      taken_by = CASE WHEN state = 'queued' THEN taken_by END, state = 'queued' WHERE id = ?1";
    let changed = db.execute(sql, values![id.as_str(), now.as_millis()])?;
    let sql = "SELECT endpoint FROM messages WHERE id = ?1";
    let endpoint: Option<String> = db.first(sql, values![id.as_str()], |row| row.get(0))?;
    if let Some(endpoint) = endpoint {
        // Asking for a replay says that the endpoint is wanted again.
        super::endpoints::forget(db, &EndpointName::new(endpoint))?;
    }
    Ok(changed > 0)
}

/// Queues every message again that `filter` names and that does not wait already, oldest first, up to its limit.
pub(crate) fn replay_all(db: &dyn Db, filter: &ReplayFilter, now: Timestamp) -> Result<Replayed, Error> {
    let sql = "SELECT id FROM messages
               WHERE state <> 'queued' AND (?1 = 0 OR state = 'dead')
                 AND (CAST(?2 AS TEXT) IS NULL OR endpoint = ?2)
                 AND created_at >= ?3 AND created_at < ?4
               ORDER BY created_at, seq, id LIMIT ?5";
    let since = filter.since.map_or(i64::MIN, Timestamp::as_millis);
    let until = filter.until.map_or(i64::MAX, Timestamp::as_millis);
    let one_more = i64::try_from(filter.limit).unwrap_or(i64::MAX).saturating_add(1);
    let endpoint = filter.endpoint.as_ref().map(EndpointName::as_str);
    let mut found: Vec<String> = db.all(
        sql,
        values![i64::from(filter.failed), endpoint, since, until, one_more],
        |row| row.get(0),
    )?;
    let more = found.len() > filter.limit;
    found.truncate(filter.limit);
    for id in &found {
        replay(db, &MessageId::new(id.as_str()), now)?;
    }
    Ok(Replayed {
        count: found.len() as u64,
        more,
    })
}
