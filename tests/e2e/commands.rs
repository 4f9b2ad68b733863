//! The commands, as a person or a script runs them.

use std::process::Output;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use backstop::pretend::{Behaviour, Generation, Release, RollbackFault};

use crate::stage::{ADMIN_TOKEN, SECRET, Setup, Stage, backstop};

pub fn out(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs a command without waiting for it on the runtime that serves the pretend platform.
pub async fn run(stage: &Stage, args: &[&str]) -> Output {
    let mut command = backstop();
    command
        .args(args)
        .env("BACKSTOP_URL", &stage.agent.url)
        .env("BACKSTOP_ADMIN_TOKEN", ADMIN_TOKEN);
    command.env("BACKSTOP_SECRET", SECRET);
    for name in ["TEMPS_API_TOKEN", "TEMPS_WEBHOOK_SECRET", "OUTCOME_SECRET"] {
        command.env(name, "a-long-enough-secret");
    }
    tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("joined")
        .expect("it runs")
}

pub async fn must(stage: &Stage, args: &[&str], expected: &str) -> String {
    let output = run(stage, args).await;
    let said = out(&output);
    assert!(output.status.success(), "{args:?}: {said}");
    assert!(said.contains(expected), "{args:?} did not say {expected:?}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_on_a_running_agent() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    must(&stage, &["health"], "ready").await;
    must(&stage, &["runs"], "no runs yet").await;
    must(&stage, &["deliveries"], "nothing received yet").await;
    let good = stage.known_good("aaaaaaa1").await;
    let runs = must(&stage, &["runs"], "healthy").await;
    assert!(
        runs.contains(&good) && runs.contains("shop") && runs.contains("production"),
        "{runs}"
    );
    let run = stage.ended_run(&good).await["id"].as_str().expect("id").to_owned();
    must(&stage, &["runs", "show", &run], "the watch ended well").await;
    let listed = must(&stage, &["deliveries"], "smoke_test.passed").await;
    let message = listed
        .split_whitespace()
        .find(|word| word.starts_with("whk_"))
        .expect("a message")
        .to_owned();
    let delivery = listed
        .split_whitespace()
        .find(|word| word.starts_with("dlv_"))
        .expect("a delivery")
        .to_owned();
    must(&stage, &["deliveries", "show", &delivery], "deployment_succeeded").await;
    must(&stage, &["deliveries", "show", &message], "attempt_log").await;

    let before = stage.receiver.all().len();
    must(&stage, &["deliveries", "replay", &message], "queued again").await;
    let again = async {
        while stage.receiver.all().len() == before {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::stage::SOON, again)
        .await
        .expect("it came again");
    let with_id = stage
        .receiver
        .all()
        .iter()
        .filter(|received| received.text("delivery_id") == message)
        .count();
    assert_eq!(with_id, 2, "the same id");

    let unknown = run_fails(&stage, &["runs", "show", "run_none"]).await;
    assert!(unknown.contains("404"), "{unknown}");
}

pub async fn run_fails(stage: &Stage, args: &[&str]) -> String {
    let output = run(stage, args).await;
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", out(&output));
    out(&output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_was_refused_comes_again_with_the_same_id_and_bytes() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    stage.receiver.refuse_next(&[http::StatusCode::SERVICE_UNAVAILABLE]);
    let id = stage.known_good("aaaaaaa1").await;
    let started = stage.must_hear("smoke_test.started", &id).await;
    let path = format!("/api/v1/messages/{}", started.text("delivery_id"));
    let shown = stage.api(&path).await;
    let statuses: Vec<i64> = shown["attempt_log"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|a| a["status"].as_i64().expect("status"))
        .collect();
    assert_eq!(statuses, [204, 503], "newest first: {shown:#}");
    assert_eq!(
        (shown["state"].as_str(), shown["attempts"].as_i64()),
        (Some("delivered"), Some(2))
    );
    let kept: serde_json::Value = serde_json::from_str(shown["body"].as_str().expect("body")).expect("JSON");
    assert_eq!(kept, started.body, "the bytes never change");
    assert_eq!(
        stage.heard(),
        [format!("smoke_test.started {id}"), format!("smoke_test.passed {id}")],
        "what is no graver waits for what it follows"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_are_listed_tried_and_switched_on() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let listed = must(&stage, &["outcomes"], "plain").await;
    assert!(listed.contains("good"), "{listed}");
    must(&stage, &["outcomes", "test", "tests"], "answered 204").await;
    let test = stage.must_hear("endpoint.test", "").await;
    assert!(test.signed, "{test:?}");
    run_fails(&stage, &["outcomes", "test", "nobody"]).await;

    stage.receiver.refuse_next(&[http::StatusCode::GONE]);
    run_fails(&stage, &["outcomes", "test", "tests"]).await;
    must(&stage, &["outcomes"], "off: it answered 410 Gone").await;
    must(&stage, &["outcomes", "enable", "tests"], "enabled").await;
    must(&stage, &["outcomes", "enable", "tests"], "already on").await;
    must(&stage, &["outcomes", "disable", "tests"], "disabled").await;
    must(&stage, &["outcomes", "disable", "tests"], "already off").await;
    must(&stage, &["outcomes"], "off: it was switched off by hand").await;
    must(&stage, &["outcomes", "enable", "tests"], "enabled").await;
    let before = stage.receiver.all().len();
    must(
        &stage,
        &[
            "deliveries",
            "replay",
            "--endpoint",
            "tests",
            "--failed",
            "--since",
            "1h",
        ],
        "1 messages are queued again",
    )
    .await;
    let again = async {
        while stage.receiver.all().len() == before {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::stage::SOON, again)
        .await
        .expect("sent again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_gone_is_switched_off_until_somebody_replays() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    stage.receiver.refuse_next(&[http::StatusCode::GONE]);
    let id = stage.temps.deploy(Release::new("aaaaaaa1", Behaviour::Healthy)).await;
    stage.ended_run(&id).await;
    let endpoints = stage.api("/api/v1/endpoints").await;
    assert_eq!(
        endpoints["items"][0]["off_reason"], "it answered 410 Gone",
        "{endpoints:#}"
    );
    assert!(stage.heard().is_empty(), "{:?}", stage.heard());
    let messages = stage.api("/api/v1/messages").await;
    let items = messages["items"].as_array().expect("items");
    let dead = items
        .iter()
        .find(|message| message["state"] == "dead")
        .expect("the refused one");
    must(
        &stage,
        &["deliveries", "replay", dead["id"].as_str().expect("id")],
        "queued again",
    )
    .await;
    // Wanted again: what waited comes too.
    stage.must_hear("smoke_test.started", &id).await;
    stage.must_hear("smoke_test.passed", &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_withholds_and_ends_and_a_run_can_be_cancelled() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    stage.known_good("aaaaaaa1").await;
    must(&stage, &["pause", "shop", "--for", "10m"], "withheld until").await;
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    let told = stage.must_hear("rollback.withheld", &bad).await;
    assert!(told.text("reason").contains("paused"), "{:#}", told.body);
    must(&stage, &["resume", "shop"], "over").await;
    run_fails(&stage, &["resume", "shop"]).await;

    let cold = Behaviour::ColdFor(crate::stage::SOON, backstop::pretend::Cold::BadGateway);
    let slow = stage.temps.deploy(Release::new("ccccccc3", cold)).await;
    stage.must_hear("smoke_test.started", &slow).await;
    let listed = stage.api("/api/v1/runs").await;
    let run = listed["items"][0]["id"].as_str().expect("id").to_owned();
    must(&stage, &["cancel", &run], "cancelled").await;
    assert_eq!(stage.ended_run(&slow).await["action"], "cancelled");
    run_fails(&stage, &["cancel", &run]).await;
    assert!(stage.targets().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_and_verify() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let url = format!("{}/webhooks/temps", stage.agent.url);
    must(&stage, &["send", "build.completed", "--to", &url], "answered 202").await;
    let saved = stage.folder.path().join("saved.json");
    std::fs::write(
        &saved,
        br#"{"event":"build.completed","delivery_id":"whk_saved","deployment_id":"dep_9"}"#,
    )
    .expect("saved");
    let saved = saved.to_str().expect("text");
    must(&stage, &["send", "--to", &url, "--body", saved], "answered 202").await;
    must(&stage, &["send", "--to", &url, "--body", saved], "duplicate").await;
    let wrong = backstop()
        .args(["send", "build.completed", "--to", &url])
        .env("BACKSTOP_SECRET", "whsec_wrong")
        .output()
        .expect("it runs");
    assert_eq!(wrong.status.code(), Some(1), "{}", out(&wrong));

    let body = std::fs::read(saved).expect("read");
    let signature = backstop::signature::sign_timestamped(SECRET, 1_773_325_321, &body);
    let (signature, timestamp) = (
        format!("x-temps-signature: {signature}"),
        "x-temps-timestamp: 1773325321",
    );
    let args = ["verify", "--body", saved, "-H", &signature, "-H", timestamp, "--at"];
    must(
        &stage,
        &[&args[..], &["2026-03-12T14:22:01Z"]].concat(),
        "the signature holds",
    )
    .await;
    let late = run_fails(&stage, &[&args[..], &["2026-03-12T15:22:01Z"]].concat()).await;
    assert!(late.contains("3600 s in the past"), "{late}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_looks_once_and_says_so_by_exit_code() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let config = stage.folder.path().join("checks.toml");
    let (config, url) = (config.to_str().expect("text").to_owned(), stage.temps.app_url());
    let test = |more: &[&str]| {
        let mut command = backstop();
        command
            .args(["test", "--config", &config, "--url", &url, "--app", "shop"])
            .args(more);
        for name in [
            "TEMPS_API_TOKEN",
            "TEMPS_WEBHOOK_SECRET",
            "OUTCOME_SECRET",
            "BACKSTOP_ADMIN_TOKEN",
        ] {
            command.env(name, "a-long-enough-secret");
        }
        tokio::task::spawn_blocking(move || command.output().expect("it runs"))
    };
    let passed = test(&[]).await.expect("joined");
    assert_eq!(passed.status.code(), Some(0), "{}", out(&passed));
    stage.temps.deploy_silently(Release::new("bbbbbbb2", Behaviour::Errors));
    let failed = test(&["--format", "json"]).await.expect("joined");
    assert_eq!(failed.status.code(), Some(1), "{}", out(&failed));
    let json: serde_json::Value = serde_json::from_slice(&failed.stdout).expect("JSON");
    assert_eq!(json["checks"][0]["result"], "fail", "{json:#}");
    assert!(stage.targets().is_empty(), "it never rolls back, good as {good} is");
}

/// Runs on until it is ended: after each change of the config, a file that cannot be read included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_watches_the_config_and_says_more_with_options() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let _ = stage.known_good("aaaaaaa1").await;
    let (url, folder) = (stage.temps.app_url(), tempfile::tempdir().expect("a folder"));
    let config = folder.path().join("checks.toml");
    let write = |text: &str| std::fs::write(&config, text).expect("a config");
    write("[check.home]\nget = \"/\"\nexpect.status = 418\n");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_backstop"));
    command
        .args(["test", "--watch", "--url", &url, "--config"])
        .arg(&config)
        .kill_on_drop(true)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut complained = BufReader::new(child.stderr.take().expect("piped")).lines();
    until(&mut said, "1 check: 1 fail").await;
    until(&mut complained, "waiting for a change").await;
    write("[check.home]\nget = \"/\"\nexpekt.status = 200\n");
    until(&mut complained, "unknown key `expekt`").await;
    until(&mut complained, "waiting for a change").await;
    write("[check.home]\nget = \"/\"\n[check.pages]\nget = [\"/?a\", \"/?b\"]\n");
    until(&mut said, "3 checks: 3 pass").await;

    let once = |args: &[&str]| {
        let mut command = backstop();
        command
            .args(["test", "--url", &url, "--config"])
            .arg(&config)
            .args(args);
        let ran = tokio::task::spawn_blocking(move || command.output().expect("it runs"));
        async move { out(&ran.await.expect("joined")) }
    };
    let only = once(&["--only", "pages*"]).await;
    assert!(only.contains("2 checks: 2 pass"), "{only}");
    let nobody = once(&["--only", "hom"]).await;
    assert!(
        nobody.contains("no check is called `hom`; did you mean `home`?"),
        "{nobody}"
    );
    let file = folder.path().join("junit.xml");
    let both = once(&["--format", "junit", "--output", &file.display().to_string()]).await;
    assert!(both.contains("3 checks: 3 pass"), "{both}");
    let xml = std::fs::read_to_string(file).expect("it was written");
    assert!(xml.contains("<testsuites tests=\"3\" failures=\"0\""), "{xml}");
}

/// Reads lines until one contains `words`.
async fn until<R: tokio::io::AsyncBufRead + Unpin>(lines: &mut tokio::io::Lines<R>, words: &str) {
    loop {
        let line = lines.next_line().await.expect("text").expect("it runs on");
        if line.contains(words) {
            return;
        }
    }
}

#[test]
fn lint_names_every_problem_and_the_place() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("checks.toml");
    std::fs::write(
        &file,
        "mode = \"auto\"\n\n[check.home]\nget = \"/\"\nexpct.status = 200\n",
    )
    .expect("written");
    let output = backstop().arg("lint").arg(&file).output().expect("it runs");
    let said = out(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("checks.toml:1:") && said.contains("checks.toml:5:") && said.contains("`expect"),
        "{said}"
    );
    let missing = backstop()
        .args(["serve", "--config", "/nonexistent/checks.toml"])
        .output()
        .expect("it runs");
    assert_eq!(missing.status.code(), Some(2), "{}", out(&missing));
}

#[test]
fn explain_says_where_each_value_comes_from_and_what_the_policy_means() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("checks.toml");
    let config = "[defaults]\nexpect.time = \"2s\"\n[check.home]\nget = \"/\"\n[check.buy]\npost = \"/buy\"\n";
    std::fs::write(&file, config).expect("written");
    let explain = |more: &[&str]| {
        backstop()
            .arg("explain")
            .args(more)
            .arg("--config")
            .arg(&file)
            .output()
            .expect("it runs")
    };
    let one = out(&explain(&["home"]));
    for expected in [
        "expect.time",
        "checks.toml:2",
        "built in",
        "fails half of its requests is found bad",
        "passes, in 2",
    ] {
        assert!(one.contains(expected), "{expected}: {one}");
    }
    let all = out(&explain(&[]));
    assert!(all.contains("alone never rolls back") && all.contains("GET /"), "{all}");
    let none = explain(&["hom"]);
    assert!(
        none.status.code() == Some(1) && out(&none).contains("there are home, buy"),
        "{}",
        out(&none)
    );
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let help = backstop().arg("--help").output().expect("it runs");
    let commands = [
        "serve",
        "demo",
        "lint",
        "test",
        "send",
        "verify",
        "simulate",
        "backtest",
        "health",
        "runs",
        "deliveries",
        "pause",
        "resume",
        "cancel",
        "approve",
        "rollback",
        "trust",
        "explain",
    ];
    for command in commands {
        assert!(out(&help).contains(command), "{command}");
        let help = backstop().args([command, "--help"]).output().expect("it runs");
        assert!(out(&help).contains("Example: "), "{command}: {}", out(&help));
    }
    let man = backstop().arg("man").output().expect("it runs");
    assert!(out(&man).contains(".TH backstop"));
    let completions = backstop().args(["completions", "bash"]).output().expect("it runs");
    assert!(out(&completions).contains("_backstop"));
}

#[test]
fn the_demo_tells_its_story_and_exits_0() {
    let output = backstop().args(["demo", "--once"]).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", out(&output));
    assert!(out(&output).contains("The story came true."));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_in_which_one_step_does_not_come_true_says_so() {
    // The platform says that it went back, and does nothing.
    let came_true = backstop::cli::demo::tell_once(RollbackFault::DoesNothing)
        .await
        .expect("a stage");
    assert!(!came_true);
}

#[test]
fn verify_knows_every_recipe_and_says_what_would_have_held() {
    let folder = tempfile::tempdir().expect("folder");
    let body = folder.path().join("body.json");
    let (compact, spaced) = (r#"{"id":"evt_1","list":[1,2]}"#, r#"{"id": "evt_1", "list": [1, 2]}"#);
    let recipe = backstop::signature::built_in("stripe").expect("a recipe");
    let url = "https://b.example/webhooks/p".parse().expect("an address");
    let letter = backstop::signature::Letter {
        method: "POST",
        url: &url,
        id: "",
        timestamp_s: 1_773_325_321,
        body: compact.as_bytes(),
    };
    let signed = backstop::signature::sign(&recipe, SECRET, &letter).expect("signed");
    let header = format!("{}: {}", signed[0].0, signed[0].1.to_str().expect("text"));
    let verify = |recipe: &str, arrived: &str, at: &str| {
        std::fs::write(&body, arrived).expect("written");
        let body = body.to_str().expect("text");
        let said = backstop()
            .args(["verify", "--recipe", recipe, "--body", body, "-H", &header, "--at", at])
            .args(["--secret-env", "OLD", "--secret-env", "NEW"])
            .env("OLD", "whsec_another-secret")
            .env("NEW", SECRET)
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        assert!(!text.contains(&SECRET[6..]) && !text.contains(&header[40..]), "{text}");
        (said.status.code(), text)
    };
    let soon = "2026-03-12T14:22:01Z";
    for (recipe, arrived, at, code, expected) in [
        (
            "stripe",
            compact,
            soon,
            0,
            "by the secret in NEW and the recipe `stripe`",
        ),
        (
            "stripe",
            spaced,
            soon,
            1,
            "holds by NEW if the body is printed compactly",
        ),
        (
            "stripe",
            compact,
            "2026-03-12T15:22:01Z",
            1,
            "holds by NEW: only its time is too far",
        ),
        ("github", compact, soon, 1, "holds by NEW and the recipe `stripe`"),
        ("strype", compact, soon, 1, "there is no recipe `strype`"),
    ] {
        let (exit, said) = verify(recipe, arrived, at);
        assert!(said.contains(expected), "{expected}: {said}");
        assert_eq!(exit, Some(code), "{said}");
    }
}
