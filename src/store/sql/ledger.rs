//! What is known of each app and environment, and pauses.

use super::super::{Error, History, KnownGood, LedgerWrite, PauseView};
use super::{Db, Row, signed, times, values};
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

pub(crate) fn write(db: &dyn Db, write: &LedgerWrite) -> Result<(), Error> {
    match write {
        LedgerWrite::KnownGood {
            key,
            deployment,
            commit_sha,
            at,
        } => {
            let sql = "INSERT INTO ledger_good (platform, project, environment, deployment, commit_sha, at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (platform, project, environment, deployment)
                       DO UPDATE SET commit_sha = excluded.commit_sha, at = excluded.at";
            let (p, j, e) = parts(key);
            db.execute(sql, values![p, j, e, deployment.as_str(), commit_sha, at.as_millis()])?;
            let sql =
                "DELETE FROM ledger_bad WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND deployment = ?4";
            db.execute(sql, values![p, j, e, deployment.as_str()])?;
        }
        LedgerWrite::Bad { key, deployment, at } => {
            let sql = "INSERT INTO ledger_bad (platform, project, environment, deployment, at)
                       VALUES (?1, ?2, ?3, ?4, ?5)
                       ON CONFLICT (platform, project, environment, deployment) DO UPDATE SET at = excluded.at";
            let (p, j, e) = parts(key);
            db.execute(sql, values![p, j, e, deployment.as_str(), at.as_millis()])?;
            let sql =
                "DELETE FROM ledger_good WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND deployment = ?4";
            db.execute(sql, values![p, j, e, deployment.as_str()])?;
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
            intents_seen,
            at,
        } => intent(
            db,
            &Intent {
                key,
                run,
                deployment,
                target,
                intents_seen: *intents_seen,
                at: *at,
            },
        )?,
        LedgerWrite::Made {
            key,
            deployment,
            run,
            at,
        } => {
            let sql = "INSERT INTO made (platform, project, environment, deployment, run, at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let (p, j, e) = parts(key);
            db.execute(sql, values![p, j, e, deployment.as_str(), run.as_str(), at.as_millis()])?;
        }
    }
    Ok(())
}

fn parts(key: &AppKey) -> (&str, &str, &str) {
    (key.platform.as_str(), key.project.as_str(), key.environment.as_str())
}

fn check_passed(db: &dyn Db, key: &AppKey, check: &CheckName, form: &str, at: Timestamp) -> Result<(), Error> {
    let (p, j, e) = parts(key);
    let sql = "INSERT INTO ledger_passed (platform, project, environment, check_name, form, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (platform, project, environment, check_name, form) DO UPDATE SET at = excluded.at";
    db.execute(sql, values![p, j, e, check.as_str(), form, at.as_millis()])?;
    let sql = "DELETE FROM ledger_passed WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND check_name = ?4
               AND form NOT IN (SELECT form FROM ledger_passed WHERE platform = ?1 AND project = ?2 AND environment = ?3
                                AND check_name = ?4 ORDER BY at DESC LIMIT ?5)";
    db.execute(sql, values![p, j, e, check.as_str(), FORMS_MAX])?;
    Ok(())
}

fn warm_up(db: &dyn Db, key: &AppKey, ms: u64, at: Timestamp) -> Result<(), Error> {
    let (p, j, e) = parts(key);
    let sql = "INSERT INTO ledger_warm_up (platform, project, environment, ms, at) VALUES (?1, ?2, ?3, ?4, ?5)";
    let ms = signed(ms);
    db.execute(sql, values![p, j, e, ms, at.as_millis()])?;
    let sql = "DELETE FROM ledger_warm_up WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND number NOT IN
               (SELECT number FROM ledger_warm_up WHERE platform = ?1 AND project = ?2 AND environment = ?3
                ORDER BY number DESC LIMIT ?4)";
    db.execute(sql, values![p, j, e, WARM_UPS_MAX])?;
    Ok(())
}

/// One run per deployment may roll back; the same run may change its target. `intents_seen` is how many intents the app had
/// when the guards looked at it: if another one came in between, what they allowed may be over a limit now.
fn intent(db: &dyn Db, intent: &Intent<'_>) -> Result<(), Error> {
    let (p, j, e) = parts(intent.key);
    let (deployment, target, run) = (intent.deployment.as_str(), intent.target.as_str(), intent.run.as_str());
    let sql = "SELECT run FROM intents WHERE platform = ?1 AND project = ?2 AND deployment = ?3";
    let holder: Option<String> = db.first(sql, values![p, j, deployment], |row| row.get(0))?;
    match holder.as_deref() {
        Some(holder) if holder == run => {
            let sql = "UPDATE intents SET target = ?4
                       WHERE platform = ?1 AND project = ?2 AND deployment = ?3 AND run = ?5";
            db.execute(sql, values![p, j, deployment, target, run])?;
            return Ok(());
        }
        Some(_) => return Err(Error::IntentTaken(intent.deployment.clone())),
        None => {}
    }
    count_intent(db, intent)?;
    let sql = "INSERT INTO intents (platform, project, environment, deployment, target, run, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
    if db.execute(sql, values![p, j, e, deployment, target, run, intent.at.as_millis()])? == 0 {
        return Err(Error::IntentTaken(intent.deployment.clone()));
    }
    Ok(())
}

/// Counts one intent more of the app. The count's row makes two agents that decide at the same time take turns.
fn count_intent(db: &dyn Db, intent: &Intent<'_>) -> Result<(), Error> {
    let (p, j, e) = parts(intent.key);
    let sql = "INSERT INTO intent_counts (platform, project, environment, intents) VALUES (?1, ?2, ?3, 0)
               ON CONFLICT DO NOTHING";
    db.execute(sql, values![p, j, e])?;
    let sql = "UPDATE intent_counts SET intents = intents + 1
               WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND intents = ?4";
    if db.execute(sql, values![p, j, e, signed(intent.intents_seen)])? == 0 {
        return Err(Error::Overtaken(intent.deployment.clone()));
    }
    Ok(())
}

/// An intent to roll back.
struct Intent<'a> {
    key: &'a AppKey,
    run: &'a RunId,
    deployment: &'a DeploymentId,
    target: &'a DeploymentId,
    intents_seen: u64,
    at: Timestamp,
}

pub(crate) fn history(db: &dyn Db, key: &AppKey, now: Timestamp) -> Result<History, Error> {
    let day_ago = now.as_millis().saturating_sub_unsigned(ROLLBACKS_MS);
    let good = format!("SELECT deployment, commit_sha, at FROM ledger_good {OF} ORDER BY at DESC LIMIT {GOOD_MAX}");
    let rollbacks = format!("SELECT at FROM intents {OF} AND at > ?4");
    let (p, j, e) = parts(key);
    let counted = format!("SELECT intents FROM intent_counts {OF}");
    Ok(History {
        known_good: all(db, key, &good, |row| {
            let deployment = DeploymentId::new(row.get::<String>(0)?);
            Ok(KnownGood {
                deployment,
                commit_sha: row.get(1)?,
                at: row.get(2)?,
            })
        })?,
        bad: all(db, key, &format!("SELECT deployment FROM ledger_bad {OF}"), id)?
            .into_iter()
            .collect(),
        rollbacks_at: db.all(&rollbacks, values![p, j, e, day_ago], |row| row.get(0))?,
        passed_checks: all(
            db,
            key,
            &format!("SELECT check_name, form FROM ledger_passed {OF}"),
            |row| Ok((CheckName::new(row.get::<String>(0)?), row.get(1)?)),
        )?
        .into_iter()
        .collect(),
        warmups_ms: all(
            db,
            key,
            &format!("SELECT ms FROM ledger_warm_up {OF} ORDER BY number DESC"),
            |row| row.get(0),
        )?,
        intents: all::<u64>(db, key, &counted, |row| row.get(0))?
            .first()
            .copied()
            .unwrap_or(0),
        intents_of: all(db, key, &format!("SELECT deployment, run FROM intents {OF}"), |row| {
            Ok((id(row)?, RunId::new(row.get::<String>(1)?)))
        })?
        .into_iter()
        .collect(),
        made: all(db, key, &format!("SELECT deployment FROM made {OF}"), id)?
            .into_iter()
            .collect(),
        before: all(
            db,
            key,
            &format!("SELECT check_name, form, probes, failed, reason, at FROM ledger_before {OF}"),
            |row| {
                Ok(Before {
                    check: CheckName::new(row.get::<String>(0)?),
                    form: row.get(1)?,
                    probes: row.get(2)?,
                    failed: row.get(3)?,
                    reason: row.get::<Option<String>>(4)?.as_deref().and_then(Reason::of_word),
                    at: row.get(5)?,
                })
            },
        )?,
        fleet: fleet(db, key, now)?,
        times: times::read(db, key)?,
    })
}

/// Whether any version is known to be good.
pub(crate) fn has_good(db: &dyn Db, key: &AppKey) -> Result<bool, Error> {
    let (p, j, e) = parts(key);
    let sql = format!("SELECT 1 FROM ledger_good {OF} LIMIT 1");
    Ok(db.first(&sql, values![p, j, e], |_| Ok(()))?.is_some())
}

/// Keeps what the checks saw of the version before; an older look of the same check gives way.
pub(crate) fn looked_before(db: &dyn Db, key: &AppKey, before: &[Before]) -> Result<(), Error> {
    let sql = "INSERT INTO ledger_before
               (platform, project, environment, check_name, form, probes, failed, reason, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
               ON CONFLICT (platform, project, environment, check_name) DO UPDATE SET form = excluded.form,
               probes = excluded.probes, failed = excluded.failed, reason = excluded.reason, at = excluded.at";
    let (p, j, e) = parts(key);
    for look in before {
        let reason = look.reason.map(Reason::as_str);
        let at = look.at.as_millis();
        db.execute(
            sql,
            values![
                p,
                j,
                e,
                look.check.as_str(),
                look.form,
                look.probes,
                look.failed,
                reason,
                at
            ],
        )?;
    }
    Ok(())
}

/// The apps that have a known-good version, and when each of them was last found bad.
pub(crate) fn fleet_at_large(db: &dyn Db, now: Timestamp) -> Result<Fleet, Error> {
    fleet_but(db, ("", "", ""), now)
}

/// The same for one of them that asks: it is not among the others.
fn fleet(db: &dyn Db, key: &AppKey, now: Timestamp) -> Result<Fleet, Error> {
    fleet_but(db, parts(key), now)
}

/// A run that has found its deployment bad and is still under way finds it so now.
fn fleet_but(db: &dyn Db, (p, j, e): (&str, &str, &str), now: Timestamp) -> Result<Fleet, Error> {
    let known = "SELECT count(*) FROM (SELECT DISTINCT platform, project, environment FROM ledger_good) AS known";
    let enrolled: u64 = db.first(known, &[], |row| row.get(0))?.unwrap_or(0);
    let sql = "SELECT max(at) FROM (
                   SELECT platform, project, environment, at FROM ledger_bad WHERE at > ?4
                   UNION ALL
                   SELECT platform, project, environment_id, CAST(?5 AS BIGINT) FROM runs
                   WHERE ended_at IS NULL AND verdict = 'unhealthy' AND project IS NOT NULL) AS bad
               WHERE NOT (platform = ?1 AND project = ?2 AND environment = ?3)
                 AND EXISTS (SELECT 1 FROM ledger_good g WHERE g.platform = bad.platform AND g.project = bad.project
                             AND g.environment = bad.environment)
               GROUP BY platform, project, environment";
    let day_ago = now.as_millis().saturating_sub_unsigned(FAILING_MS);
    Ok(Fleet {
        enrolled: usize::try_from(enrolled).unwrap_or(0),
        failing_at: db.all(sql, values![p, j, e, day_ago, now.as_millis()], |row| row.get(0))?,
    })
}

const OF: &str = "WHERE platform = ?1 AND project = ?2 AND environment = ?3";

fn id(row: &Row) -> Result<DeploymentId, Error> {
    Ok(DeploymentId::new(row.get::<String>(0)?))
}

fn all<T>(db: &dyn Db, key: &AppKey, sql: &str, read: impl FnMut(&Row) -> Result<T, Error>) -> Result<Vec<T>, Error> {
    let (p, j, e) = parts(key);
    db.all(sql, values![p, j, e], read)
}

pub(crate) fn pause(db: &dyn Db, app: &str, until: Timestamp) -> Result<(), Error> {
    db.execute(
        "INSERT INTO pauses (app, until) VALUES (?1, ?2) ON CONFLICT (app) DO UPDATE SET until = excluded.until",
        values![app, until.as_millis()],
    )?;
    Ok(())
}

pub(crate) fn resume(db: &dyn Db, app: &str) -> Result<bool, Error> {
    Ok(db.execute("DELETE FROM pauses WHERE app = ?1", values![app])? > 0)
}

pub(crate) fn paused_until(db: &dyn Db, app: &str, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT until FROM pauses WHERE app = ?1 AND until > ?2";
    db.first(sql, values![app, now.as_millis()], |row| row.get(0))
}

pub(crate) fn pauses(db: &dyn Db, now: Timestamp) -> Result<Vec<PauseView>, Error> {
    let sql = "SELECT app, until FROM pauses WHERE until > ?1 ORDER BY app";
    db.all(sql, values![now.as_millis()], |row| {
        Ok(PauseView {
            app: row.get(0)?,
            until: row.get(1)?,
        })
    })
}
