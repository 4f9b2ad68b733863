//! Runs as traces: what a collector is sent, and what the app under test sees of it.

use std::collections::{BTreeMap, BTreeSet};

use backstop::pretend::{Behaviour, Generation, Release};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::Value as Json;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::collector::{Collector, Span, text};
use crate::stage::{ADMIN_TOKEN, SOON, Setup, Stage, send};

fn traced_by(address: &str) -> Setup {
    Setup {
        more: format!(
            "[telemetry]\notlp = \"{address}\"\nservice_name = \"guard\"\n\
             [check.own]\nget = \"/api/orders\"\nheaders.traceparent = \"{OWN}\"\n"
        ),
        ..Setup::default()
    }
}

/// What a check sends of its own.
const OWN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

/// The trace of a run, once it is whole.
async fn trace(collector: &Collector, id: &str) -> Vec<Span> {
    let of_run = |span: &&Span| hex::encode(&span.trace_id) == id;
    let whole = |spans: &[Span]| spans.iter().filter(of_run).any(|span| span.parent_span_id.is_empty());
    let all = collector.wait_for(SOON, whole).await.expect("the root of the trace");
    all.into_iter().filter(|span| of_run(&span)).collect()
}

fn named<'s>(spans: &'s [Span], name: &str) -> Vec<&'s Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// What must hold of every trace, whatever the run.
fn must_be_sound(spans: &[Span]) {
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (span.span_id.as_slice(), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "no id twice");
    let roots: Vec<&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert_eq!(roots.len(), 1);
    for span in spans {
        let name = &span.name;
        assert_eq!((span.trace_id.len(), span.span_id.len()), (16, 8), "{name}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{name}");
        assert!(roots[0].start_time_unix_nano <= span.start_time_unix_nano, "{name}");
        // What is asked when the run ends is still answered.
        assert!(span.start_time_unix_nano <= roots[0].end_time_unix_nano, "{name}");
        if span.kind() == SpanKind::Internal {
            assert!(span.end_time_unix_nano <= roots[0].end_time_unix_nano, "{name}");
        }
        if span.parent_span_id.is_empty() {
            continue;
        }
        let parent = by_id.get(span.parent_span_id.as_slice());
        let parent = parent.unwrap_or_else(|| panic!("the parent of {name} is not there"));
        assert!(
            parent.start_time_unix_nano <= span.start_time_unix_nano,
            "{name} in {}",
            parent.name
        );
        assert!(name.chars().count() <= 121 && span.attributes.len() <= 32, "{name}");
    }
}

async fn run_of(stage: &Stage, deployment: &str) -> (Json, String) {
    let run = stage.ended_run(deployment).await;
    let answer = stage
        .api(&format!("/api/v1/runs/{}", run["id"].as_str().unwrap()))
        .await;
    let trace = answer["trace_id"].as_str().expect("a trace").to_owned();
    (run, trace)
}

fn must_say(span: &Span, said: &[(&str, &str)]) {
    for (key, value) in said {
        assert_eq!(text(span, key).as_deref(), Some(*value), "{key} of {}", span.name);
    }
}

fn must_have(spans: &[Span], names: &[&str]) {
    for name in names {
        assert!(!named(spans, name).is_empty(), "no {name}");
    }
}

/// The trace of a run that ended well.
fn must_tell_of_a_pass(spans: &[Span], run: &Json, app: &str) {
    must_be_sound(spans);
    let [root] = named(spans, "run")[..] else {
        panic!("no root")
    };
    let said = [
        ("backstop.run.id", run["id"].as_str().unwrap()),
        ("backstop.app", "shop"),
        ("backstop.platform", "temps"),
        ("deployment.environment.name", "production"),
        ("deployment.id", run["deployment"].as_str().unwrap()),
        ("vcs.ref.head.revision", "1111111"),
        ("backstop.verdict", "healthy"),
        ("backstop.action", "none"),
        ("backstop.drill", "false"),
    ];
    must_say(root, &said);
    assert_eq!(root.status, None);
    let stages = ["warm-up", "judging", "watch"];
    must_have(spans, &stages);
    must_have(spans, &["identify", "look", "GET /version"]);
    let [asked, ..] = named(spans, "GET /healthz")[..] else {
        panic!("no probe")
    };
    assert_eq!(asked.kind(), SpanKind::Client);
    let said = [
        ("backstop.check", "health"),
        ("backstop.class", "pass"),
        ("http.request.method", "GET"),
        ("url.full", &*format!("{app}/healthz")),
        ("server.address", "127.0.0.1"),
        ("server.port", app.rsplit(':').next().unwrap()),
        ("network.peer.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("http.response.status_code", "200"),
    ];
    must_say(asked, &said);
}

/// The trace of a run that was rolled back.
fn must_tell_of_a_rollback(spans: &[Span], run: &Json) {
    must_be_sound(spans);
    let [root] = named(spans, "run")[..] else {
        panic!("no root")
    };
    let reason = run["reason"].as_str().unwrap();
    let said = [
        ("backstop.verdict", "unhealthy"),
        ("backstop.action", "rolled back"),
        ("backstop.reason", reason),
    ];
    must_say(root, &said);
    assert_eq!(root.status.as_ref().unwrap().code(), StatusCode::Error);
    must_have(spans, &["rollback", "roll back", "confirm", "verification"]);
    let answered_500 = |span: &&Span| text(span, "http.response.status_code").as_deref() == Some("500");
    let failed = spans.iter().find(answered_500).expect("a failing probe");
    must_say(failed, &[("error.type", "500"), ("backstop.class", "broken")]);
    let status = failed.status.as_ref().unwrap();
    assert_eq!(status.code(), StatusCode::Error);
    assert!(status.message.contains("answered 500"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_one_trace_and_the_app_sees_it() {
    let collector = Collector::start().await;
    let mut setup = traced_by(&collector.url);
    setup.more += &format!("[control.other]\nget = \"{}/control\"\n", collector.url);
    let stage = Stage::new(Generation::G3, setup).await;
    let good = stage.known_good("1111111").await;
    let (good_run, good_trace) = run_of(&stage, &good).await;
    let bad = stage.temps.deploy(Release::new("2222222", Behaviour::Errors)).await;
    stage.must_hear("rollback.succeeded", &bad).await;
    let (bad_run, bad_trace) = run_of(&stage, &bad).await;
    assert_ne!(good_trace, bad_trace);

    let spans = trace(&collector, &good_trace).await;
    must_tell_of_a_pass(&spans, &good_run, &stage.temps.app_url());
    let spans = trace(&collector, &bad_trace).await;
    must_tell_of_a_rollback(&spans, &bad_run);
    what_the_app_saw(&stage, &collector, [&good_trace, &bad_trace]).await;
    let page = page(&stage, bad_run["id"].as_str().unwrap()).await;
    assert!(page.contains(&format!("<code>{bad_trace}</code>")), "{page}");

    let (controls, exports): (Vec<_>, Vec<_>) = collector
        .requests()
        .into_iter()
        .partition(|request| request.path == "/control");
    assert!(!controls.is_empty(), "the control was asked");
    assert!(controls.iter().all(|request| request.traceparent.is_none()));
    for request in exports {
        assert_eq!(request.path, "/v1/traces");
        assert_eq!(request.content_type.as_deref(), Some("application/x-protobuf"));
        assert_eq!((request.authorization, request.traceparent), (None, None));
    }
}

/// Each `traceparent` that the app saw is a span of ours that was exported, but for the check that has its own.
async fn what_the_app_saw(stage: &Stage, collector: &Collector, traces: [&String; 2]) {
    let seen = stage.temps.traced();
    assert_eq!(
        u64::try_from(seen.len()).unwrap(),
        stage.temps.app_requests(),
        "every probe carries one"
    );
    assert!(seen.iter().any(|(path, parent)| path == "/api/orders" && parent == OWN));
    let ours: Vec<&str> = seen
        .iter()
        .map(|(_, parent)| parent.as_str())
        .filter(|parent| *parent != OWN)
        .collect();
    assert!(ours.len() > 10, "{seen:?}");
    let different: BTreeSet<&str> = ours.iter().copied().collect();
    assert_eq!(different.len(), ours.len(), "no span is continued twice");
    assert!(
        ours.iter()
            .all(|parent| traces.iter().any(|trace| parent.starts_with(&format!("00-{trace}-"))))
    );
    let all_exported = |spans: &[Span]| {
        let asked = spans.iter().filter(|span| span.kind() == SpanKind::Client);
        let parents: BTreeSet<String> = asked
            .map(|span| format!("00-{}-{}-01", hex::encode(&span.trace_id), hex::encode(&span.span_id)))
            .collect();
        ours.iter().all(|parent| parents.contains(*parent))
    };
    let exported = collector.wait_for(SOON, all_exported).await;
    assert!(exported.is_some(), "the app continues spans that nobody has");
    assert_eq!(
        stage.temps.api_traced(),
        0,
        "the platform is not asked to continue a trace"
    );
}

async fn page(stage: &Stage, run: &str) -> String {
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let url = format!("{}/runs/{run}", stage.agent.url);
    let answer = send(http::Method::GET, &url, &[("authorization", &bearer)], b"").await;
    assert_eq!(answer.status, 200);
    String::from_utf8(answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_config_for_it_nothing_is_traced() {
    let collector = Collector::start().await;
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let good = stage.known_good("1111111").await;
    let run = stage.ended_run(&good).await;
    let id = run["id"].as_str().unwrap().to_owned();
    let answer = stage.api(&format!("/api/v1/runs/{id}")).await;
    assert_eq!(answer["trace_id"], Json::Null);
    assert!(!page(&stage, &id).await.contains("<dt>Trace</dt>"));
    assert!(stage.temps.app_requests() > 10);
    assert_eq!(stage.temps.traced(), []);
    assert!(collector.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_after_a_restart() {
    let collector = Collector::start().await;
    let setup = Setup {
        warmup: "15s",
        ..traced_by(&collector.url)
    };
    let stage = Stage::new(Generation::G3, setup).await;
    stage.known_good("1111111").await;
    let dead = stage.temps.deploy(Release::new("2222222", Behaviour::Dead)).await;
    let unready = |spans: &[Span]| {
        let is_of_dead = |span: &&Span| text(span, "http.response.status_code").as_deref() == Some("502");
        spans.iter().filter(is_of_dead).count() > 3
    };
    assert!(collector.wait_for(SOON, unready).await.is_some(), "it is probed");
    let stage = stage.restart_with("");
    let at_restart = collector.spans().len();
    let (_, id) = run_of(&stage, &dead).await;
    let spans = trace(&collector, &id).await;
    must_be_sound(&spans);
    assert!(collector.spans().len() > at_restart);
    let probes = named(&spans, "GET /version").len();
    assert!(probes > 6, "{probes}");
    assert_eq!(named(&spans, "warm-up").len(), 1);
}

/// Takes connections and bodies, and never answers.
async fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { while stream.read(&mut [0; 4_096]).await.is_ok_and(|read| read > 0) {} });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_or_is_gone_changes_nothing() {
    // Nobody listens at the second: whoever did is gone.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let gone = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    for address in [silent().await, gone] {
        let stage = Stage::new(Generation::G3, traced_by(&address)).await;
        stage.known_good("1111111").await;
        let bad = stage.temps.deploy(Release::new("2222222", Behaviour::Errors)).await;
        let told = stage.must_hear("rollback.succeeded", &bad).await;
        assert_eq!(told.body["verdict"], "unhealthy");
        let log = stage.agent.log();
        assert!(
            stage.agent.stop().success(),
            "a stop that drained is exit code 0\n{log}"
        );
    }
}
