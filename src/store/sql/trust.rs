//! What trust is measured by: ended runs of one app and environment, and what people said of them.

use super::super::Error;
use super::runs::verdict;
use super::views::NEWEST;
use super::{Db, Row, values};
use crate::domain::{AppKey, AppPlace, DeploymentId, JudgedRun, Label, RunId, Timestamp};

/// Runs looked at of one app and environment.
const RUNS_MAX: usize = 500;

fn place(row: &Row) -> Result<AppPlace, Error> {
    let text = |column: usize| row.get::<String>(column);
    Ok(AppPlace {
        key: AppKey {
            platform: text(0)?.as_str().into(),
            project: text(1)?.as_str().into(),
            environment: text(2)?.as_str().into(),
        },
        app: text(3)?,
        environment: text(4)?,
    })
}

/// The apps and environments that runs were about, by the names of their newest run, and those that were adopted; of one
/// app if asked.
pub(crate) fn places(db: &dyn Db, app: Option<&str>, limit: usize) -> Result<Vec<AppPlace>, Error> {
    let sql = format!(
        "{NEWEST}
         SELECT platform, project, environment_id, app, environment FROM (
             SELECT r.platform, r.project, r.environment_id, r.app, r.environment
             FROM newest n JOIN runs r ON r.id = n.id
             UNION ALL
             SELECT platform, project, environment_id, app, environment FROM adopted a
             WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.platform = a.platform AND r.project = a.project
                               AND r.environment_id = a.environment_id)) AS place
         WHERE CAST(?1 AS TEXT) IS NULL OR app = ?1
         ORDER BY app, environment, platform, project, environment_id LIMIT {limit}"
    );
    db.all(&sql, values![app], place)
}

/// Ended runs, newest first; why, and what people say of it, only of those that found their deployment bad: the rest stands in
/// an index.
pub(crate) fn judged(db: &dyn Db, key: &AppKey) -> Result<Vec<JudgedRun>, Error> {
    let sql = format!(
        "SELECT r.id, r.deployment, r.is_rollback, r.verdict, r.action,
                CASE WHEN r.verdict = 'unhealthy' THEN r.reason END, r.started_at, r.ended_at,
                CASE WHEN r.verdict = 'unhealthy' THEN (SELECT l.label FROM labels l WHERE l.run = r.id) END
         FROM runs r
         WHERE r.platform = ?1 AND r.project = ?2 AND r.environment_id = ?3 AND r.ended_at IS NOT NULL
         ORDER BY r.id DESC LIMIT {RUNS_MAX}"
    );
    db.all(
        &sql,
        values![key.platform.as_str(), key.project.as_str(), key.environment.as_str()],
        |row| {
            Ok(JudgedRun {
                id: RunId::new(row.get::<String>(0)?),
                deployment: DeploymentId::new(row.get::<String>(1)?),
                is_rollback: row.get(2)?,
                verdict: row.get::<Option<String>>(3)?.as_deref().and_then(verdict),
                action: row.get(4)?,
                reason: row.get::<Option<String>>(5)?.unwrap_or_default(),
                started_at: row.get(6)?,
                ended_at: row.get(7)?,
                label: row.get::<Option<String>>(8)?.as_deref().and_then(Label::of_word),
            })
        },
    )
}

/// Keeps what a person says of a run that found its deployment bad; whether there is such a run.
pub(crate) fn label(db: &dyn Db, run: &RunId, label: Label, at: Timestamp) -> Result<bool, Error> {
    let found: Option<i64> = db.first(
        "SELECT 1 FROM runs WHERE id = ?1 AND verdict = 'unhealthy'",
        values![run.as_str()],
        |row| row.get(0),
    )?;
    if found.is_some() {
        db.execute(
            "INSERT INTO labels (run, label, at) VALUES (?1, ?2, ?3)
                    ON CONFLICT (run) DO UPDATE SET label = excluded.label, at = excluded.at",
            values![run.as_str(), label.as_str(), at.as_millis()],
        )?;
    }
    Ok(found.is_some())
}
