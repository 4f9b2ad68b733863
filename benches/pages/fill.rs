//! A store as it is after many deployments: runs of 50 apps in two environments, with what was received, seen and told.

use std::path::Path;

use backstop::clock::{Clock, Ids};
use backstop::domain::Timestamp;
use backstop::store::Store;
use rusqlite::{Connection, Statement, params};

const APPS: u64 = 50;
/// The runs are spread evenly over so long.
const DAYS: u64 = 80;
/// Lines of each run's story, and of one that was watched for long.
const ENTRIES: u64 = 4;
const ENTRIES_LONG: u64 = 2_000;

/// Where to look.
pub struct Filled {
    /// A run, a delivery, a message and its place, nearly the oldest.
    pub run: String,
    pub delivery: String,
    pub message: String,
    pub message_place: String,
    /// A run with a long story.
    pub long_run: String,
}

/// What a run came to: one in a thousand is rolled back, and some others are not healthy.
fn came_to(number: u64) -> (&'static str, &'static str) {
    match number % 1_000 {
        7 => ("unhealthy", "rolled back"),
        107 | 207 | 307 => ("unhealthy", "withheld"),
        20..30 => ("inconclusive", "none"),
        40..60 => ("degraded", "none"),
        _ => ("healthy", "none"),
    }
}

/// Fills the file at `path`, which the store makes.
pub async fn fill(path: &Path, runs: u64) -> Filled {
    let clock = Clock::system();
    let now = clock.now();
    let store = Store::open(&format!("sqlite://{}", path.display()), clock)
        .await
        .expect("a store");
    store.close().await;
    drop(store);
    let path = path.to_owned();
    let filled = tokio::task::spawn_blocking(move || fill_file(&path, runs, now)).await;
    filled.expect("filled")
}

fn fill_file(path: &Path, runs: u64, now: Timestamp) -> Filled {
    let mut file = Connection::open(path).expect("the file");
    file.pragma_update(None, "synchronous", "OFF").expect("a setting");
    let ids = Ids::seeded(1);
    let begun = Timestamp::from_millis(now.as_millis() - i64::try_from(DAYS * 86_400_000).expect("fits"));
    let mut oldest = None;
    let mut long_run = String::new();
    let transaction = file.transaction().expect("a transaction");
    {
        let mut write = Write::new(&transaction);
        for number in 0..runs {
            let at = begun.plus_ms(DAYS * 86_400_000 / runs * number);
            let row = write.row(
                number,
                at,
                &ids,
                if number + 1 == runs { ENTRIES_LONG } else { ENTRIES },
            );
            long_run.clone_from(&row.run);
            if number == 200.min(runs - 1) {
                oldest = Some(row);
            }
        }
    }
    transaction.commit().expect("committed");
    file.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("moved");
    Filled {
        long_run,
        ..oldest.expect("a run")
    }
}

/// The statements that fill the tables.
struct Write<'a> {
    run: Statement<'a>,
    delivery: Statement<'a>,
    message: Statement<'a>,
    attempt: Statement<'a>,
    entry: Statement<'a>,
    good: Statement<'a>,
    bad: Statement<'a>,
}

impl<'a> Write<'a> {
    fn new(file: &'a Connection) -> Self {
        let statement = |sql: &str| file.prepare(sql).expect(sql);
        Self {
            run: statement(
                "INSERT INTO runs (id, platform, deployment, project, environment_id, app, environment, commit_sha, is_rollback,
                                   started_at, ended_at, phase, verdict, action, reason, config_hash, state, version, owner, fence)
                 VALUES (?1, 'temps', ?2, ?3, ?4, ?5, ?6, ?2, 0, ?7, ?8, 'done', ?9, ?10, ?11, 'hash', ?12, 20, 'agt_1', 1)",
            ),
            delivery: statement(
                "INSERT INTO deliveries (id, platform, received_at, event_word, deployment, heard, app, headers, body, run, note)
                 VALUES (?1, 'temps', ?2, 'deploy.live', ?3, '{}', ?4, '[[\"user-agent\",\"temps\"]]', ?5, ?6, 'began a run')",
            ),
            message: statement(
                "INSERT INTO messages (id, endpoint, run, event, content_type, body, page, created_at, state, reason, attempts, next_at,
                                       subject, gravity, seq)
                 VALUES (?1, ?2, ?3, ?4, 'application/json', ?5, 0, ?6, ?7, ?8, 1, ?9, ?3, 0, 1)",
            ),
            attempt: statement(
                "INSERT INTO attempts (message, at, host, status, response, latency_ms) VALUES (?1, ?2, 'ops.example', 200, 'ok', 12)",
            ),
            entry: statement("INSERT INTO journal (run, at, kind, text, data) VALUES (?1, ?2, ?3, ?4, ?5)"),
            good: statement(
                "INSERT INTO ledger_good (platform, project, environment, deployment, commit_sha, at)
                 VALUES ('temps', ?1, ?2, ?3, ?3, ?4)",
            ),
            bad: statement(
                "INSERT INTO ledger_bad (platform, project, environment, deployment, at) VALUES ('temps', ?1, ?2, ?3, ?4)",
            ),
        }
    }

    /// A run, the delivery that began it, its story, and two messages.
    fn row(&mut self, number: u64, at: Timestamp, ids: &Ids, entries: u64) -> Filled {
        let (run, delivery) = (ids.next("run", at), ids.next("dlv", at));
        let place = number * 7 % (2 * APPS);
        let (project, environment_id) = ((place / 2).to_string(), (1 + place % 2).to_string());
        let app = format!("app-{:02}", place / 2);
        let environment = if place.is_multiple_of(2) {
            "production"
        } else {
            "staging"
        };
        let deployment = format!("dep_{number:08}");
        let (verdict, action) = came_to(number);
        let ended_at = at.plus_ms(300_000).as_millis();
        let reason =
            format!("the deployment was found {verdict} after 300 s, by 2 checks that were asked 60 times each");
        let state = "{\"a\":\"state of about a kilobyte\"}".repeat(30);
        let row = params![
            run,
            deployment,
            project,
            environment_id,
            app,
            environment,
            at.as_millis(),
            ended_at,
            verdict,
            action,
            reason,
            state
        ];
        self.run.execute(row).expect("a run");
        let body = "{\"event\":\"deploy.live\"}".repeat(30);
        let row = params![delivery, at.as_millis(), deployment, app, body.as_bytes(), run];
        self.delivery.execute(row).expect("a delivery");
        let known = params![project, environment_id, deployment, ended_at];
        match verdict {
            "healthy" => drop(self.good.execute(known).expect("known to be good")),
            "unhealthy" => drop(self.bad.execute(known).expect("known to be bad")),
            _ => {}
        }
        for entry in 0..entries {
            self.entry(&run, at, entry);
        }
        let mut last = String::new();
        for endpoint in ["ops", "chat"] {
            last = format!("whk_{}_2_{endpoint}", run.trim_start_matches("run_"));
            self.message(&last, endpoint, &run, number, ended_at, verdict);
        }
        Filled {
            message_place: format!("{ended_at}-{last}"),
            run,
            delivery,
            message: last,
            long_run: String::new(),
        }
    }

    fn entry(&mut self, run: &str, begun: Timestamp, number: u64) {
        let data = r#"{"check":"home","seen":{"class":"pass","latency_ms":120,"status":200},"budget_to":2000,"budget_max":2000}"#;
        let text = format!("GET /a/path/of/some/length answered 200 in 120 ms, the {number}th time");
        let at = begun.plus_ms(number * 1_000).as_millis();
        let row = params![run, at, "probe", text, data];
        self.entry.execute(row).expect("an entry");
    }

    fn message(&mut self, id: &str, endpoint: &str, run: &str, number: u64, at: i64, verdict: &str) {
        let (state, reason) = match number % 1_000 {
            11 => ("dead", Some("it answered 400")),
            _ => ("delivered", None),
        };
        let event = if verdict == "healthy" {
            "smoke_test.passed"
        } else {
            "smoke_test.failed"
        };
        let body = "{\"event\":\"smoke_test.passed\"}".repeat(20);
        // Nothing is due while pages are asked.
        let next_at: Option<i64> = None;
        let row = params![id, endpoint, run, event, body.as_bytes(), at, state, reason, next_at];
        self.message.execute(row).expect("a message");
        self.attempt.execute(params![id, at]).expect("an attempt");
    }
}
