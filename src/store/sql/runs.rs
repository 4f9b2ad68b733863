//! Runs, their stories, and the configs they began with.

use super::super::{Commit, Error, Hold, JournalEntry, RunRecord};
use super::{Db, Row, deliveries, ledger, outbox, signed, values};
use crate::domain::{AppKey, Deployment, DeploymentId, PlatformName, RunId, Timestamp, Verdict};

/// The action of a run that had nothing to judge, as whoever judges writes it.
const DISMISSED: &str = "dismissed";

pub(super) const COLUMNS: &str = "id, platform, deployment, project, environment_id, app, environment, commit_sha, started_at, \
                       ended_at, phase, verdict, action, reason, config_hash, state, version, is_rollback, deployed_at, fence";

pub(crate) fn commit(db: &dyn Db, commit: &Commit) -> Result<(), Error> {
    save_run(db, commit)?;
    for entry in &commit.journal {
        add_entry(db, &commit.run.id, entry)?;
    }
    for write in &commit.ledger {
        ledger::write(db, write)?;
    }
    for message in &commit.messages {
        outbox::queue(db, message)?;
    }
    if let Some(delivery) = &commit.delivery
        && !deliveries::mark_handled(db, delivery, Some(&commit.run.id), "began a run")?
    {
        return Err(Error::RunTaken(commit.run.deployment.clone()));
    }
    Ok(())
}

/// A run's first commit makes it, each further one changes it; either only if nobody else did in between.
fn save_run(db: &dyn Db, commit: &Commit) -> Result<(), Error> {
    let run = &commit.run;
    if commit.only && run.version == 1 && judged(db, &run.platform, &run.deployment)? {
        return Err(Error::RunTaken(run.deployment.clone()));
    }
    let hold_until = match commit.hold {
        Hold::For(ms) => Some(db.now()?.plus_ms(ms).as_millis()),
        Hold::Keep | Hold::Release => None,
    };
    let changed = if run.version == 1 {
        insert_run(db, commit, hold_until)?
    } else {
        update_run(db, commit, hold_until)?
    };
    if changed == 1 {
        Ok(())
    } else {
        Err(refusal(db, commit)?)
    }
}

fn insert_run(db: &dyn Db, commit: &Commit, hold_until: Option<i64>) -> Result<u64, Error> {
    let run = &commit.run;
    let sql = format!(
        "INSERT INTO runs ({COLUMNS}, owner, hold_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)
         ON CONFLICT DO NOTHING"
    );
    db.execute(
        &sql,
        values![
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
            signed(run.version),
            run.is_rollback,
            run.deployed_at.map(Timestamp::as_millis),
            signed(run.fence),
            commit.agent.as_str(),
            hold_until,
        ],
    )
}

fn update_run(db: &dyn Db, commit: &Commit, hold_until: Option<i64>) -> Result<u64, Error> {
    let run = &commit.run;
    let sql = "UPDATE runs SET project = ?4, environment_id = ?5, app = ?6, environment = ?7, commit_sha = ?8,
               ended_at = ?9, phase = ?10, verdict = ?11, action = ?12, reason = ?13, state = ?14, version = ?2,
               is_rollback = ?15, deployed_at = ?16,
               hold_until = CASE WHEN CAST(?17 AS BIGINT) = 1 THEN hold_until ELSE ?18 END
               WHERE id = ?1 AND version + 1 = ?2 AND fence = ?3";
    db.execute(
        sql,
        values![
            run.id.as_str(),
            signed(run.version),
            signed(run.fence),
            run.key.as_ref().map(|key| key.project.as_str()),
            run.key.as_ref().map(|key| key.environment.as_str()),
            run.app,
            run.environment,
            run.commit_sha,
            run.ended_at.map(Timestamp::as_millis),
            run.phase,
            run.verdict.map(Verdict::as_str),
            run.action,
            run.reason,
            run.state,
            run.is_rollback,
            run.deployed_at.map(Timestamp::as_millis),
            commit.hold == Hold::Keep,
            hold_until,
        ],
    )
}

/// Why a run's commit changed nothing.
fn refusal(db: &dyn Db, commit: &Commit) -> Result<Error, Error> {
    let run = &commit.run;
    let sql = "SELECT version, fence FROM runs WHERE id = ?1";
    let found: Option<(u64, u64)> = db.first(sql, values![run.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(match found {
        None if run.version == 1 => Error::RunTaken(run.deployment.clone()),
        Some((_, fence)) if fence != run.fence => Error::Fenced(run.id.clone()),
        found => Error::Stale {
            run: run.id.clone(),
            found: found.map_or(0, |(version, _)| version),
            asked: run.version,
        },
    })
}

/// Whether a deployment is being judged, or was; a run that found nothing to judge does not count.
fn judged(db: &dyn Db, platform: &PlatformName, deployment: &DeploymentId) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM runs WHERE platform = ?1 AND deployment = ?2
               AND (ended_at IS NULL OR coalesce(action, '') <> ?3) LIMIT 1";
    let found = db.first(sql, values![platform.as_str(), deployment.as_str(), DISMISSED], |_| {
        Ok(())
    })?;
    Ok(found.is_some())
}

fn add_entry(db: &dyn Db, run: &RunId, entry: &JournalEntry) -> Result<(), Error> {
    db.execute(
        "INSERT INTO journal (run, at, kind, text, data) VALUES (?1, ?2, ?3, ?4, ?5)",
        values![run.as_str(), entry.at.as_millis(), entry.kind, entry.text, entry.data],
    )?;
    Ok(())
}

pub(super) fn record(row: &Row) -> Result<RunRecord, Error> {
    let platform = PlatformName::new(row.get::<String>(1)?);
    let (project, environment): (Option<String>, Option<String>) = (row.get(3)?, row.get(4)?);
    let key = project.zip(environment).map(|(project, environment)| AppKey {
        platform: platform.clone(),
        project: project.as_str().into(),
        environment: environment.as_str().into(),
    });
    Ok(RunRecord {
        id: RunId::new(row.get::<String>(0)?),
        platform,
        deployment: DeploymentId::new(row.get::<String>(2)?),
        key,
        app: row.get(5)?,
        environment: row.get(6)?,
        commit_sha: row.get(7)?,
        started_at: row.get(8)?,
        ended_at: row.get(9)?,
        phase: row.get(10)?,
        verdict: row.get::<Option<String>>(11)?.as_deref().and_then(verdict),
        action: row.get(12)?,
        reason: row.get(13)?,
        config_hash: row.get(14)?,
        state: row.get(15)?,
        version: row.get(16)?,
        is_rollback: row.get(17)?,
        deployed_at: row.get(18)?,
        fence: row.get(19)?,
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
    db: &dyn Db,
    platform: &PlatformName,
    deployment: &DeploymentId,
) -> Result<Option<RunRecord>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE platform = ?1 AND deployment = ?2 ORDER BY id DESC LIMIT 1");
    db.first(&sql, values![platform.as_str(), deployment.as_str()], record)
}

pub(crate) fn by_id(db: &dyn Db, id: &RunId) -> Result<Option<RunRecord>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1");
    db.first(&sql, values![id.as_str()], record)
}

pub(crate) fn save_config(db: &dyn Db, hash: &str, text: &str, now: Timestamp) -> Result<(), Error> {
    let sql =
        "INSERT INTO configs (hash, text, at) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO UPDATE SET at = excluded.at";
    db.execute(sql, values![hash, text, now.as_millis()])?;
    Ok(())
}

pub(crate) fn config(db: &dyn Db, hash: &str) -> Result<Option<String>, Error> {
    db.first("SELECT text FROM configs WHERE hash = ?1", values![hash], |row| {
        row.get(0)
    })
}

/// The key of this name, kept from the first time on.
pub(crate) fn key(db: &dyn Db, name: &str, fresh: [u8; 32]) -> Result<[u8; 32], Error> {
    let sql = "INSERT INTO keys (name, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    db.execute(sql, values![name, fresh])?;
    let kept: Option<Vec<u8>> = db.first("SELECT bytes FROM keys WHERE name = ?1", values![name], |row| {
        row.get(0)
    })?;
    let kept = kept.and_then(|bytes| bytes.try_into().ok());
    kept.ok_or_else(|| Error::Row(format!("the key `{name}` does not have 32 bytes")))
}

pub(crate) fn touch(db: &dyn Db, now: Timestamp) -> Result<(), Error> {
    let sql = "INSERT INTO touched (one, at) VALUES (1, ?1) ON CONFLICT (one) DO UPDATE SET at = excluded.at";
    db.execute(sql, values![now.as_millis()])?;
    Ok(())
}

/// Whether a run was about `deployment`, or about one in its place that was made no earlier.
pub(crate) fn knows(db: &dyn Db, deployment: &Deployment) -> Result<bool, Error> {
    let Some(created_at) = deployment.created_at else {
        return Ok(true);
    };
    let key = &deployment.key;
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM runs WHERE platform = ?1 AND deployment = ?2)
                  OR EXISTS (SELECT 1 FROM runs WHERE platform = ?1 AND project = ?3 AND environment_id = ?4
                             AND deployed_at >= ?5)
                  OR EXISTS (SELECT 1 FROM adopted WHERE platform = ?1 AND project = ?3 AND environment_id = ?4
                             AND (deployment = ?2 OR deployed_at >= ?5))";
    let found = db.first(
        sql,
        values![
            key.platform.as_str(),
            deployment.id.as_str(),
            key.project.as_str(),
            key.environment.as_str(),
            created_at.as_millis()
        ],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}
