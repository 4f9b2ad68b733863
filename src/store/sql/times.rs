//! How long checks took in deployments that are known to be good.

use super::super::Error;
use super::{Db, values};
use crate::domain::{AppKey, CheckName, DeploymentId, TimesBefore, Timestamp};

/// Deployments that a check is compared with.
const DEPLOYMENTS_MAX: i64 = 5;

/// Keeps the times of one check in one deployment; the oldest deployment gives way.
pub(crate) fn keep(
    db: &dyn Db,
    key: &AppKey,
    deployment: &DeploymentId,
    times: &TimesBefore,
    at: Timestamp,
) -> Result<(), Error> {
    let (p, j, e) = (key.platform.as_str(), key.project.as_str(), key.environment.as_str());
    let (check, text) = (
        times.check.as_str(),
        serde_json::to_string(&times.times_ms).unwrap_or_default(),
    );
    let sql = "DELETE FROM ledger_times WHERE platform = ?1 AND project = ?2 AND environment = ?3 AND check_name = ?4
               AND (deployment = ?5 OR number NOT IN
                    (SELECT number FROM ledger_times WHERE platform = ?1 AND project = ?2 AND environment = ?3
                     AND check_name = ?4 AND deployment <> ?5 ORDER BY number DESC LIMIT ?6))";
    db.execute(sql, values![p, j, e, check, deployment.as_str(), DEPLOYMENTS_MAX - 1])?;
    let sql = "INSERT INTO ledger_times (platform, project, environment, check_name, form, deployment, times, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    db.execute(
        sql,
        values![p, j, e, check, times.form, deployment.as_str(), text, at.as_millis()],
    )?;
    Ok(())
}

/// All that is kept of an app and environment, one row for each form of a check.
pub(crate) fn read(db: &dyn Db, key: &AppKey) -> Result<Vec<TimesBefore>, Error> {
    let sql = "SELECT check_name, form, times FROM ledger_times
               WHERE platform = ?1 AND project = ?2 AND environment = ?3 ORDER BY check_name, number";
    let (p, j, e) = (key.platform.as_str(), key.project.as_str(), key.environment.as_str());
    let mut found: Vec<TimesBefore> = Vec::new();
    for row in db.rows(sql, values![p, j, e])? {
        let (check, form, text): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let times_ms: Vec<u32> = serde_json::from_str(&text).unwrap_or_default();
        match found
            .iter_mut()
            .find(|known| known.check.as_str() == check && known.form == form)
        {
            Some(known) => known.times_ms.extend(times_ms),
            None => found.push(TimesBefore {
                check: CheckName::new(check),
                form,
                times_ms,
            }),
        }
    }
    Ok(found)
}
