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

type Question = Box<dyn Fn(&dyn Db)>;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// What pages and the API ask.
fn questions() -> Vec<(&'static str, Question)> {
    let runs = |filter: RunFilter| -> Question {
        Box::new(move |db| {
            drop(
                sql::lists::runs(
                    db,
                    &RunFilter {
                        limit: 50,
                        ..filter.clone()
                    },
                )
                .unwrap(),
            )
        })
    };
    let deliveries = |filter: DeliveryFilter| -> Question {
        Box::new(move |db| {
            let filter = DeliveryFilter {
                limit: 50,
                ..filter.clone()
            };
            drop(sql::lists::deliveries(db, &filter).unwrap());
        })
    };
    let messages = |filter: MessageFilter| -> Question {
        Box::new(move |db| {
            let filter = MessageFilter {
                limit: 50,
                ..filter.clone()
            };
            drop(sql::lists::messages(db, &filter).unwrap());
        })
    };
    let run = RunFilter::default;
    let delivery = DeliveryFilter::default;
    let message = MessageFilter::default;
    let since = Some(Timestamp::from_millis(5_000));
    let before = Some(MessagePlace {
        created_at: Timestamp::from_millis(15_000),
        id: "whk_00015000".to_owned(),
    });
    vec![
        ("runs", runs(run())),
        (
            "older runs",
            runs(RunFilter {
                before: some("run_00011000"),
                ..run()
            }),
        ),
        (
            "runs since",
            runs(RunFilter {
                since,
                until: since,
                ..run()
            }),
        ),
        (
            "runs of an app",
            runs(RunFilter {
                app: some("shop"),
                ..run()
            }),
        ),
        (
            "none of an app",
            runs(RunFilter {
                app: some("shop"),
                verdict: some("unhealthy"),
                ..run()
            }),
        ),
        (
            "older ones of an app",
            runs(RunFilter {
                app: some("shop"),
                before: some("run_00011000"),
                ..run()
            }),
        ),
        (
            "runs with a verdict",
            runs(RunFilter {
                verdict: some("unhealthy"),
                ..run()
            }),
        ),
        (
            "runs with an action",
            runs(RunFilter {
                action: some("rolled back"),
                ..run()
            }),
        ),
        (
            "runs elsewhere",
            runs(RunFilter {
                environment: some("staging"),
                ..run()
            }),
        ),
        (
            "none with both",
            runs(RunFilter {
                verdict: some("healthy"),
                action: some("withheld"),
                ..run()
            }),
        ),
        (
            "none with all",
            runs(RunFilter {
                app: some("shop"),
                environment: some("staging"),
                verdict: some("healthy"),
                action: some("none"),
                since,
                ..run()
            }),
        ),
        ("deliveries", deliveries(delivery())),
        (
            "older deliveries",
            deliveries(DeliveryFilter {
                before: some("dlv_00002900"),
                ..delivery()
            }),
        ),
        (
            "deliveries of an event",
            deliveries(DeliveryFilter {
                event: some("deploy.failed"),
                ..delivery()
            }),
        ),
        (
            "deliveries of an app",
            deliveries(DeliveryFilter {
                app: some("blog"),
                ..delivery()
            }),
        ),
        (
            "deliveries from elsewhere",
            deliveries(DeliveryFilter {
                platform: some("other"),
                ..delivery()
            }),
        ),
        ("messages", messages(message())),
        ("older messages", messages(MessageFilter { before, ..message() })),
        ("messages since", messages(MessageFilter { since, ..message() })),
        (
            "messages of a run",
            messages(MessageFilter {
                run: some("run_00000009"),
                ..message()
            }),
        ),
        (
            "messages to one",
            messages(MessageFilter {
                endpoint: some("ops"),
                ..message()
            }),
        ),
        (
            "none to one",
            messages(MessageFilter {
                endpoint: some("ops"),
                event: some("rollback.failed"),
                ..message()
            }),
        ),
        (
            "messages that wait",
            messages(MessageFilter {
                state: some("queued"),
                ..message()
            }),
        ),
        (
            "messages given up",
            messages(MessageFilter {
                state: some("dead"),
                ..message()
            }),
        ),
        (
            "messages delivered",
            messages(MessageFilter {
                state: some("delivered"),
                ..message()
            }),
        ),
        (
            "messages of an event",
            messages(MessageFilter {
                event: some("rollback.failed"),
                ..message()
            }),
        ),
        ("apps", Box::new(|db| drop(sql::views::apps(db).unwrap()))),
        (
            "places",
            Box::new(|db| drop(sql::trust::places(db, None, 200).unwrap())),
        ),
        (
            "places of an app",
            Box::new(|db| drop(sql::trust::places(db, Some("shop"), 200).unwrap())),
        ),
        (
            "runs judged",
            Box::new(|db| drop(sql::trust::judged(db, &key()).unwrap())),
        ),
        (
            "a version known good",
            Box::new(|db| drop(sql::ledger::has_good(db, &key()).unwrap())),
        ),
        (
            "runs under way",
            Box::new(|db| drop(sql::views::under_way(db, 200).unwrap())),
        ),
    ]
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
