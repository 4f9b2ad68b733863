//! `backstop subscribe`, and a running agent that makes its own webhooks.

use std::path::PathBuf;
use std::time::Duration;

use backstop::pretend::{Behaviour, Generation, Release, Temps};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::stage::{SECRET, SOON, Setup, Stage, TOKEN, backstop};

/// Nobody listens there, and nothing leaves this machine.
const PUBLIC_URL: &str = "http://127.0.0.1:9/";
const RECEIVER: &str = "http://127.0.0.1:9/webhooks/temps";

struct Own {
    temps: Temps,
    folder: TempDir,
}

impl Own {
    async fn new() -> Self {
        Self {
            temps: Temps::start(Generation::G3, TOKEN).await.expect("temps"),
            folder: tempfile::tempdir().expect("folder"),
        }
    }

    fn config(&self, public_url: &str, secret: &str) -> PathBuf {
        config(&self.folder, &self.temps, public_url, secret)
    }
}

fn config(folder: &TempDir, temps: &Temps, public_url: &str, secret: &str) -> PathBuf {
    let path = folder.path().join("subscribe.toml");
    let text = format!(
        "[server]\npublic_url = \"{public_url}\"\n[platform.temps]\nurl = \"{}\"\ntoken = \"{{{{ secret.TEMPS_API_TOKEN }}}}\"\n\
         secret = {secret}\n[[policy]]\nwhen.app = \"sho*\"\n[check.home]\nget = \"/home\"\n",
        temps.url()
    );
    std::fs::write(&path, text).expect("config");
    path
}

const ONE_SECRET: &str = "\"{{ secret.TEMPS_WEBHOOK_SECRET }}\"";

/// Runs `backstop subscribe`: its exit code, and what it said.
async fn subscribe(config: &PathBuf, args: &[&str]) -> (Option<i32>, String) {
    let mut command = backstop();
    command
        .arg("subscribe")
        .args(args)
        .arg("--config")
        .arg(config)
        .env("TEMPS_API_TOKEN", TOKEN)
        .env("TEMPS_WEBHOOK_SECRET", SECRET);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("joined").expect("it runs");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    for secret in [TOKEN, SECRET] {
        assert!(!said.contains(secret), "{said}");
    }
    (output.status.code(), said)
}

/// The same as JSON: its exit code, and what was done about the one project.
async fn done(config: &PathBuf, args: &[&str]) -> (Option<i32>, Json) {
    let (code, said) = subscribe(config, &[args, &["--format", "json"]].concat()).await;
    let json: Json = serde_json::from_str(&said).unwrap_or_else(|_| panic!("not JSON: {said}"));
    let items = json["items"].as_array().expect("items");
    assert_eq!((items.len(), &items[0]["project"]), (1, &json!("shop")), "{json:#}");
    (code, items[0].clone())
}

/// Our webhook of the project that deploys.
fn ours(temps: &Temps, url: &str) -> (Json, Option<String>) {
    let mut found = temps.webhooks();
    found.retain(|(webhook, _)| webhook["url"] == url && webhook["project_id"] == 7);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_are_made_and_mended_and_otherwise_left_alone() {
    let own = Own::new().await;
    own.temps.deliver_to("https://elsewhere.example.com/hooks", "another");
    own.temps.add_project("blog", Some(RECEIVER));
    let others = own.temps.webhooks();
    let config = own.config(PUBLIC_URL, ONE_SECRET);
    let expect = async |args: &[&str], word: &str, changes: u64| {
        let (code, item) = done(&config, args).await;
        assert_eq!((code, &item["webhook"]), (Some(0), &json!(word)), "{item:#}");
        assert_eq!(own.temps.webhook_changes(), changes, "{item:#}");
        item
    };
    expect(&["temps", "--dry-run"], "created", 0).await;
    assert_eq!(own.temps.webhooks(), others);
    let item = expect(&["temps"], "created", 1).await;
    assert_eq!(item["arrives"], Json::Null, "{item:#}");
    let all = [
        "deployment_created",
        "deployment_succeeded",
        "deployment_failed",
        "deployment_cancelled",
    ];
    let is_right = || {
        let (webhook, secret) = ours(&own.temps, RECEIVER);
        assert_eq!((&webhook["events"], &webhook["enabled"]), (&json!(all), &json!(true)));
        assert_eq!(secret.as_deref(), Some(SECRET));
    };
    is_right();
    expect(&[], "unchanged", 1).await;
    own.temps.spoil_webhooks(RECEIVER, false, &all);
    expect(&["--dry-run"], "updated", 1).await;
    expect(&[], "updated", 2).await;
    is_right();
    own.temps
        .spoil_webhooks(RECEIVER, true, &["deployment_failed", "domain_created"]);
    expect(&[], "updated", 3).await;
    is_right();
    expect(&[], "unchanged", 3).await;
    // What is not ours, and what is not covered, is as it was, but for what this test did to webhooks of this address.
    let now = own.temps.webhooks();
    assert_eq!(now[0], others[0]);
    assert_eq!(
        (now[1].0["id"].clone(), &now[1].1),
        (others[1].0["id"].clone(), &others[1].1)
    );
    assert_eq!(now[1].0["updated_at"], others[1].0["updated_at"]);
    assert_eq!(now.len(), 3);
    let (code, said) = subscribe(&config, &["temps"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("unchanged") && said.contains("nothing was sent yet"),
        "{said}"
    );
    let (code, said) = subscribe(&config, &["vercel"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("it has: temps"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_said() {
    for permission in ["webhooks:create", "webhooks:read"] {
        let own = Own::new().await;
        own.temps.deny(permission);
        let (code, item) = done(&own.config(PUBLIC_URL, ONE_SECRET), &[]).await;
        assert_eq!((code, &item["ok"]), (Some(1), &json!(false)), "{item:#}");
        let said = item["detail"].as_str().expect("text");
        for part in ["403", "Insufficient Permissions", permission] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!((own.temps.webhook_changes(), own.temps.webhooks().len()), (0, 0));
    }
    let own = Own::new().await;
    let per_app = "{ blog = \"{{ secret.TEMPS_WEBHOOK_SECRET }}\" }";
    let (code, item) = done(&own.config(PUBLIC_URL, per_app), &[]).await;
    assert_eq!(code, Some(1));
    let said = item["detail"].as_str().expect("text");
    assert!(
        said.contains("openssl rand") && said.contains("shop = \"{{ secret.NAME }}\""),
        "{said}"
    );
    assert_eq!(own.temps.webhook_changes(), 0);
    let per_app = "{ shop = [\"{{ secret.TEMPS_WEBHOOK_SECRET }}\", \"an-older-secret\"] }";
    let (code, _) = done(&own.config(PUBLIC_URL, per_app), &[]).await;
    assert_eq!(code, Some(0));
    assert_eq!(ours(&own.temps, RECEIVER).1.as_deref(), Some(SECRET));
}

/// What the platform says of its own deliveries tells whether they arrive, and that a secret is another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_deliveries_arrive_is_seen() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let receiver = format!("{}/webhooks/temps", stage.agent.url);
    let config = config(&stage.folder, &stage.temps, &stage.agent.url, ONE_SECRET);
    let expect = async |code: i32, webhook: &str, arrives: Json, says: &str| {
        let (found, item) = done(&config, &[]).await;
        assert_eq!(
            (found, &item["webhook"], &item["arrives"]),
            (Some(code), &json!(webhook), &arrives),
            "{item:#}"
        );
        assert!(item["detail"].as_str().expect("text").contains(says), "{item:#}");
    };
    expect(0, "unchanged", Json::Null, "nothing was sent yet").await;
    let first = stage.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
    expect(0, "unchanged", json!(true), "arrived").await;
    // The platform never shows a secret; that ours does not open its deliveries is how another one is known.
    stage.temps.deliver_to(&receiver, "not-the-secret-of-the-config");
    assert_eq!(stage.temps.say_live(&first).await, Some(401));
    expect(0, "updated", Json::Null, "nothing was sent since it was changed").await;
    assert_eq!(ours(&stage.temps, &receiver).1.as_deref(), Some(SECRET));
    expect(0, "unchanged", Json::Null, "nothing was sent since it was changed").await;
    stage.temps.say_live(&first).await;
    expect(0, "unchanged", json!(true), "arrived").await;
    // An address at which nobody answers.
    let dead = Own::new().await;
    let nowhere = dead.config(PUBLIC_URL, ONE_SECRET);
    let (code, _) = done(&nowhere, &[]).await;
    assert_eq!(code, Some(0));
    dead.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
    let (code, item) = done(&nowhere, &[]).await;
    assert_eq!(
        (code, &item["webhook"], &item["arrives"]),
        (Some(1), &json!("unchanged"), &json!(false))
    );
    assert!(
        item["detail"].as_str().expect("text").contains("did not arrive"),
        "{item:#}"
    );
}

/// With `subscribe = true` the agent makes them at start, and those of new projects later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_agent_makes_its_own_webhooks() {
    let setup = Setup {
        server: "public_url = \"http://127.0.0.1:9/\"\n",
        platform: "subscribe = true\nreconcile_every = \"1s\"\n",
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    let has = async |project: u64| {
        let there = async {
            let ours = |(webhook, secret): &(Json, Option<String>)| {
                webhook["url"] == RECEIVER && webhook["project_id"] == project && secret.as_deref() == Some(SECRET)
            };
            while !stage.temps.webhooks().iter().any(ours) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let there = tokio::time::timeout(SOON, there).await;
        assert!(there.is_ok(), "{:?}\n{}", stage.temps.webhooks(), stage.agent.log());
    };
    has(7).await;
    let new = stage.temps.add_project("blog", None);
    has(new).await;
}
