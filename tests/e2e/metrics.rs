//! `/metrics` of a running agent: valid by Prometheus' own tool, and with everything that the dashboard, the alerts and the
//! documentation name.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use backstop::machine::Guard;
use backstop::pretend::{Behaviour, Generation, Release};
use http::Method;

use crate::stage::{ADMIN_TOKEN, SOON, Setup, Stage, send};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Where `tests/run` puts it; without it this fails.
fn promtool() -> PathBuf {
    let ours = root().join("target/tools/prometheus/usr/bin/promtool");
    if ours.exists() { ours } else { "promtool".into() }
}

/// The names of ours that stand in a text.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_name(c));
    words
        .filter(|word| word.starts_with("backstop_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

/// The names that a query may use of a page in Prometheus' format.
fn offered(page: &str) -> BTreeSet<String> {
    let described = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    described
        .flat_map(|(name, kind)| match kind {
            "histogram" => ["_bucket", "_sum", "_count"]
                .map(|suffix| format!("{name}{suffix}"))
                .to_vec(),
            _ => vec![name.to_owned()],
        })
        .collect()
}

async fn metrics(stage: &Stage) -> String {
    let authorization = format!("Bearer {ADMIN_TOKEN}");
    let url = format!("{}/metrics", stage.agent.url);
    let answer = send(Method::GET, &url, &[("authorization", &authorization)], b"").await;
    String::from_utf8(answer.body.to_vec()).expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_of_a_story_are_valid_and_are_those_of_dashboard_and_alerts() {
    let setup = Setup {
        more: "\n[[policy]]\nwhen = { app = \"*\" }\n".to_owned(),
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    stage.known_good("1111111").await;
    let bad = stage.temps.deploy(Release::new("2222222", Behaviour::Errors)).await;
    let budgets = tokio::time::timeout(SOON, async {
        loop {
            let page = metrics(&stage).await;
            if page.contains("backstop_budget_left_ratio{") {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let during = budgets.await.expect("the budgets of a run under way");
    assert!(
        during.contains(r#"backstop_budget_left_ratio{app="shop",check=""#)
            && during.contains("backstop_runs_under_way 1\n"),
        "{during}"
    );
    stage.must_hear("rollback.succeeded", &bad).await;
    stage.ended_run(&bad).await;
    let page = metrics(&stage).await;

    for counted in [
        r#"backstop_runs_total{verdict="unhealthy",action="rolled back"} 1"#,
        r#"backstop_rollbacks_total{result="succeeded"} 1"#,
        r#"backstop_decision_duration_seconds_count{verdict="unhealthy"} 1"#,
        r#"backstop_runs_under_way 0"#,
        r#"backstop_protected{needs="platform",platform="temps"} 1"#,
        r#"backstop_lease_renewals_total{result="failed"} 0"#,
    ] {
        assert!(page.contains(&format!("{counted}\n")), "{counted} is not in\n{page}");
    }
    assert!(
        !page.contains("backstop_budget_left_ratio{"),
        "no run is under way:\n{page}"
    );

    let offered = offered(&(during + &page));
    for file in ["deploy/grafana/backstop.json", "deploy/prometheus/backstop.rules.yml"] {
        let missing: Vec<String> = named(&read(file)).difference(&offered).cloned().collect();
        assert!(missing.is_empty(), "{file} names what is not there: {missing:?}");
    }

    let mut lint = Command::new(promtool())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there");
    lint.stdin
        .take()
        .expect("piped")
        .write_all(page.as_bytes())
        .expect("written");
    let said = lint.wait_with_output().expect("ended");
    let words = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success() && words.is_empty(), "{words}");
}

#[test]
fn every_guard_is_documented() {
    let text = read("docs/metrics.md");
    let line = text.split("\nGuards: ").nth(1).expect("a paragraph of guards");
    let documented: BTreeSet<&str> = line.split('`').skip(1).step_by(2).collect();
    let known: BTreeSet<&str> = Guard::ALL.iter().map(|guard| guard.as_str()).collect();
    assert_eq!(documented, known);
}
