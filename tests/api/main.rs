//! The API does what its OpenAPI document says: schemathesis makes requests from the document, right and wrong ones, sends them to a
//! running agent, and compares the answers with it.
//!
//! Run by `tests/run`, which installs PyPI's `schemathesis` into `target/tools`. Without it this fails. What it sent and got is left
//! in `target/api`.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests"
)]

#[path = "../e2e/stage.rs"]
#[expect(dead_code, reason = "the end-to-end tests use the rest")]
mod stage;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use backstop::pretend::{Behaviour, Generation, Release};
use serde_json::Value as Json;
use tokio::process::Command;

use stage::{ADMIN_TOKEN, Setup, Stage};

/// The longest that it may take.
const TIME_MAX: Duration = Duration::from_secs(300);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An agent that has something of everything: a good run, a bad one that was rolled back, deliveries, messages, a pause.
async fn stage() -> Stage {
    let setup = Setup {
        server: "read_token = \"{{ secret.BACKSTOP_READ_TOKEN }}\"\n",
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    stage.known_good("a100000").await;
    let bad = stage.temps.deploy(Release::new("b200000", Behaviour::Errors)).await;
    stage.must_hear("rollback.succeeded", &bad).await;
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_does_what_its_document_says() {
    let stage = stage().await;
    let found = root().join("target/api");
    std::fs::create_dir_all(&found).expect("a folder");
    let document = format!("{}/api/v1/openapi.json", stage.agent.url);
    let mut command = Command::new(root().join("target/tools/bin/schemathesis"));
    command
        .arg("--config-file")
        .arg(root().join("tests/api/schemathesis.toml"))
        .args(["--no-color", "run", &document])
        .arg("--report-dir")
        .arg(&found)
        // It keeps things where it runs.
        .current_dir(&found)
        .env("ADMIN_TOKEN", ADMIN_TOKEN)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(TIME_MAX, command.output()).await;
    let output = ended.expect("in time").expect("schemathesis is there");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{}\n{}", said, stage.agent.log());
    // That it looked at all of it, and not at nothing.
    let tested = said.lines().find_map(|line| line.trim().strip_prefix("Tested: "));
    let operations = operations(&stage).await;
    assert_eq!(tested, Some(operations.to_string().as_str()), "{said}");
}

/// How many operations the document has, but for the stream, which does not end by itself.
async fn operations(stage: &Stage) -> usize {
    let document = stage.api("/api/v1/openapi.json").await;
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |path: &Json| path.as_object().expect("operations").len();
    paths.values().map(of_path).sum::<usize>() - 1
}
