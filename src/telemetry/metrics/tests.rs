use std::collections::BTreeSet;

use super::*;

fn filled() -> Metrics {
    let metrics = Metrics::new();
    metrics.started(Timestamp::from_millis(1_700_000_000_999));
    metrics.delivery(Some(&PlatformName::new("temps")), Answer::Accepted);
    metrics.delivery(None, Answer::UnknownPlatform);
    metrics.set_runs_under_way(2);
    metrics.run_ended("unhealthy", "rolled back", None);
    metrics.run_ended("unhealthy", "withheld", Some("pause"));
    metrics.decided(Verdict::Unhealthy, 41_000);
    metrics.probe(Class::Broken);
    metrics.budget(&RunId::new("run_1"), "shop", "home", 0.75);
    metrics.budget(&RunId::new("run_2"), "shop", "home", 0.5);
    metrics.attempt(&EndpointName::new("ops"), AttemptResult::Delivered, 120);
    metrics.store("accept", Duration::from_micros(1_500));
    metrics.lease(Renewal::Held);
    metrics.runs_taken_over(3);
    metrics.decision_refused();
    metrics.spans_dropped(9);
    metrics
}

fn standing() -> Standing {
    Standing {
        endpoints: vec![EndpointStanding {
            name: "ops".to_owned(),
            queued: 3,
            oldest: Duration::from_secs(90),
            failures: 4,
            is_on: false,
        }],
        protected: vec![("platform", "temps".to_owned(), true), ("store", String::new(), false)],
        store_commits: 7,
    }
}

/// Name and type of each metric in a page of Prometheus' format.
fn described(page: &str) -> BTreeSet<(String, String)> {
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    lines.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

#[test]
fn a_page_of_everything() {
    let page = filled().encode(&standing(), Form::Prometheus).unwrap();
    let mut lines: Vec<&str> = page.lines().filter(|line| !line.starts_with('#')).collect();
    lines.retain(|line| !line.contains("_bucket{") && !line.ends_with(" 0") && !line.ends_with(" 0.0"));
    lines.sort_unstable();
    let version = env!("CARGO_PKG_VERSION");
    insta::assert_snapshot!(lines.join("\n").replace(version, "VERSION"), @r#"
    backstop_budget_left_ratio{app="shop",check="home"} 0.5
    backstop_build_info{version="VERSION"} 1
    backstop_decision_duration_seconds_count{verdict="unhealthy"} 1
    backstop_decision_duration_seconds_sum{verdict="unhealthy"} 41.0
    backstop_decisions_refused_total 1
    backstop_deliveries_total{platform="temps",answer="accepted"} 1
    backstop_deliveries_total{platform="unknown",answer="unknown_platform"} 1
    backstop_endpoint_failures{endpoint="ops"} 4
    backstop_guards_withheld_total{guard="pause"} 1
    backstop_lease_renewals_total{result="held"} 1
    backstop_outbox_depth{endpoint="ops"} 3
    backstop_outbox_oldest_age_seconds{endpoint="ops"} 90.0
    backstop_outcome_attempt_duration_seconds_count{endpoint="ops"} 1
    backstop_outcome_attempt_duration_seconds_sum{endpoint="ops"} 0.12
    backstop_outcome_attempts_total{endpoint="ops",result="delivered"} 1
    backstop_probes_total{class="broken"} 1
    backstop_protected{needs="platform",platform="temps"} 1
    backstop_rollbacks_total{result="succeeded"} 1
    backstop_rollbacks_total{result="withheld"} 1
    backstop_runs_taken_over_total 3
    backstop_runs_total{verdict="unhealthy",action="rolled back"} 1
    backstop_runs_total{verdict="unhealthy",action="withheld"} 1
    backstop_runs_under_way 2
    backstop_spans_dropped_total 9
    backstop_store_commits_total 7
    backstop_store_operation_duration_seconds_count{operation="accept"} 1
    backstop_store_operation_duration_seconds_sum{operation="accept"} 0.0015
    process_start_time_seconds 1700000000
    "#);
}

#[test]
fn the_documentation_lists_what_there_is_and_nothing_else() {
    let page = filled().encode(&standing(), Form::Prometheus).unwrap();
    let text = include_str!("../../../docs/metrics.md");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        Some((name, cells.next()?.to_owned()))
    });
    let documented: BTreeSet<(String, String)> = rows
        .filter(|(name, _)| name.starts_with("backstop_") || name.starts_with("process_"))
        .collect();
    assert_eq!(documented, described(&page));
}

#[test]
fn who_asks_for_openmetrics_gets_it() {
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let page = filled().encode(&standing(), Form::asked(accept)).unwrap();
    assert!(page.ends_with("# EOF\n") && page.contains("# TYPE backstop_probes counter\n"));
    assert_eq!(Form::asked("*/*"), Form::Prometheus);
}

#[test]
fn what_is_over_is_not_shown_any_more() {
    let metrics = filled();
    metrics.encode(&standing(), Form::Prometheus).unwrap();
    metrics.run_gone(&RunId::new("run_2"));
    let page = metrics.encode(&Standing::default(), Form::Prometheus).unwrap();
    assert!(page.contains("backstop_budget_left_ratio{app=\"shop\",check=\"home\"} 0.75\n"));
    assert!(
        !page.contains("backstop_outbox_depth{") && !page.contains("backstop_protected{"),
        "{page}"
    );
}

#[test]
fn words_from_elsewhere_do_not_become_labels() {
    let metrics = Metrics::new();
    for number in 0..1_000 {
        metrics.run_ended(&format!("verdict {number}"), &format!("action {number}"), None);
    }
    let page = metrics.encode(&Standing::default(), Form::Prometheus).unwrap();
    let counted = r#"backstop_runs_total{verdict="none",action="other"} 1000"#;
    assert!(page.contains(counted), "{page}");
}

#[test]
fn many_apps_and_checks_do_not_make_many_series() {
    let metrics = Metrics::new();
    for run in 0..1_100 {
        let id = RunId::new(format!("run_{run}"));
        for check in 0..5 {
            metrics.budget(&id, &format!("app-{run}"), &format!("check-{check}"), 0.5);
        }
    }
    let page = metrics.encode(&Standing::default(), Form::Prometheus).unwrap();
    let series = page
        .lines()
        .filter(|line| line.starts_with("backstop_budget_left_ratio{"));
    assert_eq!(series.count(), 501, "500, and one for all others");
    assert!(page.contains(r#"backstop_budget_left_ratio{app="other",check="other"} 0.5"#));
}
