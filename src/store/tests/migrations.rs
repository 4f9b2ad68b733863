//! A store that an earlier version of this program wrote is opened by this one, with everything in it.

use super::sql::schema::{STEPS, VERSION_TABLE, for_postgres};
use super::*;
use crate::domain::AgentId;

/// A row and more for each table of version 1, in SQLite's words.
const ROWS: &str = include_str!("version_1.sql");

fn file(folder: &TempDir) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join("test.db")).unwrap()
}

/// A file as version 1 left it.
fn old_file() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = file(&folder);
    file.execute_batch(STEPS[0]).unwrap();
    file.execute_batch(ROWS).unwrap();
    file.pragma_update(None, "user_version", 1).unwrap();
    folder
}

/// Runs a script behind the store's back.
async fn behind(server: &Arc<Cluster>, url: &str, script: String) {
    let (server, url) = (Arc::clone(server), url.to_owned());
    let done = tokio::task::spawn_blocking(move || server.connect(&url).batch_execute(&script));
    done.await.unwrap().unwrap();
}

/// A database as version 1 left it.
async fn old_database() -> (Arc<Cluster>, String) {
    let (server, url) = fresh_database().await;
    let made = format!(
        "{VERSION_TABLE}; INSERT INTO backstop_schema (one, version) VALUES (1, 1); {}; {}",
        for_postgres(STEPS[0]),
        for_postgres(ROWS)
    );
    behind(&server, &url, made).await;
    (server, url)
}

/// Everything that [`ROWS`] says, through the contract's reads.
async fn is_whole(store: &Store) {
    let id = RunId::new("run_0001");
    let ended = store.run_record(&id).await.unwrap().unwrap();
    let wanted = RunRecord {
        ended_at: Some(Timestamp::from_millis(1_773_325_900_000)),
        phase: "done".to_owned(),
        verdict: Some(Verdict::Unhealthy),
        action: Some("rolled back".to_owned()),
        reason: Some("it was bad".to_owned()),
        state: "{\"a\":1}".to_owned(),
        deployed_at: Some(Timestamp::from_millis(1_773_325_800_000)),
        fence: 2,
        ..run(1, 7)
    };
    assert_eq!(ended, wanted);
    let story = store.journal(&id, 0, 10).await.unwrap().items;
    let story: Vec<_> = story
        .iter()
        .map(|entry| (entry.kind.as_str(), entry.text.as_str(), entry.data.is_some()))
        .collect();
    assert_eq!(story, [("started", "It began.", true), ("ended", "It ended.", false)]);
    let waiting = store.unhandled_deliveries(10).await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].heard, delivery(1, HeardEvent::Live).heard.unwrap());
    assert_eq!(waiting[0].opened_app.as_deref(), Some("shop"));
    let kept = store.delivery(&"dlv_0002".into()).await.unwrap().unwrap();
    assert_eq!((kept.note.as_deref(), kept.body.as_deref()), (Some("kept"), Some("{}")));
    let duplicate = store.accept(delivery(1, HeardEvent::Live)).await.unwrap();
    assert_eq!(duplicate, Accepted::Duplicate { of: "dlv_0001".into() });
    assert_eq!(store.config("hash").await.unwrap().as_deref(), Some("text"));
    let history = store.history(&key(), START).await.unwrap();
    assert_eq!(history.known_good[0].deployment, "dep_0".into());
    assert_eq!(history.bad, BTreeSet::from(["dep_1".into()]));
    assert_eq!(history.passed_checks.len(), 1);
    assert_eq!((history.before.len(), history.before[0].probes), (1, 3));
    assert_eq!(history.times[0].times_ms, [80, 90]);
    assert_eq!((history.warmups_ms.as_slice(), history.intents), (&[4_200][..], 1));
    assert_eq!(history.intents_of[&"dep_1".into()], id);
    assert_eq!(history.made, BTreeSet::from(["dep_9".into()]));
    let judged = store.judged_runs(&key()).await.unwrap();
    assert_eq!(judged[0].label, Some(Label::Right));
    assert_eq!(store.pauses(START).await.unwrap()[0].app, "shop");
    let told = store.message(&MessageId::new("whk_0001")).await.unwrap().unwrap();
    assert_eq!(
        (told.state.as_str(), told.body.as_deref()),
        ("delivered", Some("{\"n\":1}"))
    );
    assert_eq!(told.attempt_log.unwrap()[0].status, Some(200));
    assert_eq!(store.troubles().await.unwrap()[0].1, "full");
    assert_eq!(
        &store.key("approval", [0; 32]).await.unwrap(),
        b"0123456789abcdef0123456789abcdef"
    );
}

/// What was under way goes on: the run, the delivery that waits, the message that is queued.
async fn is_taken_up(store: &Store) {
    let agent = AgentId::new("agt_2");
    store.enroll(&agent, 60_000).await.unwrap();
    let taken = store.take_over(&agent, 10).await.unwrap();
    assert_eq!(taken.len(), 1);
    let run = &taken[0].run;
    assert_eq!(
        (run.id.as_str(), run.state.as_str(), run.fence),
        ("run_0002", "{\"a\":2}", 2)
    );
    let next = RunRecord {
        version: 4,
        ..run.clone()
    };
    let decided = Commit {
        agent: agent.clone(),
        ..commit(next)
    };
    store.commit(decided).await.unwrap();
    let due = store.take_due(&agent, START, due_any(10)).await.unwrap();
    let due: Vec<_> = due.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(due, ["whk_0002"]);
    store.purge(START, Retention::default()).await.unwrap();
}

#[test]
fn the_sample_has_a_row_of_every_table() {
    let folder = old_file();
    let file = file(&folder);
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut tables = file.prepare(tables).unwrap();
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let sql = format!("SELECT count(*) FROM {name}");
        let rows: i64 = file.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert!(rows > 0, "no row of {name}");
    }
}

#[tokio::test]
async fn a_file_of_version_1_is_opened_with_everything_in_it() {
    let folder = old_file();
    let store = Store::open(&url(&folder), Clock::manual(START).0).await.unwrap();
    is_whole(&store).await;
    is_taken_up(&store).await;
    store.close().await;
    drop(store);
    let version: i64 = file(&folder)
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, i64::try_from(STEPS.len()).unwrap());
}

#[tokio::test]
async fn a_database_of_version_1_is_opened_with_everything_in_it() {
    let (_server, url) = old_database().await;
    let store = Store::open(&url, Clock::manual(START).0).await.unwrap();
    is_whole(&store).await;
    is_taken_up(&store).await;
    store.close().await;
}

/// An index of the last step's is in the way. Its name stands in that step, so that the test fails when there is a newer one.
const IN_THE_WAY: &str = "CREATE INDEX runs_config ON runs (version);";

#[tokio::test]
async fn a_step_that_fails_half_way_leaves_the_file_as_it_was() {
    let folder = old_file();
    file(&folder).execute_batch(IN_THE_WAY).unwrap();
    let schema = || -> Vec<String> {
        let file = file(&folder);
        let mut all = file
            .prepare("SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name")
            .unwrap();
        let all = all.query_map([], |row| row.get(0)).unwrap();
        all.collect::<Result<_, _>>().unwrap()
    };
    let before = schema();
    let failed = Store::open(&url(&folder), Clock::manual(START).0).await.err().unwrap();
    assert!(failed.to_string().contains("runs_config"), "{failed}");
    assert_eq!(schema(), before);
    let version = file(&folder).pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 1);
    file(&folder).execute_batch("DROP INDEX runs_config").unwrap();
    let store = Store::open(&url(&folder), Clock::manual(START).0).await.unwrap();
    is_whole(&store).await;
}

#[tokio::test]
async fn a_step_that_fails_half_way_leaves_the_database_as_it_was() {
    let (server, url) = old_database().await;
    behind(&server, &url, IN_THE_WAY.to_owned()).await;
    let failed = Store::open(&url, Clock::manual(START).0).await.err().unwrap();
    assert!(failed.to_string().contains("runs_config"), "{failed}");
    // Nothing of the step holds: what it makes first can be made.
    let undone = "DROP INDEX runs_config; CREATE INDEX runs_ended ON runs (id); DROP INDEX runs_ended;
                  DO $$ BEGIN ASSERT (SELECT version FROM backstop_schema) = 1; END $$";
    behind(&server, &url, undone.to_owned()).await;
    let store = Store::open(&url, Clock::manual(START).0).await.unwrap();
    is_whole(&store).await;
    store.close().await;
}

#[tokio::test]
async fn an_older_program_says_that_it_is_too_old() {
    let folder = old_file();
    let newer = i64::try_from(STEPS.len()).unwrap() + 1;
    file(&folder).pragma_update(None, "user_version", newer).unwrap();
    let refused = Store::open(&url(&folder), Clock::manual(START).0).await.err().unwrap();
    let (wanted, known) = (format!("has schema version {newer}"), newer - 1);
    let text = refused.to_string();
    assert!(text.contains(&wanted), "{text}");
    assert!(
        text.ends_with(&format!("this program knows up to {known}; use the newer program")),
        "{text}"
    );
}
