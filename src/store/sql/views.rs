//! The rows that people and scripts see.

use super::super::{
    AppView, AttemptView, DeliveryView, EndpointView, EntryView, Error, MessageView, PAGE_MAX, Page, RunFilter, RunView,
};
use super::{Db, Row, ToValue as _, Value, values};
use crate::domain::{DeliveryId, MessageId, RunId};

const RUN: &str = "id, platform, app, environment, deployment, commit_sha, phase, verdict, action, reason, started_at, ended_at, version";
const MESSAGE: &str =
    "id, endpoint, run, event, state, reason, attempts, page, created_at, CASE WHEN state = 'queued' THEN next_at END";
const DELIVERY: &str = "id, platform, received_at, event_word, deployment, run, note";

fn run_view(row: &Row) -> Result<RunView, Error> {
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
fn page<T>(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> String) -> Page<T> {
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(id) } else { None };
    Page { items, next }
}

/// What SQL is asked for: one row more than the page takes.
fn one_more(limit: usize) -> i64 {
    i64::try_from(limit + 1).unwrap_or(i64::MAX)
}

fn bounded(limit: usize) -> usize {
    limit.clamp(1, PAGE_MAX)
}

pub(crate) fn runs(db: &dyn Db, filter: &RunFilter) -> Result<Page<RunView>, Error> {
    let limit = bounded(filter.limit);
    let wanted = [
        ("app =", &filter.app),
        ("environment =", &filter.environment),
        ("verdict =", &filter.verdict),
        ("id <", &filter.before),
    ];
    let mut conditions = vec!["1 = 1".to_owned()];
    let mut values: Vec<Value<'_>> = Vec::new();
    for (condition, value) in &wanted {
        if let Some(value) = value {
            values.push(value.to_value());
            conditions.push(format!("{condition} ?{}", values.len()));
        }
    }
    let sql = format!(
        "SELECT {RUN} FROM runs WHERE {} ORDER BY id DESC LIMIT {}",
        conditions.join(" AND "),
        limit + 1
    );
    let items = db.all(&sql, &values, run_view)?;
    Ok(page(items, limit, |run: &RunView| run.id.clone()))
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

fn delivery_view(row: &Row) -> Result<DeliveryView, Error> {
    Ok(DeliveryView {
        id: row.get(0)?,
        platform: row.get(1)?,
        received_at: row.get(2)?,
        event: row.get(3)?,
        deployment: row.get(4)?,
        run: row.get(5)?,
        note: row.get(6)?,
        headers: None,
        body: None,
    })
}

pub(crate) fn deliveries(db: &dyn Db, before: Option<&str>, limit: usize) -> Result<Page<DeliveryView>, Error> {
    let limit = bounded(limit);
    let sql = format!(
        "SELECT {DELIVERY} FROM deliveries WHERE CAST(?1 AS TEXT) IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2"
    );
    let items = db.all(&sql, values![before, one_more(limit)], delivery_view)?;
    Ok(page(items, limit, |delivery: &DeliveryView| delivery.id.clone()))
}

pub(crate) fn delivery(db: &dyn Db, id: &DeliveryId) -> Result<Option<DeliveryView>, Error> {
    let sql = format!("SELECT {DELIVERY}, headers, body FROM deliveries WHERE id = ?1");
    let view = |row: &Row| {
        let (headers, body): (String, Vec<u8>) = (row.get(7)?, row.get(8)?);
        let mut view = delivery_view(row)?;
        view.headers = serde_json::from_str(&headers).ok();
        view.body = Some(String::from_utf8_lossy(&body).into_owned());
        Ok(view)
    };
    db.first(&sql, values![id.as_str()], view)
}

fn message_view(row: &Row) -> Result<MessageView, Error> {
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

/// Messages carry their run's id, and that its age, so ordering by moment and then id is stable.
pub(crate) fn messages(
    db: &dyn Db,
    run: Option<&RunId>,
    before: Option<&str>,
    limit: usize,
) -> Result<Page<MessageView>, Error> {
    let limit = bounded(limit);
    let sql = format!(
        "SELECT {MESSAGE} FROM messages
         WHERE (CAST(?1 AS TEXT) IS NULL OR run = ?1)
           AND (CAST(?2 AS TEXT) IS NULL OR (created_at, id) < (SELECT created_at, id FROM messages WHERE id = ?2))
         ORDER BY created_at DESC, id DESC LIMIT ?3"
    );
    let items: Vec<MessageView> = db.all(
        &sql,
        values![run.map(RunId::as_str), before, one_more(limit)],
        message_view,
    )?;
    Ok(page(items, limit, |message| message.id.clone()))
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

pub(crate) fn endpoints(db: &dyn Db) -> Result<Vec<EndpointView>, Error> {
    let sql = "SELECT m.endpoint, count(*) FILTER (WHERE m.state = 'delivered'),
                      count(*) FILTER (WHERE m.state = 'queued'), count(*) FILTER (WHERE m.state = 'dead'), o.off_reason, o.off_since, coalesce(o.failures, 0), o.since
               FROM messages m LEFT JOIN endpoints o ON o.name = m.endpoint
               GROUP BY m.endpoint, o.off_reason, o.off_since, o.failures, o.since ORDER BY m.endpoint";
    db.all(sql, &[], |row| {
        Ok(EndpointView {
            name: row.get(0)?,
            delivered: row.get(1)?,
            queued: row.get(2)?,
            dead: row.get(3)?,
            off_reason: row.get(4)?,
            off_since: row.get(5)?,
            failures: row.get(6)?,
            failing_since: row.get(7)?,
        })
    })
}

pub(crate) fn apps(db: &dyn Db) -> Result<Vec<AppView>, Error> {
    let sql = format!(
        "SELECT {RUN}, (SELECT g.deployment FROM ledger_good g
                        WHERE g.platform = r.platform AND g.project = r.project AND g.environment = r.environment_id
                        ORDER BY g.at DESC LIMIT 1)
         FROM runs r
         WHERE id IN (SELECT max(id) FROM runs WHERE project IS NOT NULL GROUP BY platform, project, environment_id)
         ORDER BY app, environment LIMIT {PAGE_MAX}"
    );
    db.all(&sql, &[], |row| {
        let last_run = run_view(row)?;
        let (platform, app, environment) = (
            last_run.platform.clone(),
            last_run.app.clone(),
            last_run.environment.clone(),
        );
        Ok(AppView {
            platform,
            app,
            environment,
            last_run,
            last_good: row.get(13)?,
        })
    })
}
