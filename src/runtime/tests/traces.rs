//! Traces of whole runs, in simulated time: a collector that hangs changes no moment of them, and a run that is taken over is
//! still one trace.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::Value as Json;

use super::{History, PROJECTS, Quality, config_with, sleep_s};

const TRACED: &str = "\n[telemetry]\notlp = \"https://otlp.example\"\n";

fn in_simulated_time<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test)
}

async fn with_agents(count: usize, config: &str) -> History {
    let mut history = History::new(1, None).await;
    history.site.config = config_with(config);
    for _ in 0..count {
        let running = history.site.start().await;
        history.running.push(running);
    }
    history
}

/// A good release and a bad one, seen by one agent: everything that was told, each with its moment, and what was exported.
fn story(config: &str, hangs: bool) -> (Vec<Json>, usize) {
    in_simulated_time(async {
        let mut history = with_agents(1, config).await;
        history.site.world.lock().collector_hangs = hangs;
        for quality in [Quality::Good, Quality::Broken] {
            let id = history.site.world.deploy(PROJECTS[0], quality);
            history.deliver(PROJECTS[0], id, 1).await;
            sleep_s(300).await;
        }
        let inner = history.site.world.lock();
        let told = inner.heard.values().map(|body| serde_json::from_slice(body).unwrap());
        (told.collect(), inner.exported.len())
    })
}

#[test]
fn whether_a_collector_answers_changes_no_moment_of_a_run() {
    let (untraced, exports) = story("", false);
    assert_eq!(exports, 0);
    let events: BTreeSet<&str> = untraced.iter().filter_map(|told| told["event"].as_str()).collect();
    for event in ["smoke_test.passed", "rollback.started", "rollback.succeeded"] {
        assert!(events.contains(event), "{events:?}");
    }
    for hangs in [false, true] {
        let (traced, exports) = story(TRACED, hangs);
        assert_eq!(traced, untraced, "the collector hangs: {hangs}");
        assert!(exports > 5, "{exports}");
    }
}

/// What was exported, each span with the number of its agent.
fn spans(history: &History) -> Vec<(u64, Span)> {
    let inner = history.site.world.lock();
    let mut spans = Vec::new();
    for (agent, body) in &inner.exported {
        let read = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let of_scopes = read
            .resource_spans
            .into_iter()
            .flat_map(|of_resource| of_resource.scope_spans);
        spans.extend(of_scopes.flat_map(|of_scope| of_scope.spans).map(|span| (*agent, span)));
    }
    spans
}

#[test]
fn a_run_that_is_taken_over_is_one_trace_still() {
    in_simulated_time(async {
        let mut history = with_agents(1, TRACED).await;
        let id = history.site.world.deploy(PROJECTS[0], Quality::Good);
        history.deliver(PROJECTS[0], id, 1).await;
        sleep_s(20).await;
        history.running[0].control.die();
        let successor = history.site.start().await;
        history.running.push(successor);
        sleep_s(300).await;

        let told = spans(&history);
        let traces: BTreeSet<&[u8]> = told.iter().map(|(_, span)| span.trace_id.as_slice()).collect();
        assert_eq!(traces.len(), 1);
        let mut by_id: BTreeMap<&[u8], &Span> = BTreeMap::new();
        for (_, span) in &told {
            assert_eq!(by_id.insert(&span.span_id, span), None, "{span:?} has an id of another");
        }
        let probes = |agent: u64| {
            let its = told.iter().filter(|(number, _)| *number == agent);
            its.filter(|(_, span)| span.name == "GET /health").count()
        };
        assert!(
            probes(0) > 2 && probes(1) > 2,
            "both have probed: {} {}",
            probes(0),
            probes(1)
        );
        let roots: Vec<&(u64, Span)> = told.iter().filter(|(_, span)| span.parent_span_id.is_empty()).collect();
        let [(1, root)] = roots.as_slice() else {
            panic!("{roots:?}")
        };
        assert_eq!(root.name, "run");
        for (_, span) in told.iter().filter(|(_, span)| span.span_id != root.span_id) {
            assert!(
                by_id.contains_key(span.parent_span_id.as_slice()),
                "{} has no parent",
                span.name
            );
        }
    });
}
