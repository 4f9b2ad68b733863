//! The rows that people and scripts see.

use super::super::{
    AppView, AttemptView, DeliveryView, EndpointView, EntryView, Error, MessageView, PAGE_MAX, Page, RunView,
};
use super::{Db, Row, values};
use crate::domain::{AppKey, DeliveryId, MessageId, RunId};

pub(super) const RUN: &str = "id, platform, app, environment, deployment, commit_sha, phase, verdict, action, reason, started_at, ended_at, version";
pub(super) const MESSAGE: &str =
    "id, endpoint, run, event, state, reason, attempts, page, created_at, CASE WHEN state = 'queued' THEN next_at END";
pub(super) const DELIVERY: &str = "id, platform, received_at, event_word, deployment, run, note, coalesce(app, (SELECT r.app FROM runs r WHERE r.id = run))";

pub(super) fn run_view(row: &Row) -> Result<RunView, Error> {
    Ok(RunView {
        id: row.get(0)?,
        platform: row.get(1)?,
        app: row.get(2)?,
        environment: row.get(3)?,
        deployment: row.get(4)?,
        commit_sha: row.get(5)?,
        phase: row.get(6)?,
        verdict: row.get(7)?,
        action: row.get(8)?,
        reason: row.get(9)?,
        started_at: row.get(10)?,
        ended_at: row.get(11)?,
        version: row.get(12)?,
    })
}

/// One row more than the page takes tells whether there is a next page.
pub(super) fn page<T>(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(id) } else { None };
    Page {
        items,
        next,
        looked: None,
    }
}

/// What SQL is asked for: one row more than the page takes.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit + 1).unwrap_or(i64::MAX)
}

pub(super) fn bounded(limit: usize) -> usize {
    limit.clamp(1, PAGE_MAX)
}

pub(crate) fn run(db: &dyn Db, id: &RunId) -> Result<Option<RunView>, Error> {
    let sql = format!("SELECT {RUN} FROM runs WHERE id = ?1");
    db.first(&sql, values![id.as_str()], run_view)
}

pub(crate) fn under_way(db: &dyn Db, limit: usize) -> Result<Vec<RunView>, Error> {
    let limit = bounded(limit);
    let sql = format!("SELECT {RUN} FROM runs WHERE ended_at IS NULL ORDER BY id LIMIT {limit}");
    db.all(&sql, &[], run_view)
}

pub(crate) fn journal(db: &dyn Db, id: &RunId, after: i64, limit: usize) -> Result<Page<EntryView>, Error> {
    let limit = bounded(limit);
    let sql =
        "SELECT number, at, kind, text, data FROM journal WHERE run = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
    let items: Vec<EntryView> = db.all(sql, values![id.as_str(), after, one_more(limit)], |row| {
        let data: Option<String> = row.get(4)?;
        Ok(EntryView {
            number: row.get(0)?,
            at: row.get(1)?,
            kind: row.get(2)?,
            text: row.get(3)?,
            data: data.and_then(|data| serde_json::from_str(&data).ok()),
        })
    })?;
    Ok(page(items, limit, |entry| entry.number.to_string()))
}

pub(super) fn delivery_view(row: &Row) -> Result<DeliveryView, Error> {
    Ok(DeliveryView {
        id: row.get(0)?,
        platform: row.get(1)?,
        received_at: row.get(2)?,
        event: row.get(3)?,
        app: row.get(7)?,
        deployment: row.get(4)?,
        run: row.get(5)?,
        note: row.get(6)?,
        headers: None,
        body: None,
    })
}

pub(crate) fn delivery(db: &dyn Db, id: &DeliveryId) -> Result<Option<DeliveryView>, Error> {
    let sql = format!("SELECT {DELIVERY}, headers, body FROM deliveries WHERE id = ?1");
    let view = |row: &Row| {
        let (headers, body): (String, Vec<u8>) = (row.get(8)?, row.get(9)?);
        let mut view = delivery_view(row)?;
        view.headers = serde_json::from_str(&headers).ok();
        view.body = Some(String::from_utf8_lossy(&body).into_owned());
        Ok(view)
    };
    db.first(&sql, values![id.as_str()], view)
}

pub(super) fn message_view(row: &Row) -> Result<MessageView, Error> {
    Ok(MessageView {
        id: row.get(0)?,
        endpoint: row.get(1)?,
        run: row.get(2)?,
        event: row.get(3)?,
        state: row.get(4)?,
        reason: row.get(5)?,
        attempts: row.get(6)?,
        page: row.get(7)?,
        created_at: row.get(8)?,
        next_attempt_at: row.get(9)?,
        body: None,
        attempt_log: None,
    })
}

pub(crate) fn message(db: &dyn Db, id: &MessageId) -> Result<Option<MessageView>, Error> {
    let sql = format!("SELECT {MESSAGE}, body FROM messages WHERE id = ?1");
    let view = |row: &Row| {
        let body: Vec<u8> = row.get(10)?;
        Ok(MessageView {
            body: Some(String::from_utf8_lossy(&body).into_owned()),
            ..message_view(row)?
        })
    };
    let Some(mut found) = db.first(&sql, values![id.as_str()], view)? else {
        return Ok(None);
    };
    let sql =
        "SELECT at, host, status, error, response, latency_ms FROM attempts WHERE message = ?1 ORDER BY number DESC";
    let attempts = db.all(sql, values![id.as_str()], |row| {
        Ok(AttemptView {
            at: row.get(0)?,
            host: row.get(1)?,
            status: row.get(2)?,
            error: row.get(3)?,
            response: row.get(4)?,
            latency_ms: row.get(5)?,
        })
    })?;
    found.attempt_log = Some(attempts);
    Ok(Some(found))
}

/// Messages counted of one endpoint, and of one state.
const COUNTED_MAX: usize = 10_000;

/// Endpoints that there are messages for: from one name to the next, along an index.
const ENDPOINTS: &str = "WITH RECURSIVE named(name) AS (
                             SELECT min(endpoint) FROM messages
                             UNION ALL
                             SELECT (SELECT min(endpoint) FROM messages WHERE endpoint > named.name) FROM named
                             WHERE named.name IS NOT NULL)
                         SELECT n.name, o.off_reason, o.off_since, coalesce(o.failures, 0), o.since
                         FROM named n LEFT JOIN endpoints o ON o.name = n.name
                         WHERE n.name IS NOT NULL ORDER BY n.name";

pub(crate) fn endpoints(db: &dyn Db) -> Result<Vec<EndpointView>, Error> {
    let mut found: Vec<EndpointView> = db.all(ENDPOINTS, &[], |row| {
        Ok(EndpointView {
            name: row.get(0)?,
            off_reason: row.get(1)?,
            off_since: row.get(2)?,
            failures: row.get(3)?,
            failing_since: row.get(4)?,
            ..EndpointView::default()
        })
    })?;
    for endpoint in &mut found {
        endpoint.delivered = delivered(db, &endpoint.name)?;
    }
    for (state, name, count) in left(db, "queued")?.into_iter().chain(left(db, "dead")?) {
        if let Some(endpoint) = found.iter_mut().find(|endpoint| endpoint.name == name) {
            match state {
                "queued" => endpoint.queued = count,
                _ => endpoint.dead = count,
            }
        }
    }
    Ok(found)
}

/// How many of an endpoint's newest messages are delivered.
fn delivered(db: &dyn Db, endpoint: &str) -> Result<u64, Error> {
    let sql = format!(
        "SELECT count(*) FROM (SELECT state FROM messages WHERE endpoint = ?1 ORDER BY created_at DESC, id DESC
                               LIMIT {COUNTED_MAX}) AS newest WHERE state = 'delivered'"
    );
    Ok(db.first(&sql, values![endpoint], |row| row.get(0))?.unwrap_or_default())
}

/// How many of the newest messages that stand so are whose.
fn left(db: &dyn Db, state: &'static str) -> Result<Vec<(&'static str, String, u64)>, Error> {
    let sql = format!(
        "SELECT endpoint, count(*) FROM (SELECT endpoint FROM messages WHERE state = ?1 AND state <> 'delivered'
                                         ORDER BY created_at DESC, id DESC LIMIT {COUNTED_MAX}) AS newest
         GROUP BY endpoint"
    );
    db.all(&sql, values![state], |row| Ok((state, row.get(0)?, row.get(1)?)))
}

/// The newest run of each place that runs were about: from one place to the one before, along an index. SQLite compares all three
/// columns by the index only where the other side is no column itself, and begins at what is equal: hence the least id.
pub(super) const NEWEST: &str = "WITH RECURSIVE newest(id) AS (
        SELECT (SELECT id FROM runs WHERE project IS NOT NULL
                ORDER BY platform DESC, project DESC, environment_id DESC, id DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT r.id FROM runs r
                WHERE r.project IS NOT NULL
                  AND (r.platform, r.project, r.environment_id, r.id) < (l.platform || '', l.project || '', l.environment_id || '', '')
                ORDER BY r.platform DESC, r.project DESC, r.environment_id DESC, r.id DESC LIMIT 1)
        FROM newest n JOIN runs l ON l.id = n.id)";

/// Apps in environments looked at.
const APPS_MAX: usize = 1_000;

pub(crate) fn apps(db: &dyn Db) -> Result<Vec<AppView>, Error> {
    let sql = format!(
        "{NEWEST}
         SELECT {RUN}, (SELECT g.deployment FROM ledger_good g
                        WHERE g.platform = r.platform AND g.project = r.project AND g.environment = r.environment_id
                        ORDER BY g.at DESC LIMIT 1), project, environment_id
         FROM (SELECT id AS newest_id FROM newest LIMIT {APPS_MAX}) AS n JOIN runs r ON r.id = n.newest_id
         ORDER BY app, environment, platform, project, environment_id"
    );
    db.all(&sql, &[], |row| {
        let last_run = run_view(row)?;
        let (platform, app, environment) = (
            last_run.platform.clone(),
            last_run.app.clone(),
            last_run.environment.clone(),
        );
        Ok(AppView {
            key: AppKey {
                platform: platform.as_str().into(),
                project: row.get::<String>(14)?.as_str().into(),
                environment: row.get::<String>(15)?.as_str().into(),
            },
            platform,
            app,
            environment,
            last_run,
            last_good: row.get(13)?,
        })
    })
}
