//! The store fails under a running agent, or was written by the version before: nothing is lost, and nobody has to help.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use backstop::clock::Clock;
use backstop::pretend::{Behaviour, Generation, Release};
use backstop::signature::sign_timestamped;
use backstop::step::Response;
use http::Method;
use serde_json::json;

use crate::server::Cluster;
use crate::stage::{Agent, SECRET, SOON, Setup, Stage, backstop, send};

/// Delivers something that is only kept, with so many bytes.
async fn deliver(stage: &Stage, number: u64, bytes: usize) -> Response {
    let body = json!({
        "event": "build.completed", "delivery_id": format!("whk_{number}"), "deployment_id": format!("dep_x{number}"),
        "more": "x".repeat(bytes),
    })
    .to_string();
    let now_s = Clock::system().wall().as_secs();
    let (time, signature) = (now_s.to_string(), sign_timestamped(SECRET, now_s, body.as_bytes()));
    let headers = [
        ("x-temps-timestamp", time.as_str()),
        ("x-temps-signature", signature.as_str()),
    ];
    let url = format!("{}/webhooks/temps", stage.agent.url);
    send(Method::POST, &url, &headers, body.as_bytes()).await
}

async fn status(stage: &Stage, path: &str) -> u16 {
    let url = format!("{}{path}", stage.agent.url);
    send(Method::GET, &url, &[], b"").await.status
}

/// Asks until `done`.
async fn until(what: &str, stage: &Stage, mut done: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(SOON, asked).await.is_err() {
        panic!("{what}\n{}", stage.agent.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_is_waited_for_and_what_was_decided_is_done_then() {
    let cluster = Arc::new(tokio::task::spawn_blocking(|| Cluster::start(false)).await.unwrap());
    let at = Arc::clone(&cluster);
    let url = tokio::task::spawn_blocking(move || at.database()).await.unwrap();
    let setup = Setup {
        store: Some(url),
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    stage.must_hear("smoke_test.started", &bad).await;
    let at = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || at.kill()).await.unwrap();
    let refused = deliver(&stage, 1, 10).await;
    assert_eq!(refused.status, 503, "{}", String::from_utf8_lossy(&refused.body));
    assert!(refused.headers.contains_key("retry-after"), "{:?}", refused.headers);
    assert_eq!(
        (status(&stage, "/readyz").await, status(&stage, "/healthz").await),
        (503, 200)
    );
    // Long enough to decide: the bad release spends its budget in ten seconds. What cannot be written down is not done.
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(stage.targets(), Vec::<String>::new());
    let at = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || at.serve()).await.unwrap();
    until("it is not ready again", &stage, async || {
        status(&stage, "/readyz").await == 200
    })
    .await;
    assert_eq!(deliver(&stage, 1, 10).await.status, 202);
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
    let log = stage.agent.log();
    assert!(log.contains("cannot be reached"), "{log}");
    assert!(stage.agent.stop().success());
    tokio::task::spawn_blocking(move || drop(cluster)).await.unwrap();
}

/// The agent in a world where `disk` is a disk of its own, of 12 MiB. Needs no rights beyond those of a user, but a kernel and
/// a container that let users have namespaces.
fn on_a_small_disk(disk: &Path) -> Command {
    let mut command = Command::new("unshare");
    let mount = "mount -t tmpfs -o size=12m none \"$0\" && exec \"$@\"";
    command
        .args(["--map-root-user", "--mount", "sh", "-c", mount])
        .arg(disk);
    let backstop = backstop();
    command.arg(backstop.get_program());
    for (name, _) in backstop.get_envs().filter(|(_, value)| value.is_none()) {
        command.env_remove(name);
    }
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_a_bad_release_is_still_rolled_back_and_told_of() {
    let disk = tempfile::tempdir().unwrap();
    let setup = Setup {
        store: Some(format!("sqlite://{}/backstop.db", disk.path().display())),
        ..Setup::default()
    };
    let stage = Stage::with(Generation::G3, setup, |folder| {
        Agent::start_by(on_a_small_disk(disk.path()), folder)
    })
    .await;
    // The disk as the agent sees it.
    let seen = Path::new("/proc").join(stage.agent.id().to_string());
    let seen = seen.join("root").join(disk.path().strip_prefix("/").unwrap());
    assert!(seen.join("backstop.db").exists(), "the store is on the small disk");
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    stage.must_hear("smoke_test.started", &bad).await;
    let fill = seen.join("fill");
    let mut file = File::create(&fill).unwrap();
    while file.write_all(&[0; 4_096]).is_ok() {}
    // What the log has of space is used up; then it is full.
    let mut number = 0;
    until("it never was full", &stage, async || {
        number += 1;
        let answer = deliver(&stage, number, 100_000).await;
        assert!([202, 503].contains(&answer.status), "{}", answer.status);
        assert!(answer.status != 503 || answer.headers.contains_key("retry-after"));
        answer.status == 503
    })
    .await;
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
    assert_eq!(deliver(&stage, number, 10).await.status, 503);
    assert_eq!(status(&stage, "/readyz").await, 503);
    let log = stage.agent.log();
    assert!(log.contains("the disk is full"), "{log}");
    std::fs::remove_file(fill).unwrap();
    drop(file);
    until("it is still full", &stage, async || {
        deliver(&stage, number, 10).await.status == 202
    })
    .await;
    assert_eq!(status(&stage, "/readyz").await, 200);
    assert!(seen.join("backstop.db.reserve").exists(), "space is kept back again");
    assert!(stage.agent.stop().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_store_that_cannot_be_used_is_named_with_what_to_do() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let serve = |store: &str| {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("checks.toml");
        std::fs::write(
            &config,
            format!("[store]\nurl = \"{store}\"\n[server]\nlisten = \"127.0.0.1:0\"\n"),
        )
        .unwrap();
        let ended = backstop().args(["serve", "--config"]).arg(config).output().unwrap();
        assert!(!ended.status.success());
        String::from_utf8_lossy(&ended.stderr).into_owned()
    };
    let file = |name: &str| format!("sqlite://{}", stage.folder.path().join(name).display());
    let told = serve(&file("backstop.db"));
    assert!(told.contains("in use by another process"), "{told}");
    std::fs::write(stage.folder.path().join("bad.db"), [7; 5_000]).unwrap();
    let told = serve(&file("bad.db"));
    assert!(
        told.contains("is damaged") && told.contains("restore it from a copy"),
        "{told}"
    );
    let told = serve("postgres://me:hunter2@127.0.0.1:1/db");
    assert!(
        told.contains("cannot be reached") && !told.contains("hunter2"),
        "{told}"
    );
}

/// Makes the file at `path` what the first released version would have left: the same rows in its schema.
fn as_version_1(path: &Path) {
    let old = path.with_extension("old");
    std::fs::rename(path, &old).unwrap();
    for end in ["-wal", "-shm"] {
        let beside = |path: &Path| format!("{}{end}", path.display());
        let _ = std::fs::rename(beside(path), beside(&old));
    }
    let file = rusqlite::Connection::open(path).unwrap();
    file.execute_batch(include_str!("../../src/store/sql/migrations/001.sql"))
        .unwrap();
    file.execute("ATTACH ?1 AS old", [old.to_str().unwrap()]).unwrap();
    let column = |sql: &str| -> Vec<String> {
        let mut statement = file.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    for table in column("SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'") {
        let columns = column(&format!("SELECT name FROM pragma_table_info('{table}', 'main')")).join(", ");
        let copy = format!("INSERT INTO main.{table} ({columns}) SELECT {columns} FROM old.{table}");
        file.execute_batch(&copy).unwrap();
    }
    file.pragma_update(None, "user_version", 1).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_run_under_way_goes_on_after_an_upgrade_from_version_1() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    stage.must_hear("smoke_test.started", &bad).await;
    let file = stage.folder.path().join("backstop.db");
    let stage = stage.restarted(|agent, _| {
        agent.kill_9();
        as_version_1(&file);
    });
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
    // A message whose answer was not written down any more is sent again, with the same id.
    let all = stage.receiver.all().into_iter();
    let started = all.filter(|told| told.event() == "smoke_test.started" && told.deployment() == bad);
    let ids: BTreeSet<String> = started.map(|told| told.text("delivery_id").to_owned()).collect();
    assert_eq!(ids.len(), 1, "it is the same run");
    let runs = stage.api("/api/v1/runs?limit=200").await;
    assert!(runs["items"].as_array().unwrap().len() >= 2, "{runs:#}");
}
