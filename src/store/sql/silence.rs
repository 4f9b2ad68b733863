//! What deliveries do not tell: places that none spoke of, and deployments that became ready and were not heard of again.

use super::super::{Error, NewMessage};
use super::{Db, unreadable, values};
use crate::domain::{AppKey, AppPlace, Deployment, DeploymentId, Heard, HeardEvent, PlatformName, Timestamp};

/// Ready deployments looked at in one go.
const AWAITED_MAX: usize = 100;

/// Keeps what is live in a place that nothing was heard of as its baseline; whether nobody did before. Nothing live is a
/// baseline too: whatever goes live there next is news.
pub(crate) fn adopt(db: &dyn Db, place: &AppPlace, live: Option<&Deployment>, at: Timestamp) -> Result<bool, Error> {
    let sql = "INSERT INTO adopted (platform, project, environment_id, app, environment, deployment, deployed_at, at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    let AppKey {
        platform,
        project,
        environment,
    } = &place.key;
    let (deployment, deployed_at) = (live.map(|live| live.id.as_str()), live.and_then(|live| live.created_at));
    let made = db.execute(
        sql,
        values![
            platform.as_str(),
            project.as_str(),
            environment.as_str(),
            place.app,
            place.environment,
            deployment,
            deployed_at.map(Timestamp::as_millis),
            at.as_millis()
        ],
    )?;
    Ok(made > 0)
}

/// Begins or ends waiting for a deployment that was heard of.
pub(crate) fn heard(db: &dyn Db, platform: &PlatformName, heard: &Heard, at: Timestamp) -> Result<(), Error> {
    match heard.event {
        HeardEvent::Ready => {
            let text = serde_json::to_string(heard).map_err(|error| unreadable("delivery", error))?;
            let sql =
                "INSERT INTO awaited (platform, deployment, heard, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            let deployment = heard.deployment.as_str();
            db.execute(sql, values![platform.as_str(), deployment, text, at.as_millis()])?;
        }
        HeardEvent::Live | HeardEvent::Failed | HeardEvent::Cancelled | HeardEvent::RolledBack => {
            end_waiting(db, platform, &heard.deployment, &[])?;
        }
        HeardEvent::Started | HeardEvent::Built => {}
    }
    Ok(())
}

/// Deployments of `platform` that became ready before `before`, and that nothing was heard of since; oldest first. Those
/// that a run was about are waited for no longer.
pub(crate) fn awaited(db: &dyn Db, platform: &PlatformName, before: Timestamp) -> Result<Vec<Heard>, Error> {
    let platform = platform.as_str();
    let sql = "DELETE FROM awaited WHERE platform = ?1 AND EXISTS
               (SELECT 1 FROM runs r WHERE r.platform = awaited.platform AND r.deployment = awaited.deployment)";
    db.execute(sql, values![platform])?;
    let sql = format!("SELECT heard FROM awaited WHERE platform = ?1 AND at <= ?2 ORDER BY at LIMIT {AWAITED_MAX}");
    db.all(&sql, values![platform, before.as_millis()], |row| {
        let heard: String = row.get(0)?;
        serde_json::from_str(&heard).map_err(|error| unreadable("delivery", error))
    })
}

/// Ends waiting for a deployment, and queues what is told of that, unless somebody else ended it; whether it was us.
pub(crate) fn end_waiting(
    db: &dyn Db,
    platform: &PlatformName,
    deployment: &DeploymentId,
    told: &[NewMessage],
) -> Result<bool, Error> {
    let sql = "DELETE FROM awaited WHERE platform = ?1 AND deployment = ?2";
    let ours = db.execute(sql, values![platform.as_str(), deployment.as_str()])? > 0;
    if ours {
        told.iter().try_for_each(|message| super::outbox::queue(db, message))?;
    }
    Ok(ours)
}
