//! What several agents cost and bring, and what one agent costs with many runs under way.
//!
//! 1. Accepted deliveries per second: a SQLite file, one agent on PostgreSQL, two agents on it behind the same load, in turns within
//!    one run; ratios. The server is started for this, with `fsync`.
//! 2. From the answer that decides to the rollback's arrival at the platform, by the pretend platform's own clock; the store in memory,
//!    on SQLite, and on PostgreSQL with one agent and with two.
//! 3. Idle, and with 10, 1,000 and 10,000 runs under way: memory, processor time, and how long `/healthz` takes meanwhile.
//!
//! `cargo bench --bench agents`, or one of them: `cargo bench --bench agents -- runs` (`accept`, `decide`).
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

#[path = "../common/mod.rs"]
mod common;
mod fleet;
#[path = "../../tests/support/postgres.rs"]
mod server;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use common::{CONNECTIONS, Server, delivery, get, measure, median, read_answer, read_whole_answer, signed, start};
use fleet::Fleet;
use server::Cluster;

const ROUND: Duration = Duration::from_secs(4);
const ROUNDS: usize = 5;
/// Apps whose deployment is rolled back, one after the other.
const DECISIONS: u64 = 12;
/// How long a number of runs is watched: until each check has had its turn.
const WINDOW: Duration = Duration::from_secs(60);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |word: &str| wanted.is_empty() || wanted.iter().any(|one| one == word);
    let cluster = (is_wanted("accept") || is_wanted("decide")).then(|| Cluster::start(true));
    if let Some(cluster) = cluster.as_ref().filter(|_| is_wanted("accept")) {
        runtime.block_on(accept(&cluster.database()));
    }
    if let Some(cluster) = cluster.as_ref().filter(|_| is_wanted("decide")) {
        let scratch = tempfile::tempdir().expect("a folder");
        let file = format!("sqlite://{}/decide.db", scratch.path().display());
        runtime.block_on(decide("the store in memory", "memory:", 1));
        runtime.block_on(decide("SQLite", &file, 1));
        runtime.block_on(decide("PostgreSQL, one agent", &cluster.database(), 1));
        runtime.block_on(decide("PostgreSQL, two agents", &cluster.database(), 2));
    }
    if is_wanted("runs") {
        for runs in [10, 1_000, 10_000] {
            runtime.block_on(under_way(runs));
        }
    }
}

/// A config over `store` for the apps of a platform at `port`.
fn config(store: &str, port: u16, pace: &str) -> String {
    format!(
        r#"
mode = "auto-rollback"
[server]
listen = "127.0.0.1:0"
rate_limit = "off"
[store]
url = "{store}"
[platform.temps]
kind = "temps"
url = "http://127.0.0.1:{port}"
token = "{{{{ secret.TOKEN }}}}"
secret = "{{{{ secret.HOOK }}}}"
requests = "1000000/m"
[network]
allow = ["127.0.0.0/8"]
[warmup]
get = "/version"
expect.json.commit = "{{{{ deploy.commit }}}}"
[rollback]
fleet_brake = "off"
[check.home]
get = "/"
expect.body.contains = "Welcome"
{pace}
"#
    )
}

async fn accept(database: &str) {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let file = format!("sqlite://{}/accept.db", folders[0].path().display());
    let agent = |folder: usize, store: &str| start(folders[folder].path(), &config(store, 9, ""));
    let (_sqlite, on_sqlite) = agent(0, &file);
    let (_first, first) = agent(1, database);
    let (_second, second) = agent(2, database);
    let numbers = Arc::new(AtomicU64::new(0));
    let (mut sqlite, mut one, mut two) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        for (ports, rates, name) in [
            (&[on_sqlite][..], &mut sqlite, "SQLite"),
            (&[first], &mut one, "PostgreSQL, one agent"),
            (&[first, second], &mut two, "PostgreSQL, two agents"),
        ] {
            let numbers = Arc::clone(&numbers);
            let next = move |_| delivery("/webhooks/temps", numbers.fetch_add(1, Ordering::Relaxed));
            let round = measure(ports, ROUND, Arc::new(next)).await;
            println!(
                "round {number}: {name}: {:.0}/s accepted (p99 {:.1} ms)",
                round.per_second, round.p99_ms
            );
            rates.push(round.per_second);
        }
    }
    let ratios = |over: &[f64], under: &[f64]| {
        let mut ratios: Vec<f64> = over.iter().zip(under).map(|(over, under)| over / under).collect();
        median(&mut ratios)
    };
    println!(
        "accepted at {CONNECTIONS} connections, medians: two agents / one on PostgreSQL {:.2}, one on PostgreSQL / SQLite {:.2}",
        ratios(&two, &one),
        ratios(&one, &sqlite)
    );
    println!(
        "SQLite {:.0}/s, PostgreSQL with one agent {:.0}/s, with two {:.0}/s",
        median(&mut sqlite),
        median(&mut one),
        median(&mut two)
    );
}

async fn decide(name: &str, store: &str, agents: usize) {
    let fleet = Fleet::start().await;
    let pace = "[retry]\nevery = \"250ms\"\nfailures = 2\npasses = 4\n[watch]\nfor = \"1s\"\n";
    let folders: Vec<_> = (0..agents).map(|_| tempfile::tempdir().expect("a folder")).collect();
    let agents: Vec<(Server, u16)> = folders
        .iter()
        .map(|folder| start(folder.path(), &config(store, fleet.port, pace)))
        .collect();
    let tell = async |number: u64, works: bool| {
        let port = agents[usize::try_from(number).expect("fits") % agents.len()].1;
        post(port, &[fleet.deploy(number, works)]).await;
    };
    for number in 1..=DECISIONS {
        tell(number, true).await;
    }
    known_good(agents[0].1).await;
    let mut took = Vec::new();
    for number in 1..=DECISIONS {
        tell(number, false).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut calls = 0;
    while took.len() < usize::try_from(DECISIONS).expect("fits") && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
        took = Vec::new();
        for app in fleet.apps().values() {
            if let (Some(answered), Some(asked)) = (app.answered_at, app.rolled_back_at) {
                took.push(asked.saturating_duration_since(answered).as_secs_f64() * 1e3);
                calls = app.calls;
            }
        }
    }
    assert_eq!(took.len() as u64, DECISIONS, "each bad deployment is rolled back");
    let middle = median(&mut took);
    let last = took.last().copied().unwrap_or_default();
    println!(
        "from the deciding answer to the rollback request, {name}: {middle:.1} ms median, {last:.1} ms at most of {DECISIONS}; \
         with {} calls of the platform's API between",
        calls.saturating_sub(1)
    );
}

/// Returns when each app's first deployment is known to be good.
async fn known_good(port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        stream.write_all(&get("/api/v1/apps")).await.expect("written");
        let (status, body) = read_whole_answer(&mut stream).await;
        let apps: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let known = |app: &&serde_json::Value| app["last_good"].is_string();
        let good = apps["items"].as_array().expect("apps").iter().filter(known).count() as u64;
        if status == 200 && good == DECISIONS {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{status}, {good} of {DECISIONS} are known to be good: {apps}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Delivers all of `bodies` over some connections.
async fn post(port: u16, bodies: &[String]) {
    let senders = bodies.chunks(bodies.len().div_ceil(CONNECTIONS)).map(|bodies| {
        let bodies = bodies.to_vec();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            for body in bodies {
                stream
                    .write_all(&signed("/webhooks/temps", &body))
                    .await
                    .expect("written");
                assert_eq!(read_answer(&mut stream).await, 202);
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("a sender");
    }
}

async fn under_way(runs: u64) {
    let fleet = Fleet::start().await;
    let scratch = tempfile::tempdir().expect("a folder");
    let store = format!("sqlite://{}/runs.db", scratch.path().display());
    // Each check of each run once a minute: with three checks, 500 probes a second for 10,000 runs, which this machine's client and
    // the pretend apps manage beside the agent.
    let pace = "[retry]\nevery = \"60s\"\n[check.a]\nget = \"/a\"\n[check.b]\nget = \"/b\"\n";
    let begun = Instant::now();
    let (agent, port) = start(scratch.path(), &config(&store, fleet.port, pace));
    let listening = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle = memory_kib(&agent, "VmRSS");
    let bodies: Vec<String> = (1..=runs).map(|number| fleet.deploy(number, true)).collect();
    let begun = Instant::now();
    post(port, &bodies).await;
    let all_probed = || fleet.apps().values().all(|app| app.probes >= 3);
    let deadline = begun + Duration::from_secs(300);
    while !all_probed() {
        assert!(Instant::now() < deadline, "not all runs began");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let starting = begun.elapsed();
    let probes = || fleet.apps().values().map(|app| app.probes).sum::<u64>();
    let (cpu_before, probes_before, at) = (cpu_seconds(&agent), probes(), Instant::now());
    let mut delays = Vec::new();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    while at.elapsed() < WINDOW {
        let asked = Instant::now();
        stream.write_all(&get("/healthz")).await.expect("written");
        assert_eq!(read_answer(&mut stream).await, 200);
        delays.push(asked.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = at.elapsed().as_secs_f64();
    let (cpu, probed) = (
        (cpu_seconds(&agent) - cpu_before) / took,
        (probes() - probes_before) as f64 / took,
    );
    delays.sort_by(f64::total_cmp);
    println!(
        "{runs} runs under way: {:.1} MB (at most {:.1} MB; idle {:.1} MB, listening after {} ms); all begun in {:.1} s; then {:.3} CPU \
         seconds a second at {probed:.0} probes a second; /healthz {:.2} ms median, {:.2} ms p99",
        mb(memory_kib(&agent, "VmRSS")),
        mb(memory_kib(&agent, "VmHWM")),
        mb(idle),
        listening.as_millis(),
        starting.as_secs_f64(),
        cpu,
        delays[delays.len() / 2],
        delays[delays.len() * 99 / 100]
    );
}

fn mb(kib: u64) -> f64 {
    kib as f64 * 1_024.0 / 1e6
}

/// One line of what the system says of a process.
fn memory_kib(agent: &Server, name: &str) -> u64 {
    let status =
        std::fs::read_to_string(Path::new("/proc").join(agent.0.id().to_string()).join("status")).expect("a status");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number")
}

/// What a process has used of the processors, counted in hundredths of a second.
fn cpu_seconds(agent: &Server) -> f64 {
    let stat = std::fs::read_to_string(Path::new("/proc").join(agent.0.id().to_string()).join("stat")).expect("a stat");
    let after_name = stat.rsplit(')').next().expect("fields");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / 100.0
}
