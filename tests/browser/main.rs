//! The pages in a real browser, over a real agent: `walk.mjs` drives Chromium, and this plays everything around it.
//!
//! Run by `tests/run`, which installs what is needed: Debian's `chromium`, and npm's `playwright-core` and `axe-core` below
//! `target/tools/browser`. Without them this fails. Screenshots are left in `target/browser`. To add a page, add its row to
//! `pages.mjs`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests"
)]

mod fill;
#[path = "../e2e/stage.rs"]
#[expect(dead_code, reason = "the end-to-end tests use the rest")]
mod stage;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use backstop::pretend::{Behaviour, Generation, Release};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use stage::{ADMIN_TOKEN, Agent, READ_TOKEN, Setup, Stage};

/// The longest that the walk may take.
const WALK_MAX: Duration = Duration::from_secs(600);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn setup() -> Setup {
    Setup {
        mode: "approve",
        server: "read_token = \"{{ secret.BACKSTOP_READ_TOKEN }}\"\npublic_url = \"http://backstop.test/\"\n",
        more: "approve = true\n".to_owned(),
        ..Setup::default()
    }
}

/// An agent whose store others have written to before.
fn start_filled(folder: &tempfile::TempDir) -> Agent {
    let url = format!("sqlite://{}", folder.path().join("backstop.db").display());
    let filling = fill::fill(&url);
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(filling));
    Agent::start(folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_in_a_browser() {
    let stage = Stage::with(Generation::G3, setup(), start_filled).await;
    let tools = root().join("target/tools/browser");
    let screenshots = root().join("target/browser");
    std::fs::create_dir_all(&screenshots).expect("a folder");
    let mut walk = Command::new("node")
        .arg(root().join("tests/browser/walk.mjs"))
        .env("BACKSTOP_URL", &stage.agent.url)
        .env("ADMIN_TOKEN", ADMIN_TOKEN)
        .env("READ_TOKEN", READ_TOKEN)
        .env("HOSTILE_RUN", fill::RUN)
        .env("TOOLS", &tools)
        .env("SCREENSHOTS", &screenshots)
        .env("CHROMIUM", chromium())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node is there");
    let mut answers = walk.stdin.take().expect("piped");
    let mut lines = BufReader::new(walk.stdout.take().expect("piped")).lines();
    let walking = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            match line.strip_prefix("ask ") {
                Some(asked) => {
                    let answer = play(&stage, &serde_json::from_str(asked).expect("JSON")).await;
                    answers
                        .write_all(format!("{answer}\n").as_bytes())
                        .await
                        .expect("it listens");
                }
                None => println!("{line}"),
            }
        }
        walk.wait().await.expect("it ends")
    };
    let ended = tokio::time::timeout(WALK_MAX, walking).await.expect("in time");
    assert!(ended.success(), "the walk failed\n{}", stage.agent.log());
}

/// Where Debian or the caller has it.
fn chromium() -> PathBuf {
    std::env::var_os("CHROMIUM").map_or_else(|| "/usr/bin/chromium".into(), PathBuf::from)
}

/// What the walk asks the world for.
async fn play(stage: &Stage, asked: &Json) -> Json {
    let text = |name: &str| asked[name].as_str().unwrap_or_else(|| panic!("{name}: {asked}"));
    match text("do") {
        "deploy" => {
            let behaviour = match text("behaviour") {
                "healthy" => Behaviour::Healthy,
                "errors" => Behaviour::Errors,
                other => panic!("no such behaviour: {other}"),
            };
            json!(stage.temps.deploy(Release::new(text("commit"), behaviour)).await)
        }
        "hear" => {
            let heard = stage.must_hear(text("event"), text("deployment")).await;
            heard.body
        }
        "ended" => stage.ended_run(text("deployment")).await,
        "targets" => json!(stage.targets()),
        "current" => json!(stage.temps.current()),
        "api" => stage.api(text("path")).await,
        other => panic!("nobody plays {other}"),
    }
}
