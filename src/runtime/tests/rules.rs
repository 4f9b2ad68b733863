//! What must hold after every commit and every call, and what must have come of it all in the end.
//!
//! The end is compared with a reference: [`expected`] says from the truth alone, in a few lines, what may have come of a
//! deployment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;

use super::agents::Control;
use super::world::{Row as Deployed, World};
use crate::domain::{AgentId, Timestamp};
use crate::store::{Engine, Error, Item, Row, Value};

/// The cooldown between two rollbacks of one app, as the simulation's config has it.
const COOLDOWN_MS: u64 = 60_000;
/// How far the clocks of two agents may be apart.
const SKEW_MS: u64 = 10_000;
/// Rollbacks in an hour, as the simulation's config has it.
const PER_HOUR: usize = 2;

/// What was last seen of the store.
#[derive(Default)]
pub(super) struct Seen {
    runs: BTreeMap<String, Stored>,
    agents: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    version: i64,
    owner: String,
    ended: bool,
}

/// Rows of a question, at once: the engine in memory never waits.
pub(super) fn ask(engine: &Arc<dyn Engine>, sql: &str, values: &[&str]) -> Vec<Row> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let (slot, sql) = (Arc::clone(&found), sql.to_owned());
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    let item: Item = Box::new(move |db| {
        let values: Vec<Value<'_>> = values.iter().map(|value| Value::Text(value)).collect();
        *slot.lock().unwrap() = db.rows(&sql, &values)?;
        Ok::<(), Error>(())
    });
    let asked = engine.read(item).now_or_never();
    asked.unwrap().unwrap();
    Arc::into_inner(found).unwrap().into_inner().unwrap()
}

/// After every commit: whoever changed a run owned it, nobody took a run from the living, an ended run stays ended, and there
/// is one run for each deployment.
pub(super) fn after_commit(world: &World, engine: &Arc<dyn Engine>, control: &Control, seen: &mut Seen) {
    let now = world.clock.now().as_millis();
    let leases: BTreeMap<String, i64> = ask(engine, "SELECT id, lease_until FROM agents", &[])
        .iter()
        .map(|row| (row.get(0).unwrap(), row.get(1).unwrap()))
        .collect();
    let mut own = control.id.lock().unwrap();
    if own.is_none() {
        let new = leases.keys().find(|id| !seen.agents.contains_key(*id));
        *own = new.map(|id| AgentId::new(id.as_str()));
    }
    let own = own.as_ref().map_or("", AgentId::as_str).to_owned();
    let sql = "SELECT id, version, owner, ended_at FROM runs";
    for row in ask(engine, sql, &[]) {
        let id: String = row.get(0).unwrap();
        let stored = Stored {
            version: row.get(1).unwrap(),
            owner: row.get(2).unwrap(),
            ended: row.get::<Option<i64>>(3).unwrap().is_some(),
        };
        let before = seen.runs.get(&id);
        if before.is_none_or(|before| before.version != stored.version) && stored.owner != own {
            world.wrong(format!("{own} changed {id}, which is {}'s", stored.owner));
        }
        if let Some(before) = before {
            if before.owner != stored.owner && seen.agents.get(&before.owner).is_some_and(|until| *until >= now) {
                world.wrong(format!("{id} was taken from {}, who lives", before.owner));
            }
            if before.ended && !stored.ended {
                world.wrong(format!("{id} had ended"));
            }
        }
        seen.runs.insert(id, stored);
    }
    seen.agents = leases;
    let sql = "SELECT deployment FROM runs WHERE ended_at IS NULL OR action <> 'dismissed'
               GROUP BY deployment HAVING count(*) > 1";
    for row in ask(engine, sql, &[]) {
        world.wrong(format!("two runs for deployment {}", row.get::<String>(0).unwrap()));
    }
}

/// Before a rollback is made: the intent is durable, and what is current is bad and no rollback itself. That something went
/// live after the agent made the call, or had looked for the last time before, is nobody's fault: `known` is what it took for
/// current when it called.
pub(super) fn may_roll_back(world: &World, engine: &Arc<dyn Engine>, project: u64, target: u64, known: Option<u64>) {
    let current = {
        let inner = world.lock();
        inner.apps.get(&project).and_then(|app| app.row(app.current?).cloned())
    };
    let Some(current) = current.filter(|current| Some(current.id) == known) else {
        if let Some(app) = world.lock().apps.get_mut(&project) {
            app.raced.extend(app.current);
        }
        return;
    };
    let id = current.id.to_string();
    if !current.quality.is_bad() {
        world.wrong(format!("{id} is good, and is rolled back"));
    }
    if current.rolled_back_from.is_some() {
        world.wrong(format!("{id} is a rollback, and is rolled back"));
    }
    let sql = "SELECT 1 FROM intents WHERE deployment = ?1 AND target = ?2";
    if ask(engine, sql, &[&id, &target.to_string()]).is_empty() {
        world.wrong(format!("{id} is rolled back without a durable intent"));
    }
}

/// Whether nothing is under way any more.
pub(super) fn is_quiet(engine: &Arc<dyn Engine>) -> bool {
    [
        "SELECT 1 FROM runs WHERE ended_at IS NULL",
        "SELECT 1 FROM messages WHERE state = 'queued'",
        "SELECT 1 FROM deliveries WHERE note IS NULL AND heard IS NOT NULL",
        "SELECT 1 FROM troubles",
    ]
    .iter()
    .all(|sql| ask(engine, sql, &[]).is_empty())
}

/// What came of a deployment, as stored.
#[derive(Debug)]
struct Came {
    action: String,
    verdict: Option<String>,
    reason: Option<String>,
    started_at: Timestamp,
}

fn came_of(engine: &Arc<dyn Engine>, id: u64) -> Option<Came> {
    let sql = "SELECT action, verdict, reason, started_at FROM runs WHERE deployment = ?1 AND action <> 'dismissed'";
    let rows = ask(engine, sql, &[&id.to_string()]);
    rows.first().map(|row| Came {
        action: row.get(0).unwrap(),
        verdict: row.get(1).unwrap(),
        reason: row.get(2).unwrap(),
        started_at: row.get(3).unwrap(),
    })
}

fn is_adopted(engine: &Arc<dyn Engine>, id: u64) -> bool {
    let sql = "SELECT 1 FROM adopted WHERE deployment = ?1";
    !ask(engine, sql, &[&id.to_string()]).is_empty()
}

/// The reference: what may have come of a deployment, by the truth about it and what was known before.
fn expected(row: &Deployed, others: &[Timestamp], known_good: bool, started_at: Timestamp) -> &'static [&'static str] {
    let before = others.iter().filter(|at| **at < started_at.plus_ms(600_000));
    let ages: Vec<u64> = before.map(|at| started_at.ms_since(*at)).collect();
    let limited = ages.iter().any(|age| *age < COOLDOWN_MS + SKEW_MS)
        || ages.iter().filter(|age| **age < 3_600_000).count() >= PER_HOUR;
    match (row.quality.is_bad(), row.superseded) {
        (false, _) => &["none", "superseded"],
        (true, true) => &[
            "none",
            "superseded",
            "withheld",
            "rolled back",
            "rollback unconfirmed",
            "rollback failed",
        ],
        (true, false) if !known_good => &["withheld", "rolled back", "none"],
        (true, false) if limited => &["withheld", "rolled back"],
        (true, false) => &["rolled back"],
    }
}

/// In the end: what came of each deployment is what the reference allows, every acknowledged delivery led to its run, everything
/// was told, and no limit was passed.
pub(super) fn in_the_end(world: &World, engine: &Arc<dyn Engine>, acknowledged: &[(u64, u64)]) {
    let inner = world.lock();
    let mut wrong = Vec::new();
    for (project, app) in &inner.apps {
        for row in app.rows.iter().filter(|row| row.rolled_back_from.is_none()) {
            let came = came_of(engine, row.id);
            // What was live at the first look at a place of which nobody had heard is its baseline.
            let missed = app.current == Some(row.id) && !is_adopted(engine, row.id);
            let due = acknowledged.contains(&(*project, row.id)) || missed;
            let Some(came) = came else {
                if due && !dismissed(engine, row.id) {
                    wrong.push(format!("nobody judged {}", row.id));
                }
                continue;
            };
            let known_good = was_known_good(engine, *project, row.id, came.started_at);
            let others = intents(engine, *project, Some(row.id));
            let allowed = expected(row, &others, known_good, came.started_at);
            if !allowed.contains(&came.action.as_str()) && !app.raced.contains(&row.id) {
                let (action, reason) = (&came.action, came.reason.as_deref().unwrap_or_default());
                wrong.push(format!("{row:?}: {action} ({reason}), expected one of {allowed:?}"));
            }
            if row.quality.is_bad()
                && came.verdict.as_deref() == Some("healthy")
                && came.action == "none"
                && !row.superseded
            {
                wrong.push(format!("{row:?} is bad, and passed: {came:?}"));
            }
        }
        limits(engine, *project, &mut wrong);
    }
    let count = |event: &str| -> i64 {
        let rows = ask(engine, "SELECT count(*) FROM messages WHERE event = ?1", &[event]);
        rows[0].get(0).unwrap()
    };
    // Where the store itself was the trouble, its loss was told of without it.
    if count("protection.lost") > count("protection.restored") {
        wrong.push("a trouble was told of more often than its end".to_owned());
    }
    let sql = "SELECT id, state FROM messages";
    for row in ask(engine, sql, &[]) {
        let (id, state): (String, String) = (row.get(0).unwrap(), row.get(1).unwrap());
        if state != "delivered" || !inner.heard.contains_key(&id) {
            wrong.push(format!("message {id} is {state}"));
        }
    }
    let sql = "SELECT id FROM runs WHERE action <> 'dismissed' AND id NOT IN (SELECT run FROM messages WHERE run IS NOT NULL)";
    wrong.extend(
        ask(engine, sql, &[])
            .iter()
            .map(|row| format!("{} told nothing", row.get::<String>(0).unwrap())),
    );
    let sql = "SELECT count(*) FROM deliveries GROUP BY body HAVING count(*) > 1";
    wrong.extend(
        ask(engine, sql, &[])
            .iter()
            .map(|_| "a delivery is stored twice".to_owned()),
    );
    drop(inner);
    wrong.into_iter().for_each(|what| world.wrong(what));
}

/// Says each run's story, where somebody listens.
pub(super) fn tell(engine: &Arc<dyn Engine>) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    for row in ask(
        engine,
        "SELECT r.deployment, j.at, j.text FROM journal j JOIN runs r ON r.id = j.run ORDER BY r.id, j.number",
        &[],
    ) {
        let (deployment, at, text): (String, Timestamp, String) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        tracing::info!(deployment, %at, "{text}");
    }
}

fn dismissed(engine: &Arc<dyn Engine>, id: u64) -> bool {
    let sql = "SELECT 1 FROM runs WHERE deployment = ?1 AND action = 'dismissed'";
    !ask(engine, sql, &[&id.to_string()]).is_empty()
}

/// Whether an earlier version was known to be good when the run of `id` began.
fn was_known_good(engine: &Arc<dyn Engine>, project: u64, id: u64, began: Timestamp) -> bool {
    let sql = "SELECT deployment, at FROM ledger_good WHERE project = ?1";
    ask(engine, sql, &[&project.to_string()]).iter().any(|row| {
        let (other, at): (String, Timestamp) = (row.get(0).unwrap(), row.get(1).unwrap());
        other != id.to_string() && at.plus_ms(SKEW_MS) < began
    })
}

/// When intents of a project were made, but for those of one deployment.
fn intents(engine: &Arc<dyn Engine>, project: u64, but: Option<u64>) -> Vec<Timestamp> {
    let sql = "SELECT at FROM intents WHERE project = ?1 AND deployment <> ?2 ORDER BY at";
    let but = but.map(|id| id.to_string()).unwrap_or_default();
    let rows = ask(engine, sql, &[&project.to_string(), &but]);
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

fn limits(engine: &Arc<dyn Engine>, project: u64, wrong: &mut Vec<String>) {
    let at = intents(engine, project, None);
    if at.windows(2).any(|two| two[1].ms_since(two[0]) + SKEW_MS < COOLDOWN_MS) {
        wrong.push(format!("two rollbacks of project {project} inside the cooldown"));
    }
    if at
        .windows(PER_HOUR + 1)
        .any(|many| many[PER_HOUR].ms_since(many[0]) + SKEW_MS < 3_600_000)
    {
        wrong.push(format!(
            "more than {PER_HOUR} rollbacks of project {project} in an hour"
        ));
    }
}
