//! What is known of each app and environment, and pauses.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::super::{Error, History, KnownGood, LedgerWrite, PauseView};
use super::times;
use crate::domain::{AppKey, Before, CheckName, DeploymentId, Fleet, Reason, RunId, Timestamp};

/// Known-good deployments told of an app.
const GOOD_MAX: usize = 50;
/// Warm-ups kept of an app.
const WARM_UPS_MAX: i64 = 20;
/// Rollbacks older than this limit nothing.
const ROLLBACKS_MS: u64 = 24 * 3_600_000;
/// Apps found bad longer ago than this do not fail together with any.
const FAILING_MS: u64 = 24 * 3_600_000;
/// Forms kept of one check.
const FORMS_MAX: i64 = 20;

pub(crate) fn write(db: &Connection, write: &LedgerWrite) -> Result<(), Error> {
    match write {
        LedgerWrite::KnownGood {
            key,
            deployment,
            commit_sha,
            at,
        } => {
            let sql = "INSERT OR REPLACE INTO ledger_good (platform, project, environment, deployment, commit_sha, at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let (p, j, e) = parts(key);
            db.prepare_cached(sql)?
                .execute(params![p, j, e, deployment.as_str(), commit_sha, at.as_millis()])?;
            let sql =
                "DELETE FROM ledger_bad WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND deployment = ?4";
            db.prepare_cached(sql)?.execute(params![p, j, e, deployment.as_str()])?;
        }
        LedgerWrite::Bad { key, deployment, at } => {
            let sql = "INSERT OR REPLACE INTO ledger_bad (platform, project, environment, deployment, at)
                       VALUES (?1, ?2, ?3, ?4, ?5)";
            let (p, j, e) = parts(key);
            db.prepare_cached(sql)?
                .execute(params![p, j, e, deployment.as_str(), at.as_millis()])?;
            let sql =
                "DELETE FROM ledger_good WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND deployment = ?4";
            db.prepare_cached(sql)?.execute(params![p, j, e, deployment.as_str()])?;
        }
        LedgerWrite::CheckPassed { key, check, form, at } => check_passed(db, key, check, form, *at)?,
        LedgerWrite::Times {
            key,
            deployment,
            times: seen,
            at,
        } => times::keep(db, key, deployment, seen, *at)?,
        LedgerWrite::WarmUp { key, ms, at } => warm_up(db, key, *ms, *at)?,
        LedgerWrite::Intent {
            key,
            run,
            deployment,
            target,
            at,
        } => intent(db, key, run, deployment, target, *at)?,
        LedgerWrite::Made {
            key,
            deployment,
            run,
            at,
        } => {
            let sql = "INSERT OR IGNORE INTO made (platform, project, environment, deployment, run, at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let (p, j, e) = parts(key);
            db.prepare_cached(sql)?
                .execute(params![p, j, e, deployment.as_str(), run.as_str(), at.as_millis()])?;
        }
    }
    Ok(())
}

fn parts(key: &AppKey) -> (&str, &str, &str) {
    (key.platform.as_str(), key.project.as_str(), key.environment.as_str())
}

fn check_passed(db: &Connection, key: &AppKey, check: &CheckName, form: &str, at: Timestamp) -> Result<(), Error> {
    let (p, j, e) = parts(key);
    let sql = "INSERT OR REPLACE INTO ledger_passed (platform, project, environment, check_name, form, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(sql)?
        .execute(params![p, j, e, check.as_str(), form, at.as_millis()])?;
    let sql = "DELETE FROM ledger_passed WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND check_name = ?4
               AND form NOT IN (SELECT form FROM ledger_passed WHERE platform = ?1 AND project = ?2 AND environment = ?3
                                AND check_name = ?4 ORDER BY at DESC LIMIT ?5)";
    db.prepare_cached(sql)?
        .execute(params![p, j, e, check.as_str(), FORMS_MAX])?;
    Ok(())
}

fn warm_up(db: &Connection, key: &AppKey, ms: u64, at: Timestamp) -> Result<(), Error> {
    let (p, j, e) = parts(key);
    let sql = "INSERT INTO ledger_warm_up (platform, project, environment, ms, at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    db.prepare_cached(sql)?.execute(params![p, j, e, ms, at.as_millis()])?;
    let sql = "DELETE FROM ledger_warm_up WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND number NOT IN
               (SELECT number FROM ledger_warm_up WHERE platform = ?1 AND project = ?2 AND environment = ?3
                ORDER BY number DESC LIMIT ?4)";
    db.prepare_cached(sql)?.execute(params![p, j, e, WARM_UPS_MAX])?;
    Ok(())
}

/// One run per deployment may roll back; the same run may change its target.
fn intent(
    db: &Connection,
    key: &AppKey,
    run: &RunId,
    deployment: &DeploymentId,
    target: &DeploymentId,
    at: Timestamp,
) -> Result<(), Error> {
    let (p, j, e) = parts(key);
    let sql = "INSERT INTO intents (platform, project, environment, deployment, target, run, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (platform, project, deployment) DO UPDATE SET target = excluded.target
               WHERE run = excluded.run";
    let changed = db.prepare_cached(sql)?.execute(params![
        p,
        j,
        e,
        deployment.as_str(),
        target.as_str(),
        run.as_str(),
        at.as_millis()
    ])?;
    if changed == 0 {
        Err(Error::IntentTaken(deployment.clone()))
    } else {
        Ok(())
    }
}

pub(crate) fn history(db: &Connection, key: &AppKey, now: Timestamp) -> Result<History, Error> {
    let day_ago = now.as_millis().saturating_sub_unsigned(ROLLBACKS_MS);
    let good = format!("SELECT deployment, commit_sha, at FROM ledger_good {OF} ORDER BY at DESC LIMIT {GOOD_MAX}");
    let rollbacks = format!("SELECT at FROM intents {OF} AND at > {day_ago}");
    Ok(History {
        known_good: all(db, key, &good, |row| {
            let deployment = DeploymentId::new(row.get::<_, String>(0)?);
            Ok(KnownGood {
                deployment,
                commit_sha: row.get(1)?,
                at: Timestamp::from_millis(row.get(2)?),
            })
        })?,
        bad: all(db, key, &format!("SELECT deployment FROM ledger_bad {OF}"), id)?
            .into_iter()
            .collect(),
        rollbacks_at: all(db, key, &rollbacks, |row| Ok(Timestamp::from_millis(row.get(0)?)))?,
        passed_checks: all(
            db,
            key,
            &format!("SELECT check_name, form FROM ledger_passed {OF}"),
            |row| Ok((CheckName::new(row.get::<_, String>(0)?), row.get(1)?)),
        )?
        .into_iter()
        .collect(),
        warmups_ms: all(
            db,
            key,
            &format!("SELECT ms FROM ledger_warm_up {OF} ORDER BY number DESC"),
            |row| row.get::<_, i64>(0).map(|ms| u64::try_from(ms).unwrap_or(0)),
        )?,
        made: all(db, key, &format!("SELECT deployment FROM made {OF}"), id)?
            .into_iter()
            .collect(),
        before: all(
            db,
            key,
            &format!("SELECT check_name, form, probes, failed, reason, at FROM ledger_before {OF}"),
            |row| {
                Ok(Before {
                    check: CheckName::new(row.get::<_, String>(0)?),
                    form: row.get(1)?,
                    probes: row.get(2)?,
                    failed: row.get(3)?,
                    reason: row.get::<_, Option<String>>(4)?.as_deref().and_then(Reason::of_word),
                    at: Timestamp::from_millis(row.get(5)?),
                })
            },
        )?,
        fleet: fleet(db, key, now)?,
        times: times::read(db, key)?,
    })
}

/// Keeps what the checks saw of the version before; an older look of the same check gives way.
pub(crate) fn looked_before(db: &Connection, key: &AppKey, before: &[Before]) -> Result<(), Error> {
    let sql = "INSERT OR REPLACE INTO ledger_before
               (platform, project, environment, check_name, form, probes, failed, reason, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (p, j, e) = parts(key);
    for look in before {
        let reason = look.reason.map(Reason::as_str);
        let at = look.at.as_millis();
        db.prepare_cached(sql)?.execute(params![
            p,
            j,
            e,
            look.check.as_str(),
            look.form,
            look.probes,
            look.failed,
            reason,
            at
        ])?;
    }
    Ok(())
}

/// The apps that have a known-good version, and when each of the others was last found bad. A run that has found its
/// deployment bad and is still under way finds it so now.
fn fleet(db: &Connection, key: &AppKey, now: Timestamp) -> Result<Fleet, Error> {
    let (p, j, e) = parts(key);
    let enrolled: i64 = db
        .prepare_cached("SELECT count(*) FROM (SELECT DISTINCT platform, project, environment FROM ledger_good)")?
        .query_row([], |row| row.get(0))?;
    let sql = "SELECT max(at) FROM (
                   SELECT platform, project, environment, at FROM ledger_bad WHERE at > ?4
                   UNION ALL
                   SELECT platform, project, environment_id, ?5 FROM runs
                   WHERE ended_at IS NULL AND verdict = 'unhealthy' AND project IS NOT NULL) AS bad
               WHERE NOT (platform = ?1 AND project = ?2 AND environment = ?3)
                 AND EXISTS (SELECT 1 FROM ledger_good g WHERE g.platform = bad.platform AND g.project = bad.project
                             AND g.environment = bad.environment)
               GROUP BY platform, project, environment";
    let day_ago = now.as_millis().saturating_sub_unsigned(FAILING_MS);
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![p, j, e, day_ago, now.as_millis()], |row| {
        row.get(0).map(Timestamp::from_millis)
    })?;
    Ok(Fleet {
        enrolled: usize::try_from(enrolled).unwrap_or(0),
        failing_at: rows.collect::<Result<_, _>>()?,
    })
}

const OF: &str = "WHERE platform = ?1 AND project = ?2 AND environment = ?3";

fn id(row: &Row<'_>) -> rusqlite::Result<DeploymentId> {
    Ok(DeploymentId::new(row.get::<_, String>(0)?))
}

fn all<T>(
    db: &Connection,
    key: &AppKey,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Error> {
    let (p, j, e) = parts(key);
    let mut statement = db.prepare_cached(sql)?;
    let found = statement.query_map(params![p, j, e], read)?.collect::<Result<_, _>>()?;
    Ok(found)
}

pub(crate) fn pause(db: &Connection, app: &str, until: Timestamp) -> Result<(), Error> {
    db.execute(
        "INSERT OR REPLACE INTO pauses (app, until) VALUES (?1, ?2)",
        params![app, until.as_millis()],
    )?;
    Ok(())
}

pub(crate) fn resume(db: &Connection, app: &str) -> Result<bool, Error> {
    Ok(db.execute("DELETE FROM pauses WHERE app = ?1", params![app])? > 0)
}

pub(crate) fn paused_until(db: &Connection, app: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT until FROM pauses WHERE app = ?1 AND until > ?2";
    let found = db
        .prepare_cached(sql)?
        .query_row(params![app, now.as_millis()], |row| row.get(0))
        .optional()?;
    Ok(found.map(Timestamp::from_millis))
}

pub(crate) fn pauses(db: &Connection, now: Timestamp) -> Result<Vec<PauseView>, Error> {
    let mut statement = db.prepare_cached("SELECT app, until FROM pauses WHERE until > ?1 ORDER BY app")?;
    let view = |row: &Row<'_>| {
        Ok(PauseView {
            app: row.get(0)?,
            until: Timestamp::from_millis(row.get(1)?),
        })
    };
    let found = statement
        .query_map(params![now.as_millis()], view)?
        .collect::<Result<_, _>>()?;
    Ok(found)
}
