//! `kill -9` at random moments under load: what was acknowledged is there, once, and every run ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use backstop::clock::{Clock, Ids};
use backstop::pretend::{Behaviour, Generation, Release, RollbackFault};
use backstop::signature::sign_timestamped;
use http::Method;
use serde_json::json;
use tokio::sync::Mutex;

use crate::stage::{SECRET, SOON, Setup, Stage, try_send};

/// Crashes in one test.
const CRASHES: usize = 6;
/// Senders at once.
const SENDERS: usize = 12;

/// The next of some numbers that are spread out, from a seed that the test prints.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// What the senders share.
struct Load {
    url: Mutex<String>,
    number: AtomicU64,
    stop: AtomicBool,
    /// Ids that were answered 2xx.
    acknowledged: Mutex<BTreeSet<String>>,
    live: Mutex<Vec<String>>,
}

impl Load {
    /// Sends until told to stop: most deliveries are only kept, some say that a deployment is live.
    async fn send(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            let live = self.live.lock().await;
            let (event, deployment) = match number % 5 {
                0 => (
                    "deploy.live",
                    live[usize::try_from(number / 5).expect("fits") % live.len()].clone(),
                ),
                _ => ("build.completed", format!("dep_{number}")),
            };
            drop(live);
            let id = format!("whk_load_{number}");
            let body =
                json!({"event": event, "delivery_id": id, "deployment_id": deployment, "app": "shop"}).to_string();
            let now_s = Clock::system().wall().as_secs();
            let signature = sign_timestamped(SECRET, now_s, body.as_bytes());
            let url = self.url.lock().await.clone();
            let time = now_s.to_string();
            let headers = [
                ("x-temps-timestamp", time.as_str()),
                ("x-temps-signature", signature.as_str()),
            ];
            match try_send(Method::POST, &url, &headers, body.as_bytes()).await {
                Some(answer) if (200..300).contains(&answer.status) => {
                    self.acknowledged.lock().await.insert(id);
                }
                // Refused, cut off, or not taken: nothing was promised.
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_once_and_every_run_ends() {
    let mut seed = Ids::default().seed();
    println!("seed {seed}");
    let mut stage = Stage::new(
        Generation::Guide,
        Setup {
            warmup: "10s",
            ..Setup::default()
        },
    )
    .await;
    let mut live = vec![stage.known_good("aaaaaaa1").await];
    live.push(
        stage
            .temps
            .deploy_silently(Release::new("bbbbbbb2", Behaviour::Healthy)),
    );
    let load = Arc::new(Load {
        url: Mutex::new(format!("{}/webhooks/temps", stage.agent.url)),
        number: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        acknowledged: Mutex::default(),
        live: Mutex::new(live),
    });
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let load = Arc::clone(&load);
            tokio::spawn(async move { load.send().await })
        })
        .collect();
    for crash in 0..CRASHES {
        tokio::time::sleep(Duration::from_millis(200 + next(&mut seed) % 1_500)).await;
        if crash % 2 == 0 {
            let behaviour = if crash % 4 == 0 {
                Behaviour::Healthy
            } else {
                Behaviour::Errors
            };
            let id = stage
                .temps
                .deploy_silently(Release::new(&format!("ccccccc{crash}"), behaviour));
            load.live.lock().await.push(id);
        }
        stage = stage.restarted(|agent, _| agent.kill_9());
        *load.url.lock().await = format!("{}/webhooks/temps", stage.agent.url);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    load.stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.expect("a sender ends");
    }
    let acknowledged = load.acknowledged.lock().await.clone();
    assert!(acknowledged.len() > 50, "too little load: {}", acknowledged.len());
    every_run_ends(&stage).await;
    each_is_there_once(&stage, &acknowledged).await;
}

/// Each delivery that was answered 2xx is listed exactly once.
async fn each_is_there_once(stage: &Stage, acknowledged: &BTreeSet<String>) {
    let mut stored: Vec<String> = Vec::new();
    let mut before = String::new();
    loop {
        let page = stage.api(&format!("/api/v1/deliveries?limit=200{before}")).await;
        for item in page["items"].as_array().expect("items") {
            let shown = stage
                .api(&format!("/api/v1/deliveries/{}", item["id"].as_str().expect("id")))
                .await;
            let body: serde_json::Value = serde_json::from_str(shown["body"].as_str().expect("body")).expect("JSON");
            stored.push(body["delivery_id"].as_str().expect("id").to_owned());
            assert!(!shown["note"].is_null(), "not dealt with: {shown:#}");
        }
        match page["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    let once: BTreeSet<&String> = stored.iter().collect();
    assert_eq!(once.len(), stored.len(), "a delivery is there twice");
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !once.contains(id)).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
}

async fn every_run_ends(stage: &Stage) {
    let ended = async {
        loop {
            let runs = stage.api("/api/v1/runs?limit=200").await;
            let runs = runs["items"].as_array().expect("items").clone();
            if runs.iter().all(|run| !run["ended_at"].is_null()) {
                return runs;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    match tokio::time::timeout(SOON, ended).await {
        Ok(runs) => assert!(runs.len() >= 2, "{runs:?}"),
        Err(_) => panic!("a run did not end:\n{}", stage.agent.log()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crash_while_judging_resumes_and_rolls_back_once() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    stage.must_hear("smoke_test.started", &bad).await;
    let stage = stage.restarted(|agent, _| agent.kill_9());
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
    let told: BTreeSet<String> = stage
        .receiver
        .all()
        .iter()
        .map(|message| message.text("delivery_id").to_owned())
        .collect();
    let failed = stage
        .heard()
        .iter()
        .filter(|heard| heard.starts_with("smoke_test.failed"))
        .count();
    assert_eq!(failed, 1, "said once: {told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stop_waits_for_the_call_in_flight_and_the_rest_is_done_after_a_restart() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    stage
        .temps
        .set_rollback_fault(RollbackFault::Takes(Duration::from_secs(3)));
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    stage.must_hear("rollback.started", &bad).await;
    assert!(stage.targets().is_empty(), "the call is in flight");
    let stage = stage.restarted(|agent, temps| {
        assert!(agent.stop().success());
        assert_eq!(
            temps.rollback_calls().len(),
            1,
            "it was answered before the agent ended"
        );
    });
    stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(stage.targets(), [good]);
}
