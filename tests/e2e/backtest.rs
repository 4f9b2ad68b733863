//! The serving machine and the one that judges recorded runs again are the same: one trace drives both.

use std::path::Path;
use std::sync::Arc;

use backstop::config::{FixedEnv, load};
use backstop::domain::{AppKey, AppPlace, Deployment, Timestamp};
use backstop::lab::{Moment, Recording, Replayed, replay};
use backstop::machine::ProbeEntry;
use backstop::pretend::{Behaviour, Cold, Generation, Release};
use backstop::runtime::RunPlan;
use serde_json::Value as Json;

use crate::commands::must;
use crate::stage::{Setup, Stage};

/// The plan that the agent judges the pretend app by.
fn plan(stage: &Stage) -> backstop::machine::Plan {
    let text = std::fs::read_to_string(stage.folder.path().join("checks.toml")).expect("the config");
    let mut env = FixedEnv::default().file("checks.toml", text);
    for name in [
        "TEMPS_API_TOKEN",
        "TEMPS_WEBHOOK_SECRET",
        "OUTCOME_SECRET",
        "BACKSTOP_ADMIN_TOKEN",
    ] {
        env = env.var(name, "a-long-enough-secret");
    }
    let config = load(Path::new("checks.toml"), &env).expect("a config");
    let place = AppPlace {
        key: AppKey {
            platform: "temps".into(),
            project: "1".into(),
            environment: "1".into(),
        },
        app: "shop".to_owned(),
        environment: "production".to_owned(),
    };
    let deployment = Deployment::live("1", place);
    RunPlan::of(Arc::new(config), &deployment, &[]).plan
}

fn moment(json: &Json) -> Timestamp {
    Timestamp::parse_rfc3339(json.as_str().expect("text")).expect("a moment")
}

/// What the agent recorded.
struct Recorded {
    recording: Recording,
    /// Each probe of the deployment with what was spent of its budget after it.
    spent: Vec<(String, u32)>,
    /// How many of them there were when it was decided.
    decided: usize,
}

async fn recorded(stage: &Stage, run: &Json) -> Recorded {
    let (mut moments, mut spent, mut decided, mut after) = (Vec::new(), Vec::new(), 0, "0".to_owned());
    let mut decided_at = None;
    loop {
        let id = run["id"].as_str().expect("id");
        let page = stage
            .api(&format!("/api/v1/runs/{id}/journal?limit=200&after={after}"))
            .await;
        for entry in page["items"].as_array().expect("items") {
            let text = entry["text"].as_str().expect("text");
            let at = moment(&entry["at"]);
            if entry["kind"] == "verdict" && text.starts_with("unhealthy") {
                decided_at.get_or_insert(at);
            }
            if entry["kind"] == "wake" {
                moments.push(Moment { at, probe: None });
            }
            if entry["kind"] == "probe" {
                let probe: ProbeEntry = serde_json::from_value(entry["data"].clone()).expect("a probe");
                if entry["data"]["subject"] == "deployment" {
                    spent.push((probe.check.clone(), probe.budget_max - probe.budget_to));
                    // What is probed while the guards are asked, for however long, does not decide any more; of one moment's
                    // answers it does not matter which came first.
                    if decided_at.is_none_or(|decided_at| at <= decided_at) {
                        decided = spent.len();
                    }
                }
                moments.push(Moment { at, probe: Some(probe) });
            }
        }
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    let recording = Recording {
        started_at: moment(&run["started_at"]),
        ended_at: moment(&run["ended_at"]),
        offline: false,
        moments,
    };
    Recorded {
        recording,
        spent,
        decided,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_drives_the_serving_machine_and_the_simulated_one_alike() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let cold = Behaviour::ColdFor(std::time::Duration::from_secs(5), Cold::AllInTurn);
    let slow = stage.temps.deploy(Release::new("bbbbbbb2", cold)).await;
    stage.ended_run(&slow).await;
    let flaky = stage
        .temps
        .deploy(Release::new("ccccccc3", Behaviour::FailsOneIn(9)))
        .await;
    stage.ended_run(&flaky).await;
    let bad = stage.temps.deploy(Release::new("ddddddd4", Behaviour::Errors)).await;
    stage.ended_run(&bad).await;

    let plan = plan(&stage);
    for deployment in [&good, &slow, &flaky, &bad] {
        let run = stage.ended_run(deployment).await;
        let it = recorded(&stage, &run).await;
        let again: Replayed = replay(&plan, &it.recording);
        // A verdict from time alone waits for the answers that are out. When they were asked for is known only but for how long
        // a busy agent takes to look at an answer, so either side may decide an answer before the other; the other checks
        // answer once or twice in that time.
        let count = again.spent.len();
        assert!(
            (6..=it.spent.len()).contains(&count) && count.abs_diff(it.decided) <= 2 * plan.checks.len(),
            "decided after {count} and after {} of {} answers: {run:#}",
            it.decided,
            it.spent.len()
        );
        assert_eq!(again.spent, it.spent[..count], "{run:#}");
        let verdict = again.verdict.map(|verdict| verdict.as_str());
        assert_eq!(verdict, run["verdict"].as_str(), "{}", again.reason);
    }

    let config = stage.folder.path().join("checks.toml");
    let same = config.to_str().expect("text");
    must(
        &stage,
        &["backtest", "--config", same],
        "0 of 4 runs would be judged otherwise",
    )
    .await;
    let milder = std::fs::read_to_string(&config)
        .expect("the config")
        .replace("\nget = \"/", "\nseverity = \"degraded\"\nget = \"/");
    let milder = milder.replacen("severity = \"degraded\"\nget = \"/version\"", "get = \"/version\"", 1);
    let file = stage.folder.path().join("milder.toml");
    std::fs::write(&file, milder).expect("written");
    let said = must(
        &stage,
        &["backtest", "--config", file.to_str().expect("text")],
        "would be judged otherwise",
    )
    .await;
    let rows = said.lines().filter(|line| line.starts_with("run_"));
    let changed: Vec<&str> = rows.filter_map(|row| row.split_whitespace().nth(3)).collect();
    assert!(
        changed.contains(&bad.as_str()) && !changed.contains(&good.as_str()),
        "{said}"
    );
}
