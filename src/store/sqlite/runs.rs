//! Runs, their stories, the configs they began with, and what grows too old.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Commit, Error, JournalEntry, RunRecord};
use super::{deliveries, ledger, outbox, unsigned};
use crate::domain::{AppKey, Deployment, DeploymentId, PlatformName, RunId, Timestamp, Verdict};

/// Deduplication keys are kept this long: 48 hours.
const DEDUP_MS: u64 = 48 * 3_600_000;
/// Everything else that ends is kept this long: 30 days.
const KEEP_MS: u64 = 30 * 24 * 3_600_000;

const COLUMNS: &str = "id, platform, deployment, project, environment_id, app, environment, commit_sha, started_at, \
                       ended_at, phase, verdict, action, reason, config_hash, state, version, is_rollback";

pub(crate) fn commit(db: &Connection, commit: &Commit) -> Result<(), Error> {
    save_run(db, &commit.run)?;
    for entry in &commit.journal {
        add_entry(db, &commit.run.id, entry)?;
    }
    for write in &commit.ledger {
        ledger::write(db, write)?;
    }
    for message in &commit.messages {
        outbox::queue(db, message)?;
    }
    if let Some(delivery) = &commit.delivery {
        deliveries::mark_handled(db, delivery, Some(&commit.run.id), "began a run")?;
    }
    Ok(())
}

fn save_run(db: &Connection, run: &RunRecord) -> Result<(), Error> {
    let found: Option<i64> = db
        .prepare_cached("SELECT version FROM runs WHERE id = ?1")?
        .query_row(params![run.id.as_str()], |row| row.get(0))
        .optional()?;
    let found = unsigned(found.unwrap_or(0));
    if run.version != found + 1 {
        return Err(Error::Stale {
            run: run.id.clone(),
            found,
            asked: run.version,
        });
    }
    let sql = format!(
        "INSERT OR REPLACE INTO runs ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"
    );
    db.prepare_cached(&sql)?.execute(params![
        run.id.as_str(),
        run.platform.as_str(),
        run.deployment.as_str(),
        run.key.as_ref().map(|key| key.project.as_str()),
        run.key.as_ref().map(|key| key.environment.as_str()),
        run.app,
        run.environment,
        run.commit_sha,
        run.started_at.as_millis(),
        run.ended_at.map(Timestamp::as_millis),
        run.phase,
        run.verdict.map(Verdict::as_str),
        run.action,
        run.reason,
        run.config_hash,
        run.state,
        i64::try_from(run.version).unwrap_or(i64::MAX),
        run.is_rollback,
    ])?;
    Ok(())
}

fn add_entry(db: &Connection, run: &RunId, entry: &JournalEntry) -> Result<(), Error> {
    db.prepare_cached("INSERT INTO journal (run, at, kind, text, data) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            run.as_str(),
            entry.at.as_millis(),
            entry.kind,
            entry.text,
            entry.data
        ])?;
    Ok(())
}

fn record(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let platform = PlatformName::new(row.get::<_, String>(1)?);
    let (project, environment): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    let key = project.zip(environment).map(|(project, environment)| AppKey {
        platform: platform.clone(),
        project: project.as_str().into(),
        environment: environment.as_str().into(),
    });
    Ok(RunRecord {
        id: RunId::new(row.get::<_, String>(0)?),
        platform,
        deployment: DeploymentId::new(row.get::<_, String>(2)?),
        key,
        app: row.get(5)?,
        environment: row.get(6)?,
        commit_sha: row.get(7)?,
        started_at: Timestamp::from_millis(row.get(8)?),
        ended_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
        phase: row.get(10)?,
        verdict: row.get::<_, Option<String>>(11)?.as_deref().and_then(verdict),
        action: row.get(12)?,
        reason: row.get(13)?,
        config_hash: row.get(14)?,
        state: row.get(15)?,
        version: unsigned(row.get(16)?),
        is_rollback: row.get(17)?,
    })
}

pub(super) fn verdict(word: &str) -> Option<Verdict> {
    [
        Verdict::Healthy,
        Verdict::Degraded,
        Verdict::Unhealthy,
        Verdict::Inconclusive,
    ]
    .into_iter()
    .find(|v| v.as_str() == word)
}

pub(crate) fn of_deployment(
    db: &Connection,
    platform: &PlatformName,
    deployment: &DeploymentId,
) -> Result<Option<RunRecord>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE platform = ?1 AND deployment = ?2 ORDER BY id DESC LIMIT 1");
    let found = db
        .prepare_cached(&sql)?
        .query_row(params![platform.as_str(), deployment.as_str()], record)
        .optional()?;
    Ok(found)
}

pub(crate) fn by_id(db: &Connection, id: &RunId) -> Result<Option<RunRecord>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1");
    Ok(db
        .prepare_cached(&sql)?
        .query_row(params![id.as_str()], record)
        .optional()?)
}

pub(crate) fn unfinished(db: &Connection) -> Result<Vec<RunRecord>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE ended_at IS NULL ORDER BY id");
    let mut statement = db.prepare_cached(&sql)?;
    let found = statement.query_map([], record)?.collect::<Result<_, _>>()?;
    Ok(found)
}

pub(crate) fn save_config(db: &Connection, hash: &str, text: &str, now: Timestamp) -> Result<(), Error> {
    db.prepare_cached("INSERT OR IGNORE INTO configs (hash, text, at) VALUES (?1, ?2, ?3)")?
        .execute(params![hash, text, now.as_millis()])?;
    Ok(())
}

pub(crate) fn config(db: &Connection, hash: &str) -> Result<Option<String>, Error> {
    let mut statement = db.prepare_cached("SELECT text FROM configs WHERE hash = ?1")?;
    Ok(statement.query_row(params![hash], |row| row.get(0)).optional()?)
}

/// The key of this name, kept from the first time on.
pub(crate) fn key(db: &Connection, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], Error> {
    db.prepare_cached("INSERT OR IGNORE INTO keys (name, bytes) VALUES (?1, ?2)")?
        .execute(params![name, fresh])?;
    let sql = "SELECT bytes FROM keys WHERE name = ?1";
    Ok(db.prepare_cached(sql)?.query_row(params![name], |row| row.get(0))?)
}

pub(crate) fn touch(db: &Connection, now: Timestamp) -> Result<(), Error> {
    db.prepare_cached("INSERT OR REPLACE INTO touched (one, at) VALUES (1, ?1)")?
        .execute(params![now.as_millis()])?;
    Ok(())
}

pub(crate) fn purge(db: &Connection, now: Timestamp) -> Result<(), Error> {
    let before = |ms: u64| now.as_millis().saturating_sub_unsigned(ms);
    db.execute("DELETE FROM dedup WHERE at < ?1", params![before(DEDUP_MS)])?;
    let old = before(KEEP_MS);
    db.execute(
        "DELETE FROM journal WHERE run IN (SELECT id FROM runs WHERE ended_at < ?1)",
        params![old],
    )?;
    db.execute("DELETE FROM runs WHERE ended_at < ?1", params![old])?;
    db.execute("DELETE FROM labels WHERE run NOT IN (SELECT id FROM runs)", [])?;
    db.execute(
        "DELETE FROM deliveries WHERE received_at < ?1 AND note IS NOT NULL",
        params![old],
    )?;
    let ended = "SELECT id FROM messages WHERE created_at < ?1 AND state <> 'queued'";
    db.execute(
        &format!("DELETE FROM attempts WHERE message IN ({ended})"),
        params![old],
    )?;
    db.execute(&format!("DELETE FROM messages WHERE id IN ({ended})"), params![old])?;
    db.execute("DELETE FROM pauses WHERE until < ?1", params![now.as_millis()])?;
    db.execute(
        "DELETE FROM configs WHERE at < ?1 AND hash NOT IN (SELECT config_hash FROM runs)",
        params![old],
    )?;
    Ok(())
}

/// Whether a run was about `deployment`, or about one in its place that was made no earlier.
pub(crate) fn knows(db: &Connection, deployment: &Deployment) -> Result<bool, Error> {
    let Some(created_at) = deployment.created_at else {
        return Ok(true);
    };
    let key = &deployment.key;
    let mut statement = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM runs WHERE platform = ?1 AND deployment = ?2)
             OR EXISTS (SELECT 1 FROM runs WHERE platform = ?1 AND project = ?3 AND environment_id = ?4
                        AND state ->> '$.deployment.created_at' >= ?5)",
    )?;
    let known = statement.query_row(
        params![
            key.platform.as_str(),
            deployment.id.as_str(),
            key.project.as_str(),
            key.environment.as_str(),
            created_at.as_millis()
        ],
        |row| row.get(0),
    )?;
    Ok(known)
}
