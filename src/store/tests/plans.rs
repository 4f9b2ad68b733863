//! How much a database has to do for what pages ask: no more in a store that is twice as large, and nothing is searched from its
//! beginning to its end.

use std::cell::{Cell, RefCell};

use rusqlite::{Connection, StatementStatus, params_from_iter};

use super::*;
use crate::store::sql::{self, Db, Row, Value};
use crate::store::sqlite::{Database, migrate};

/// Runs of a store that is large enough for every bound to be met; as many messages to each of two endpoints.
const RUNS: usize = 12_000;
const DELIVERIES: usize = 3_000;

/// A database that keeps count of what it does.
struct Counted<'a> {
    connection: &'a Connection,
    inner: Database<'a>,
    steps: Cell<i64>,
    plans: RefCell<Vec<String>>,
}

impl Db for Counted<'_> {
    fn execute(&self, sql: &str, _values: &[Value<'_>]) -> Result<u64, Error> {
        panic!("a page changes nothing: {sql}")
    }

    fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let mut statement = self.connection.prepare(sql).unwrap();
        let mut rows = statement.query(params_from_iter(values)).unwrap();
        while rows.next().unwrap().is_some() {}
        drop(rows);
        let steps = statement.get_status(StatementStatus::VmStep);
        self.steps.set(self.steps.get() + i64::from(steps));
        let mut plan = self.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan = plan
            .query_map(params_from_iter(values), |row| row.get::<_, String>(3))
            .unwrap();
        let plan: Vec<String> = plan.map(Result::unwrap).collect();
        self.plans.borrow_mut().push(format!("{sql}\n  {}", plan.join("\n  ")));
        self.inner.rows(sql, values)
    }

    fn now(&self) -> Result<Timestamp, Error> {
        self.inner.now()
    }

    fn bytes(&self) -> Result<u64, Error> {
        self.inner.bytes()
    }

    fn call(&self) -> Result<(), Error> {
        self.inner.call()
    }
}

/// A store with `times` as much in it. Nearly all runs are alike, so that what asks for the others has to look.
fn filled(times: usize) -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, "memory:").unwrap();
    let (runs, messages, deliveries) = (times * RUNS, times * 2 * RUNS, times * DELIVERIES);
    let numbers =
        |count: usize| format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})");
    let script = format!(
        "BEGIN;
         INSERT INTO runs (id, platform, deployment, project, environment_id, app, environment, is_rollback, started_at, ended_at,
                           phase, verdict, action, config_hash, state, version, owner, fence)
         {} SELECT printf('run_%08d', i), 'temps', 'dep_' || i, i % 20, '3', 'shop', 'production', 0, i, i + 1, 'done',
                   'healthy', 'none', 'hash', '{{}}', 1, 'agt_1', 1 FROM n;
         INSERT INTO messages (id, endpoint, run, event, content_type, body, page, created_at, state, attempts)
         {} SELECT printf('whk_%08d', i), CASE WHEN i % 2 = 0 THEN 'ops' ELSE 'chat' END, printf('run_%08d', i / 2),
                   'smoke_test.passed', 'text/plain', x'00', 0, i, 'delivered', 1 FROM n;
         UPDATE messages SET state = 'dead' WHERE created_at % 400 = 1;
         INSERT INTO deliveries (id, platform, received_at, event_word, app, headers, body, note)
         {} SELECT printf('dlv_%08d', i), 'temps', i, 'deploy.live', 'shop', '[]', x'00', 'kept' FROM n;
         INSERT INTO ledger_good (platform, project, environment, deployment, at)
         {} SELECT 'temps', i % 20, '3', 'dep_' || i, i FROM n;
         COMMIT;",
        numbers(runs),
        numbers(messages),
        numbers(deliveries),
        numbers(runs)
    );
    connection.execute_batch(&script).unwrap();
    connection
}

/// What lists are asked: by which filter, from where on.
const RUNS_ASKED: &[(&str, &str)] = &[
    ("", ""),
    ("", "run_00011000"),
    ("since=1 until=1", ""),
    ("app=shop", ""),
    ("app=shop", "run_00011000"),
    ("app=shop verdict=unhealthy", ""),
    ("verdict=unhealthy", ""),
    ("action=rolled+back", ""),
    ("environment=staging", ""),
    ("verdict=healthy action=withheld", ""),
    (
        "app=shop environment=staging verdict=healthy action=none",
        "run_00011990",
    ),
];
const DELIVERIES_ASKED: &[(&str, &str)] = &[
    ("", ""),
    ("", "dlv_00002900"),
    ("event=deploy.failed", ""),
    ("app=blog", ""),
    ("platform=other app=shop", "dlv_00002900"),
];
const MESSAGES_ASKED: &[(&str, &str)] = &[
    ("", ""),
    ("", "15000-whk_00015000"),
    ("since=1", ""),
    ("run=run_00000009", ""),
    ("endpoint=ops", ""),
    ("endpoint=ops event=rollback.failed", ""),
    ("state=queued", ""),
    ("state=dead", ""),
    ("state=delivered", "15000-whk_00015000"),
    ("event=rollback.failed", ""),
];

type Question = fn(&dyn Db);

/// What pages ask besides.
const OTHERS: &[(&str, Question)] = &[
    ("apps", |db| drop(sql::views::apps(db).unwrap())),
    ("places", |db| drop(sql::trust::places(db, None, 200).unwrap())),
    ("places of an app", |db| {
        drop(sql::trust::places(db, Some("shop"), 200).unwrap())
    }),
    ("runs judged", |db| drop(sql::trust::judged(db, &key()).unwrap())),
    ("a version known good", |db| {
        assert!(sql::ledger::has_good(db, &key()).unwrap())
    }),
    ("runs under way", |db| drop(sql::views::under_way(db, 200).unwrap())),
    ("endpoints", |db| drop(sql::views::endpoints(db).unwrap())),
];

type Asking = Box<dyn Fn(&dyn Db)>;

/// All of it, by name.
fn questions() -> Vec<(String, Asking)> {
    let mut all: Vec<(String, Asking)> = Vec::new();
    let place = |place: &str| (!place.is_empty()).then(|| place.to_owned());
    for (filter, before) in RUNS_ASKED {
        let filter = runs_that(filter, 50, place(before));
        all.push((
            format!("{filter:?}"),
            Box::new(move |db| drop(sql::lists::runs(db, &filter).unwrap())),
        ));
    }
    for (filter, before) in DELIVERIES_ASKED {
        let filter = deliveries_that(filter, 50, place(before));
        all.push((
            format!("{filter:?}"),
            Box::new(move |db| drop(sql::lists::deliveries(db, &filter).unwrap())),
        ));
    }
    for (filter, before) in MESSAGES_ASKED {
        let filter = messages_that(filter, 50, place(before));
        all.push((
            format!("{filter:?}"),
            Box::new(move |db| drop(sql::lists::messages(db, &filter).unwrap())),
        ));
    }
    let others = OTHERS
        .iter()
        .map(|(name, ask)| ((*name).to_owned(), Box::new(*ask) as Asking));
    all.extend(others);
    all
}

#[test]
fn what_pages_ask_costs_no_more_in_a_larger_store() {
    let stores = [filled(1), filled(2)];
    let clock = Clock::manual(START).0;
    let mut wrong = Vec::new();
    let counted = stores.each_ref().map(|connection| Counted {
        connection,
        inner: Database::new(connection, &clock),
        steps: Cell::new(0),
        plans: RefCell::default(),
    });
    for (name, question) in questions() {
        let steps = counted.each_ref().map(|store| {
            store.steps.set(0);
            store.plans.borrow_mut().clear();
            question(store);
            store.steps.get()
        });
        let plans = counted[1].plans.borrow().join("\n");
        if steps[1] > steps[0] + steps[0] / 10 + 100 {
            wrong.push(format!(
                "{name}: {} steps, and {} in the larger store\n{plans}",
                steps[0], steps[1]
            ));
        }
        // An index from its end on is stopped by the limit; a table from its beginning on is not.
        let tables = ["runs", "r", "messages", "deliveries", "ledger_good", "g"];
        let is_searched = |line: &str| {
            let table = line.trim().strip_prefix("SCAN ");
            table.is_some_and(|table| tables.contains(&table))
        };
        wrong.extend(
            plans
                .lines()
                .filter(|line| is_searched(line))
                .map(|line| format!("{name}:{line}\n{plans}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn endpoints_are_counted_up_to_a_bound() {
    let connection = filled(1);
    let clock = Clock::manual(START).0;
    let found = sql::views::endpoints(&Database::new(&connection, &clock)).unwrap();
    let counts: Vec<(&str, u64, u64)> = found
        .iter()
        .map(|found| (found.name.as_str(), found.delivered, found.dead))
        .collect();
    assert_eq!(counts, [("chat", 9_950, 60), ("ops", 10_000, 0)]);
}
