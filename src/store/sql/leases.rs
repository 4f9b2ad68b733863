//! Which agents live, and which runs are whose. Time is the database's, so that no agent's clock matters.

use super::super::{Error, RunRecord, Taken};
use super::runs::{COLUMNS, by_id, record};
use super::{Db, signed, values};
use crate::domain::{AgentId, RunId};

/// Rows of agents whose lease ended longer ago are removed.
const GONE_MS: u64 = 24 * 3_600_000;

/// Gives `agent` a lease from now on; the first time, and again.
pub(crate) fn renew(db: &dyn Db, agent: &AgentId, lease_ms: u64) -> Result<(), Error> {
    let until = db.now()?.plus_ms(lease_ms).as_millis();
    let sql = "INSERT INTO agents (id, lease_until) VALUES (?1, ?2)
               ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until";
    db.execute(sql, values![agent.as_str(), until])?;
    Ok(())
}

/// Ends the lease of `agent`, so that others take what is its own at once.
pub(crate) fn release(db: &dyn Db, agent: &AgentId) -> Result<(), Error> {
    db.execute("DELETE FROM agents WHERE id = ?1", values![agent.as_str()])?;
    Ok(())
}

/// Ends the lease of every agent: of a database that only one can have open, all others are dead.
pub(crate) fn release_all(db: &dyn Db) -> Result<(), Error> {
    db.execute("DELETE FROM agents", &[])?;
    // Their sockets were closed with them.
    db.execute("UPDATE runs SET hold_until = NULL WHERE hold_until IS NOT NULL", &[])?;
    Ok(())
}

/// Takes unfinished runs whose owner has no lease, oldest first.
pub(crate) fn take_over(db: &dyn Db, agent: &AgentId, limit: usize) -> Result<Vec<Taken>, Error> {
    let now = db.now()?.as_millis();
    let sql = format!(
        "SELECT {COLUMNS}, hold_until FROM runs
         WHERE ended_at IS NULL AND NOT EXISTS
               (SELECT 1 FROM agents a WHERE a.id = runs.owner AND a.lease_until >= ?1)
         ORDER BY id LIMIT ?2"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let found: Vec<(RunRecord, Option<i64>)> =
        db.all(&sql, values![now, limit], |row| Ok((record(row)?, row.get(20)?)))?;
    let mut taken = Vec::new();
    for (run, hold_until) in found {
        let sql = "UPDATE runs SET owner = ?2, fence = fence + 1
                   WHERE id = ?1 AND fence = ?3 AND ended_at IS NULL AND NOT EXISTS
                         (SELECT 1 FROM agents a WHERE a.id = runs.owner AND a.lease_until >= ?4)";
        if db.execute(sql, values![run.id.as_str(), agent.as_str(), signed(run.fence), now])? == 1 {
            taken.push(next(run, hold_until, now));
        }
    }
    Ok(taken)
}

/// The unfinished runs of `agent`.
pub(crate) fn runs_of(db: &dyn Db, agent: &AgentId) -> Result<Vec<RunId>, Error> {
    let sql = "SELECT id FROM runs WHERE ended_at IS NULL AND owner = ?1";
    db.all(sql, values![agent.as_str()], |row| {
        Ok(RunId::new(row.get::<String>(0)?))
    })
}

/// Takes up again a run that is `agent`'s own, as it is stored; `None` if it ended or is another's by now.
pub(crate) fn take_again(db: &dyn Db, agent: &AgentId, run: &RunId) -> Result<Option<Taken>, Error> {
    let sql = "UPDATE runs SET fence = fence + 1 WHERE id = ?1 AND owner = ?2 AND ended_at IS NULL";
    if db.execute(sql, values![run.as_str(), agent.as_str()])? == 0 {
        return Ok(None);
    }
    let now = db.now()?.as_millis();
    let sql = format!("SELECT {COLUMNS}, hold_until FROM runs WHERE id = ?1");
    db.first(&sql, values![run.as_str()], |row| {
        let hold_until: Option<i64> = row.get(20)?;
        Ok(Taken {
            run: record(row)?,
            hold_ms: hold_left(hold_until, now),
        })
    })
}

/// Takes an ended run, to go on with it.
pub(crate) fn take_ended(db: &dyn Db, agent: &AgentId, run: &RunId) -> Result<Option<RunRecord>, Error> {
    let sql = "UPDATE runs SET owner = ?2, fence = fence + 1 WHERE id = ?1 AND ended_at IS NOT NULL";
    db.execute(sql, values![run.as_str(), agent.as_str()])?;
    by_id(db, run)
}

fn next(run: RunRecord, hold_until: Option<i64>, now: i64) -> Taken {
    Taken {
        hold_ms: hold_left(hold_until, now),
        run: RunRecord {
            fence: run.fence + 1,
            ..run
        },
    }
}

fn hold_left(hold_until: Option<i64>, now: i64) -> u64 {
    hold_until.map_or(0, |until| super::unsigned(until.saturating_sub(now)))
}

/// Takes what one agent does for all, until it is done again, the time is over or its agent is dead; whether it is
/// `agent`'s now.
pub(crate) fn take_duty(db: &dyn Db, agent: &AgentId, name: &str, for_ms: u64) -> Result<bool, Error> {
    let now = db.now()?;
    let sql = "INSERT INTO duties (name, agent, until) VALUES (?1, ?2, ?3)
               ON CONFLICT (name) DO UPDATE SET agent = excluded.agent, until = excluded.until
               WHERE duties.agent = excluded.agent OR duties.until < ?4 OR NOT EXISTS
                     (SELECT 1 FROM agents a WHERE a.id = duties.agent AND a.lease_until >= ?4)";
    let until = now.plus_ms(for_ms).as_millis();
    Ok(db.execute(sql, values![name, agent.as_str(), until, now.as_millis()])? > 0)
}

/// Removes what is left of agents that are long gone.
pub(crate) fn purge(db: &dyn Db) -> Result<(), Error> {
    let gone = db.now()?.as_millis().saturating_sub_unsigned(GONE_MS);
    db.execute("DELETE FROM agents WHERE lease_until < ?1", values![gone])?;
    db.execute("DELETE FROM duties WHERE until < ?1", values![gone])?;
    Ok(())
}
