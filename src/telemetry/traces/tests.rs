use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;

use super::*;
use crate::domain::{RunId, Timestamp};
use crate::telemetry::{Metrics, MetricsForm, Standing};

fn run() -> RunId {
    RunId::new("run_01jnp4qv9k0000000000000000")
}

fn span(what: &str) -> Span {
    let times = (Timestamp::from_millis(1_000), Timestamp::from_millis(1_250));
    Span::new(&run(), SpanId::of(&run(), what), what, times)
}

fn text(attributes: &[KeyValue], key: &str) -> Option<Any> {
    let found: Vec<&KeyValue> = attributes.iter().filter(|one| one.key == key).collect();
    assert!(found.len() < 2, "`{key}` is there twice");
    found.first()?.value.clone()?.value
}

/// How many spans were dropped.
fn dropped(metrics: &Metrics) -> String {
    let page = metrics.encode(&Standing::default(), MetricsForm::Prometheus).unwrap();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix("backstop_spans_dropped_total "));
    line.unwrap().to_owned()
}

#[test]
fn ids_are_those_of_the_run_wherever_they_are_made() {
    // Computed apart from this code: SHA-256 over the parts, each with a line feed.
    assert_eq!(TraceId::of(&run()).to_string(), "6320f58649e68d45653541e6f25df677");
    assert_eq!(SpanId::of(&run(), "run").to_string(), "b5594436ddab4206");
    assert_eq!(
        traceparent(TraceId::of(&run()), SpanId::of(&run(), "run")),
        "00-6320f58649e68d45653541e6f25df677-b5594436ddab4206-01"
    );
}

#[test]
fn no_two_ids_are_alike_and_none_is_zero() {
    let mut spans = BTreeSet::new();
    let mut traces = BTreeSet::new();
    for number in 0..200 {
        let run = RunId::new(format!("run_{number}"));
        traces.insert(TraceId::of(&run).bytes());
        for what in ["run", "warm-up", "probe 1 1", "probe 11 1", "probe 1 11"] {
            spans.insert(SpanId::of(&run, what).bytes());
        }
    }
    assert_eq!((traces.len(), spans.len()), (200, 1_000));
    assert!(!traces.contains(&[0; 16]) && !spans.contains(&[0; 8]));
}

#[test]
fn what_is_sent_is_what_opentelemetrys_own_types_read() {
    let root = span("run").with("backstop.drill", true).with("backstop.app", "shop");
    let asked = span("GET /healthz")
        .below(SpanId::of(&run(), "run"))
        .asking()
        .with("http.response.status_code", 500_u16)
        .with_some("left.out", None::<&str>)
        .failed("GET /healthz answered 500");
    let resource = Resource {
        service: "guard".to_owned(),
        instance: "agt_1".to_owned(),
    };
    let read = ExportTraceServiceRequest::decode(encode(&resource, &[root, asked]).as_slice()).unwrap();

    let [of_resource] = read.resource_spans.as_slice() else {
        panic!("{read:?}")
    };
    let attributes = &of_resource.resource.as_ref().unwrap().attributes;
    assert_eq!(
        text(attributes, "service.name"),
        Some(Any::StringValue("guard".to_owned()))
    );
    assert_eq!(
        text(attributes, "service.instance.id"),
        Some(Any::StringValue("agt_1".to_owned()))
    );
    let version = env!("CARGO_PKG_VERSION").to_owned();
    assert_eq!(text(attributes, "service.version"), Some(Any::StringValue(version)));
    let [of_scope] = of_resource.scope_spans.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!(of_scope.scope.as_ref().unwrap().name, "backstop");
    let [root, asked] = of_scope.spans.as_slice() else {
        panic!("{read:?}")
    };

    assert_eq!(root.trace_id, TraceId::of(&run()).bytes());
    assert_eq!((root.trace_id.len(), root.span_id.len()), (16, 8));
    assert_eq!((root.name.as_str(), root.kind()), ("run", SpanKind::Internal));
    assert_eq!((root.parent_span_id.len(), root.status.clone()), (0, None));
    assert_eq!(root.start_time_unix_nano, 1_000_000_000);
    assert_eq!(root.end_time_unix_nano, 1_250_000_000);
    assert_eq!(root.flags & 0xff, 1, "sampled");
    assert_eq!(text(&root.attributes, "backstop.drill"), Some(Any::BoolValue(true)));

    assert_eq!(
        (asked.trace_id.as_slice(), asked.kind()),
        (root.trace_id.as_slice(), SpanKind::Client)
    );
    assert_eq!(asked.parent_span_id, root.span_id);
    assert_eq!(
        text(&asked.attributes, "http.response.status_code"),
        Some(Any::IntValue(500))
    );
    assert_eq!(text(&asked.attributes, "left.out"), None);
    let status = asked.status.as_ref().unwrap();
    assert_eq!(
        (status.code(), status.message.as_str()),
        (StatusCode::Error, "GET /healthz answered 500")
    );
}

#[test]
fn a_span_is_bounded_whatever_is_told() {
    let long = "ü".repeat(10_000);
    let mut span = Span::new(
        &run(),
        SpanId::of(&run(), "x"),
        &long,
        (Timestamp::from_millis(5), Timestamp::from_millis(1)),
    )
    .failed(&long);
    for _ in 0..100 {
        span = span.with("backstop.reason", long.as_str());
    }
    let resource = Resource {
        service: "backstop".to_owned(),
        instance: "agt_1".to_owned(),
    };
    let bytes = encode(&resource, std::slice::from_ref(&span));
    assert!(bytes.len() < 40_000, "{}", bytes.len());
    let read = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
    let sent = &read.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((sent.attributes.len(), sent.dropped_attributes_count), (32, 68));
    assert_eq!(
        sent.start_time_unix_nano, sent.end_time_unix_nano,
        "no span ends before it begins"
    );
}

#[test]
fn an_answer_says_how_many_spans_were_refused() {
    let answer = |spans: i64, why: &str| {
        let said = ExportTracePartialSuccess {
            rejected_spans: spans,
            error_message: why.to_owned(),
        };
        let answer = ExportTraceServiceResponse {
            partial_success: Some(said),
        };
        answer.encode_to_vec()
    };
    assert_eq!(rejected(&answer(3, "too old")), Some((3, "too old".to_owned())));
    // All were taken: a warning, nothing at all, an empty answer, and one that is none.
    for taken in [answer(0, "careful"), answer(-1, ""), Vec::new(), b"<html>".to_vec()] {
        assert_eq!(rejected(&taken), None, "{taken:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_is_dropped_and_counted_and_nobody_waits() {
    let metrics = Metrics::new();
    let (spans, mut waiting) = queue(metrics.clone());
    for number in 0..8_192 + 5 {
        spans.push(span(&format!("span {number}")));
    }
    assert_eq!(dropped(&metrics), "5");
    assert_eq!(waiting.next().await.len(), BATCH_MAX);
    waiting.done();
    spans.push(span("there is room again"));
    assert_eq!(dropped(&metrics), "5");
    let mut left = 0;
    while !waiting.now().is_empty() {
        left += waiting.now().len();
        waiting.done();
    }
    assert_eq!(left, 8_192 - BATCH_MAX + 1);
}

#[tokio::test(start_paused = true)]
async fn spans_that_come_together_are_sent_together() {
    let (spans, mut waiting) = queue(Metrics::new());
    let more = spans.clone();
    spans.push(span("first"));
    let later = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        more.push(span("second"));
        tokio::time::sleep(Duration::from_secs(2)).await;
        more.push(span("third"));
    });
    assert_eq!(waiting.next().await, [span("first"), span("second")]);
    waiting.done();
    assert_eq!(waiting.next().await, [span("third")]);
    later.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_out_and_not_done_with_comes_again() {
    let (spans, mut waiting) = queue(Metrics::new());
    spans.push(span("first"));
    let given_up = tokio::time::timeout(Duration::from_millis(500), waiting.next()).await;
    assert!(given_up.is_err());
    spans.push(span("second"));
    assert_eq!(waiting.next().await, [span("first"), span("second")]);
}
