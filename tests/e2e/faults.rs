//! Real processes, really killed and really stopped, for two minutes under load; then the same rules as in the simulation, seen
//! from outside: by what the platform and the endpoint saw, and by what the API tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use backstop::clock::{Clock, Ids};
use backstop::pretend::{Behaviour, Generation, Receiver, Release, Temps};
use backstop::signature::sign_timestamped;
use http::Method;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::server::Cluster;
use crate::stage::{ADMIN_TOKEN, Agent, OUTCOME_SECRET, SECRET, Setup, TOKEN, try_send, write_config};

/// How long faults go on.
const TROUBLE: Duration = Duration::from_secs(120);
/// How long everything may take to come to rest after that: a lease, a hold, and a run.
const REST: Duration = Duration::from_secs(180);
/// Senders at once.
const SENDERS: usize = 6;

struct Site {
    temps: Temps,
    receiver: Receiver,
    folders: Vec<TempDir>,
    agents: Vec<Option<Agent>>,
    urls: Arc<Mutex<Vec<String>>>,
    seed: u64,
    /// Each release that was made, and whether it works.
    releases: Vec<(String, bool)>,
}

/// What the senders share.
struct Load {
    urls: Arc<Mutex<Vec<String>>>,
    stop: AtomicBool,
    number: AtomicU64,
    acknowledged: Mutex<BTreeSet<String>>,
}

impl Load {
    /// Deliveries that are only kept, to whichever agent has its turn.
    async fn send(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let id = format!("whk_load_{number}");
            let body =
                json!({"event": "build.completed", "delivery_id": id, "deployment_id": format!("dep_x{number}")});
            let url = {
                let urls = self.urls.lock().await;
                urls[usize::try_from(number).expect("fits") % urls.len()].clone()
            };
            if deliver(&url, &body).await {
                self.acknowledged.lock().await.insert(id);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

/// Delivers, signed; whether it was acknowledged.
async fn deliver(url: &str, body: &Json) -> bool {
    let (body, now_s) = (body.to_string(), Clock::system().wall().as_secs());
    let (signature, time) = (sign_timestamped(SECRET, now_s, body.as_bytes()), now_s.to_string());
    let headers = [
        ("x-temps-timestamp", time.as_str()),
        ("x-temps-signature", signature.as_str()),
    ];
    let url = format!("{url}/webhooks/temps");
    let sent = try_send(Method::POST, &url, &headers, body.as_bytes());
    // A process that stands still answers later, or never.
    let answer = tokio::time::timeout(Duration::from_secs(3), sent).await.ok().flatten();
    answer.is_some_and(|answer| (200..300).contains(&answer.status))
}

impl Site {
    async fn new(agents: usize, store: Option<String>) -> Self {
        let temps = Temps::start(Generation::Guide, TOKEN).await.expect("temps");
        let receiver = Receiver::start(OUTCOME_SECRET).await.expect("receiver");
        let seed = Ids::default().seed();
        println!("seed {seed}");
        let setup = Setup {
            warmup: "15s",
            platform: "reconcile_every = \"10s\"",
            store,
            ..Setup::default()
        };
        let mut site = Self {
            temps,
            receiver,
            folders: Vec::new(),
            agents: Vec::new(),
            urls: Arc::default(),
            seed,
            releases: Vec::new(),
        };
        for _ in 0..agents {
            let folder = tempfile::tempdir().expect("folder");
            // A call that was under way when its agent died may last as long as it may; here that is seconds.
            let file = include_str!("../../src/platform/files/temps.toml").replace("\"10m\"", "\"5s\"");
            std::fs::write(folder.path().join("temps.toml"), file).expect("platform file");
            write_config(&folder, &site.temps, &site.receiver, &setup);
            let agent = Agent::start(&folder);
            site.urls.lock().await.push(agent.url.clone());
            site.folders.push(folder);
            site.agents.push(Some(agent));
        }
        site
    }

    fn next(&mut self, bound: u64) -> u64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        self.seed % bound
    }

    /// A release goes live; the platform says so once, to one agent.
    async fn release(&mut self, works: bool) {
        let number = self.releases.len();
        let behaviour = if works { Behaviour::Healthy } else { Behaviour::Errors };
        let release = Release::new(&format!("{number:x}abcdef{number}"), behaviour);
        let id = self.temps.deploy_silently(release);
        self.releases.push((id.clone(), works));
        let urls = self.urls.lock().await.clone();
        let body = json!({"event": "deploy.live", "delivery_id": format!("whk_live_{number}"), "deployment_id": id,
                          "app": "shop", "environment": "production"});
        // What is lost here, the platform's own list tells later.
        deliver(
            &urls[usize::try_from(self.next(urls.len() as u64)).expect("fits")],
            &body,
        )
        .await;
    }

    /// One agent is killed and started again, or stands still; sometimes for longer than its lease.
    async fn fault(&mut self) {
        let count = self.agents.len() as u64;
        let number = usize::try_from(self.next(count)).expect("fits");
        let pause = Duration::from_millis(500 + self.next(4_000));
        if self.next(2) == 0 {
            self.agents[number].take().expect("an agent").kill_9();
            tokio::time::sleep(pause).await;
            self.start(number).await;
        } else {
            let long = if self.next(4) == 0 { 32 } else { 0 };
            let agent = self.agents[number].as_ref().expect("an agent");
            agent.signal("STOP");
            tokio::time::sleep(pause + Duration::from_secs(long)).await;
            agent.signal("CONT");
        }
    }

    async fn start(&mut self, number: usize) {
        let agent = Agent::start(&self.folders[number]);
        self.urls.lock().await[number].clone_from(&agent.url);
        self.agents[number] = Some(agent);
    }

    async fn api(&self, path: &str) -> Option<Json> {
        let bearer = format!("Bearer {ADMIN_TOKEN}");
        let url = format!("{}{path}", self.agents[0].as_ref().expect("an agent").url);
        let response = try_send(Method::GET, &url, &[("authorization", &bearer)], b"").await?;
        serde_json::from_slice(&response.body).ok()
    }

    /// All of a listing.
    async fn all(&self, path: &str) -> Vec<Json> {
        let (mut found, mut before) = (Vec::new(), String::new());
        loop {
            let page = self.api(&format!("{path}?limit=200{before}")).await.expect("an answer");
            found.extend(page["items"].as_array().expect("items").clone());
            match page["next"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => return found,
            }
        }
    }

    fn log(&self) -> String {
        let logs = self.agents.iter().flatten().map(Agent::log);
        logs.collect::<Vec<_>>().join("\n----\n")
    }

    /// Faults and releases for two minutes.
    async fn trouble(&mut self) {
        let clock = Clock::system();
        let until = clock.now().plus(TROUBLE);
        let mut works = false;
        while clock.now() < until {
            self.release(works).await;
            works = !works;
            for _ in 0..3 {
                let wait = Duration::from_millis(500 + self.next(4_000));
                tokio::time::sleep(wait).await;
                self.fault().await;
            }
        }
        // The last one is bad, and nothing supersedes it.
        self.release(false).await;
    }

    /// Until every run has ended, the last release is rolled back and everything was told.
    async fn rest(&self) {
        let settled = async {
            loop {
                let runs = self.all("/api/v1/runs").await;
                let last = &self.releases.last().expect("a release").0;
                let judged = runs.iter().any(|run| run["deployment"] == *last.as_str());
                let undone = self.temps.current().is_some_and(|current| current != *last);
                let told = self.all("/api/v1/messages").await;
                let quiet = told.iter().all(|message| message["state"] == "delivered");
                if judged && undone && quiet && runs.iter().all(|run| !run["ended_at"].is_null()) {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        if tokio::time::timeout(REST, settled).await.is_err() {
            panic!(
                "it did not come to rest:\n{:#?}\n{}",
                self.all("/api/v1/runs").await,
                self.log()
            );
        }
    }

    async fn check(&self, acknowledged: &BTreeSet<String>) {
        let runs = self.all("/api/v1/runs").await;
        let mut judged: BTreeMap<String, usize> = BTreeMap::new();
        for run in runs.iter().filter(|run| run["action"] != "dismissed") {
            *judged.entry(run["deployment"].to_string()).or_default() += 1;
        }
        let twice: Vec<_> = judged.iter().filter(|(_, runs)| **runs > 1).collect();
        assert!(twice.is_empty(), "judged twice: {twice:?}\n{}", self.log());
        // No more rollbacks than bad releases, and none of a good one.
        let bad = self.releases.iter().filter(|(_, works)| !works).count();
        let made = self
            .temps
            .rollback_calls()
            .iter()
            .filter(|call| call.status == 200)
            .count();
        assert!(
            (1..=bad).contains(&made),
            "{made} rollbacks, {bad} bad releases\n{}",
            self.log()
        );
        for (id, works) in &self.releases {
            let rolled_back = runs
                .iter()
                .any(|run| run["deployment"] == *id.as_str() && run["action"] == "rolled back");
            assert!(
                !(*works && rolled_back),
                "{id} works, and was rolled back\n{}",
                self.log()
            );
        }
        // The same message has the same bytes each time it comes.
        let mut bodies: BTreeMap<String, Json> = BTreeMap::new();
        for message in self.receiver.all() {
            assert!(message.signed);
            let before = bodies.insert(message.text("delivery_id").to_owned(), message.body.clone());
            assert!(before.is_none_or(|before| before == message.body), "{:#}", message.body);
        }
        self.each_is_there_once(acknowledged).await;
    }

    async fn each_is_there_once(&self, acknowledged: &BTreeSet<String>) {
        let mut stored = BTreeSet::new();
        for item in self.all("/api/v1/deliveries").await {
            let id = item["deployment"].as_str().unwrap_or_default().to_owned();
            if id.starts_with("dep_x") {
                assert!(stored.insert(id.clone()), "{id} is there twice");
            }
        }
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(|id| !stored.contains(&id.replace("whk_load_", "dep_x")))
            .collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        assert!(acknowledged.len() > 500, "too little load: {}", acknowledged.len());
    }
}

async fn endure(agents: usize, store: Option<String>) {
    let mut site = Site::new(agents, store).await;
    site.release(true).await;
    let good = site.releases[0].0.clone();
    let known = site.receiver.wait_for(Duration::from_secs(60), |message| {
        message.event() == "smoke_test.passed" && message.deployment() == good
    });
    assert!(known.await.is_some(), "{}", site.log());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let load = Arc::new(Load {
        urls: Arc::clone(&site.urls),
        stop: AtomicBool::new(false),
        number: AtomicU64::new(0),
        acknowledged: Mutex::default(),
    });
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let load = Arc::clone(&load);
            tokio::spawn(async move { load.send().await })
        })
        .collect();
    site.trouble().await;
    load.stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.expect("a sender ends");
    }
    site.rest().await;
    let acknowledged = load.acknowledged.lock().await.clone();
    site.check(&acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_agents_on_one_server_are_killed_and_stopped_for_two_minutes() {
    let cluster = Arc::new(
        tokio::task::spawn_blocking(|| Cluster::start(false))
            .await
            .expect("a server"),
    );
    let at = Arc::clone(&cluster);
    let url = tokio::task::spawn_blocking(move || at.database())
        .await
        .expect("a database");
    endure(3, Some(url)).await;
    tokio::task::spawn_blocking(move || drop(cluster))
        .await
        .expect("it ends");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_agent_on_a_file_is_killed_and_stopped_for_two_minutes() {
    endure(1, None).await;
}
