//! Runs as spans, read back as OpenTelemetry's own types see them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span as Read;
use prost::Message as _;

use super::*;
use crate::clock::Clock;
use crate::config::{Config, FixedEnv};
use crate::domain::{AppKey, AppPlace, Commit, Deployment, Heard, HeardEvent};
use crate::http::{Client, Failure, Wire};
use crate::machine::{Judge, Place, Plan};
use crate::runtime::plan::RunPlan;
use crate::runtime::probe::{Kept, Prober, Target};
use crate::step::{Request, Response};
use crate::telemetry::traces::{Resource, encode};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);
const SECRET: &str = "s3cret/of+the=tests";

fn at(ms: u64) -> Timestamp {
    START.plus_ms(ms)
}

fn read(spans: &[Span]) -> Vec<Read> {
    let resource = Resource {
        service: "backstop".to_owned(),
        instance: "agt_1".to_owned(),
    };
    let mut request = ExportTraceServiceRequest::decode(encode(&resource, spans).as_slice()).unwrap();
    request.resource_spans.remove(0).scope_spans.remove(0).spans
}

/// Name, attributes and error of a span, a line each.
fn shown(span: &Read) -> String {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    let mut lines = vec![format!("{} {:?}", span.name, span.kind())];
    for one in &span.attributes {
        let value = match one.value.clone().unwrap().value.unwrap() {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        lines.push(format!("{} = {value}", one.key));
    }
    lines.extend(span.status.as_ref().map(|status| format!("error: {}", status.message)));
    lines.join("\n")
}

fn deployment() -> Deployment {
    let place = AppPlace {
        key: AppKey {
            platform: "temps".into(),
            project: "7".into(),
            environment: "3".into(),
        },
        app: "shop".to_owned(),
        environment: "production".to_owned(),
    };
    Deployment::live("41", place)
}

fn state() -> RunState {
    let heard = Heard {
        event: HeardEvent::Live,
        deployment: "41".into(),
        project: None,
        app: Some("shop".to_owned()),
        environment: None,
        commit: Commit::default(),
        url: None,
        triggered_by: None,
    };
    RunState::new(RunId::new("run_1"), "temps".into(), heard, 7, START)
}

fn config(checks: &str) -> Arc<Config> {
    let text = format!("base = \"https://shop.example\"\n{checks}");
    let env = FixedEnv::default().var("KEY", SECRET).file("checks.toml", &text);
    Arc::new(crate::config::load("checks.toml".as_ref(), &env).unwrap_or_else(|problems| panic!("{problems:?}")))
}

/// An app that answers 200, at `/missing` 404, and at `/none` not at all; it keeps what it was asked.
#[derive(Default)]
struct App(std::sync::Mutex<Vec<Request>>);

impl Wire for App {
    fn answer(&self, request: Request) -> BoxFuture<'_, Result<Response, Failure>> {
        self.0.lock().unwrap().push(request.clone());
        let answer = match request.url.path() {
            "/none" => Err(Failure {
                address: Some(IpAddr::from([10, 0, 0, 7])),
                ..Failure::new(crate::domain::Reason::Refused, "nothing listens there")
            }),
            path => Ok(Response {
                status: if path == "/missing" { 404 } else { 200 },
                // It says what it was sent.
                body: request.url.to_string().into_bytes(),
                headers: HeaderMap::from_iter([(HeaderName::from_static("x-url"), HeaderValue::from_static("x"))]),
                ..Response::empty(request.url)
            }),
        };
        std::future::ready(answer).boxed()
    }
}

/// The spans of one probe of the only check, and what the app was asked.
async fn probe(checks: &str) -> (Vec<Read>, Vec<Request>) {
    let (clock, moved) = Clock::manual(at(500));
    let app = Arc::new(App::default());
    let prober = Prober::new(Client::over(Arc::clone(&app) as Arc<dyn Wire>));
    let plan = RunPlan::of(config(checks), &deployment(), &[]);
    let judging = SpanId::of(&RunId::new("run_1"), "judging");
    let traced = Traced::new(RunId::new("run_1"), judging, (1, 9), clock.clone());
    let target = Target {
        deployment: deployment(),
        run: RunId::new("run_1"),
        kept: Kept::default(),
        at_own_address: false,
        traced: Some(traced.clone()),
    };
    let start = clock.now();
    moved.advance(Duration::from_millis(40));
    let looked = prober.look(&plan, Place::Check(0), &target, None).await;
    let about = Probed {
        check: plan.name(Place::Check(0)),
        subject: Subject::Deployment,
        times: (start, clock.now()),
    };
    let asked = app.0.lock().unwrap().clone();
    (read(&about.spans(&traced, &looked)), asked)
}

fn sent(request: &Request) -> Option<&str> {
    let found = request.headers.iter().find(|(name, _)| name == "traceparent");
    found.map(|(_, value)| value.to_str().unwrap())
}

#[tokio::test]
async fn a_probe_of_one_request_is_one_span_whose_id_the_app_gets() {
    let (spans, asked) = probe("[check.home]\nget = \"/missing?q=1\"").await;
    let ([span], [request]) = (spans.as_slice(), asked.as_slice()) else {
        panic!("{spans:?}")
    };
    let parent = format!("00-{}-{}-01", hex::encode(&span.trace_id), hex::encode(&span.span_id));
    assert_eq!(sent(request), Some(parent.as_str()));
    assert_eq!(span.parent_span_id, SpanId::of(&RunId::new("run_1"), "judging").bytes());
    insta::assert_snapshot!(shown(span), @r#"
    GET /missing?q=1 Client
    server.address = shop.example
    server.port = 443
    http.request.method = GET
    url.full = https://shop.example/missing?q=1
    http.response.status_code = 404
    network.protocol.version = 1.1
    backstop.class = broken
    error.type = 404
    backstop.probe.reason = status
    backstop.check = home
    backstop.subject = deployment
    error: GET /missing?q=1 answered 404, expected 2xx
    "#);
}

#[tokio::test]
async fn a_probe_of_several_requests_has_them_below_it() {
    let (spans, asked) =
        probe("[[check.cart.step]]\nget = \"/a\"\n[[check.cart.step]]\nget = \"/none\"\n[[check.cart.finally]]\nmethod = \"PURGE\"\nurl = \"/c\"")
            .await;
    let [whole, first, second, last] = spans.as_slice() else {
        panic!("{spans:?}")
    };
    let ids: Vec<String> = asked
        .iter()
        .filter_map(sent)
        .map(|parent| parent[36..52].to_owned())
        .collect();
    let below = [first, second, last].map(|span| {
        assert_eq!(span.parent_span_id, whole.span_id);
        hex::encode(&span.span_id)
    });
    assert_eq!(ids, below);
    insta::assert_snapshot!(spans.iter().map(shown).collect::<Vec<_>>().join("\n\n"), @r#"
    cart Internal
    backstop.class = unready
    error.type = refused
    backstop.probe.reason = refused
    backstop.check = cart
    backstop.subject = deployment
    error: GET /none: nothing listens there

    GET /a Client
    server.address = shop.example
    server.port = 443
    http.request.method = GET
    url.full = https://shop.example/a
    http.response.status_code = 200
    network.protocol.version = 1.1
    backstop.class = pass
    backstop.probe.reason = ok
    backstop.check = cart
    backstop.subject = deployment

    GET /none Client
    server.address = shop.example
    server.port = 443
    network.peer.address = 10.0.0.7
    http.request.method = GET
    url.full = https://shop.example/none
    backstop.class = unready
    error.type = refused
    backstop.probe.reason = refused
    backstop.check = cart
    backstop.subject = deployment
    error: GET /none: nothing listens there

    PURGE /c Client
    server.address = shop.example
    server.port = 443
    http.request.method = _OTHER
    http.request.method_original = PURGE
    url.full = https://shop.example/c
    http.response.status_code = 200
    network.protocol.version = 1.1
    backstop.class = pass
    backstop.probe.reason = ok
    backstop.check = cart
    backstop.subject = deployment
    "#);
}

#[tokio::test]
async fn no_secret_is_in_a_span_and_nothing_that_was_sent_but_the_address() {
    let check = r#"
        [check.search]
        post = "/missing?key={{ secret.KEY }}&q=1"
        headers.x-key = "header {{ secret.KEY }}"
        json = { body = "a body" }
    "#;
    let (spans, asked) = probe(check).await;
    let url = asked[0].url.as_str();
    assert!(
        url.contains("key=s3cret%2Fof%2Bthe%3Dtests") || url.contains(SECRET),
        "{url}"
    );
    let all = format!("{spans:?}");
    for secret in ["s3cret", "of+the=tests", "of%2Bthe", "header ", "a body"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
    assert!(all.contains("key=[redacted]&q=1"), "{all}");
}

#[tokio::test]
async fn a_check_keeps_a_header_of_its_own() {
    let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let (spans, asked) = probe(&format!("[check.home]\nget = \"/\"\nheaders.Traceparent = \"{own}\"")).await;
    assert_eq!((spans.len(), sent(&asked[0])), (1, Some(own)));
    let count = asked[0]
        .headers
        .iter()
        .filter(|(name, _)| name == "traceparent")
        .count();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn what_could_not_be_asked_is_told_too() {
    let (spans, asked) = probe("[check.home]\nget = \"/{{ deploy.commit }}\"").await;
    assert!(asked.is_empty());
    insta::assert_snapshot!(spans.iter().map(shown).collect::<Vec<_>>().join("\n\n"), @r#"
    home Internal
    backstop.class = unknown
    error.type = missing_value
    backstop.probe.reason = missing_value
    backstop.check = home
    backstop.subject = deployment
    error: GET /{{ deploy.commit }}: `deploy.commit` has no value
    "#);
}

#[tokio::test]
async fn many_requests_of_one_probe_are_bounded() {
    let (spans, asked) = probe("[check.home]\nget = \"/\"\nsamples = 100").await;
    assert_eq!(
        (asked.len(), spans.len()),
        (100, 65),
        "the probe, and the first of its requests"
    );
}

/// The stages that end on the way through `states`, each a second after the one before.
fn stages(states: Vec<RunState>) -> Vec<String> {
    let plan = Arc::new(RunPlan::unconfirmed(config("")));
    let mut states = states.into_iter();
    let mut live = Live::new(states.next().unwrap(), plan, START);
    let mut told = Vec::new();
    for (seconds, next) in states.enumerate() {
        let now = at(1_000 * (1 + seconds as u64));
        let ended = turned(&mut live, &next, now);
        for span in read(ended.as_slice()) {
            assert_eq!(span.parent_span_id, root(&live.state.id).bytes());
            let ms = |nanos: u64| nanos / 1_000_000 - u64::try_from(START.as_millis()).unwrap();
            let times = (ms(span.start_time_unix_nano), ms(span.end_time_unix_nano));
            told.push(format!("{} {} {}", span.name, times.0, times.1));
        }
        live.state = next;
    }
    told
}

/// A run in `phase`, whose gate opened and whose checks passed at these moments.
fn standing(phase: Phase, opened: Option<u64>, passed: Option<u64>) -> RunState {
    let mut judge = Judge::new(&Plan::unconfirmed(), at(900));
    judge.gate_opened_at = opened.map(at);
    judge.passed_at = passed.map(at);
    RunState {
        verify: (phase == Phase::Verifying).then(|| Judge::new(&Plan::unconfirmed(), at(6_900))),
        judge: Some(judge),
        phase,
        ..state()
    }
}

#[test]
fn a_run_is_told_stage_by_stage() {
    let told = stages(vec![
        state(),
        standing(Phase::Judging, None, None),
        standing(Phase::Judging, None, None),
        standing(Phase::Judging, Some(2_900), None),
        standing(Phase::Judging, Some(2_900), Some(3_900)),
        standing(Phase::Guarding, Some(2_900), Some(3_900)),
        standing(Phase::Settling, Some(2_900), Some(3_900)),
        standing(Phase::Verifying, Some(2_900), Some(3_900)),
        standing(Phase::Done, Some(2_900), Some(3_900)),
    ]);
    let expected = [
        "warm-up 900 3000",
        "judging 2900 4000",
        "watch 3900 5000",
        "rollback 5000 7000",
        "verification 6900 8000",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_was_before_a_person_ordered_a_rollback_is_not_in_it() {
    let ordered = RunState {
        ordered: true,
        ..standing(Phase::Guarding, Some(900), None)
    };
    let done = RunState {
        ordered: true,
        ..standing(Phase::Done, Some(900), None)
    };
    let told = stages(vec![standing(Phase::Guarding, Some(900), None), ordered, done]);
    assert_eq!(told, ["rollback 0 1000", "ordered rollback 1000 2000"]);
}

#[test]
fn a_run_that_was_taken_over_goes_on_with_the_same_spans() {
    let before = Live::new(
        standing(Phase::Judging, Some(900), Some(2_000)),
        Arc::new(RunPlan::unconfirmed(config(""))),
        START,
    );
    let parent_before = parent(&before.state);
    // As another agent reads it.
    let stored = serde_json::to_string(&before.state).unwrap();
    let taken: RunState = serde_json::from_str(&stored).unwrap();
    assert_eq!(parent(&taken), parent_before);
    let probes = |fence: u64| Traced::new(taken.id.clone(), parent_before, (fence, 9), Clock::system()).id();
    assert_ne!(probes(1), probes(2), "numbers that were not written down come again");
}

#[test]
fn the_root_tells_what_came_of_the_run() {
    let mut live = Live::new(
        RunState {
            phase: Phase::Done,
            deployment: Some(deployment()),
            verdict: Some(Verdict::Unhealthy),
            action: Some("withheld".to_owned()),
            reason: Some("`home` spent its budget\nin 41 s".to_owned()),
            held_by: Some(Guard::Pause),
            ended_at: Some(at(41_000)),
            ..state()
        },
        Arc::new(RunPlan::unconfirmed(config(""))),
        START,
    );
    let [root] = read(&[ended(&live)]).try_into().unwrap();
    assert!(root.parent_span_id.is_empty());
    insta::assert_snapshot!(shown(&root), @r#"
    run Internal
    backstop.run.id = run_1
    backstop.platform = temps
    backstop.app = shop
    deployment.environment.name = production
    deployment.id = 41
    backstop.mode = alert-only
    backstop.verdict = unhealthy
    backstop.action = withheld
    backstop.reason = `home` spent its budget\nin 41 s
    backstop.guard = pause
    backstop.drill = BoolValue(false)
    error: `home` spent its budget\nin 41 s
    "#);
    live.taken_up_at = Some(at(50_000));
    live.state.ended_at = Some(at(60_000));
    let [order] = read(&[ended(&live)]).try_into().unwrap();
    assert_eq!((order.name.as_str(), &order.parent_span_id), ("order", &root.span_id));
    assert_ne!(order.span_id, root.span_id);
}

#[test]
fn a_call_says_what_came_of_it() {
    let at = (START, at(5));
    let run = RunId::new("run_1");
    let span = || Span::new(&run, SpanId::of(&run, "call 1 1"), "roll back", at);
    let reason = || "it answered 500".to_owned();
    let table = [
        (CallAnswer::Accepted { made: None }, "accepted", None),
        (
            CallAnswer::Refused { reason: reason() },
            "refused",
            Some("it answered 500"),
        ),
        (
            CallAnswer::NotSent { reason: reason() },
            "not sent",
            Some("it answered 500"),
        ),
        (
            CallAnswer::Unknown { reason: reason() },
            "unknown",
            Some("it answered 500"),
        ),
    ];
    for (answer, word, error) in table {
        let [read] = read(&[called(span(), &answer)]).try_into().unwrap();
        assert!(shown(&read).contains(&format!("backstop.answer = {word}")));
        assert_eq!(read.status.as_ref().map(|status| status.message.as_str()), error);
    }
    let [read] = read(&[answered(span(), &Err::<(), _>("no answer in 25 s".to_owned()))])
        .try_into()
        .unwrap();
    assert_eq!(read.status.unwrap().message, "no answer in 25 s");
    assert_eq!(look_name(Some(LookFor::Settle)), "confirm");
    assert_eq!(look_name(Some(LookFor::Guard)), "look");
}
