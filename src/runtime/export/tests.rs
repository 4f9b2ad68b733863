//! The exporter against real collectors: good ones, bad ones, and none.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex as SyncMutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as With;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tokio::net::TcpListener;

use super::*;
use crate::config::FixedEnv;
use crate::domain::{RunId, Timestamp};
use crate::http::Network;
use crate::telemetry::traces::{SpanId, SpanQueue, queue};
use crate::telemetry::{MetricsForm, Standing};

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(60);

/// A collector that answers as it is told, and with 200 when it is told nothing more.
#[derive(Default)]
struct Collector {
    answers: SyncMutex<VecDeque<(u16, Option<&'static str>)>>,
    /// How many spans it says that it does not take.
    rejects: i64,
    came: SyncMutex<Vec<(Uri, HeaderMap, Vec<String>)>>,
}

impl Collector {
    /// The names of the spans of each request that came.
    fn came(&self) -> Vec<Vec<String>> {
        let came = self.came.lock().unwrap();
        came.iter().map(|(_, _, names)| names.clone()).collect()
    }
}

async fn take(With(collector): With<Arc<Collector>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let read = ExportTraceServiceRequest::decode(body).unwrap();
    let spans = &read.resource_spans[0].scope_spans[0].spans;
    let names = spans.iter().map(|span| span.name.clone()).collect();
    collector.came.lock().unwrap().push((uri, headers, names));
    let (status, after) = collector.answers.lock().unwrap().pop_front().unwrap_or((200, None));
    let said = ExportTracePartialSuccess {
        rejected_spans: collector.rejects,
        error_message: "too old".to_owned(),
    };
    let answer = ExportTraceServiceResponse {
        partial_success: Some(said),
    };
    let after = after.map(|seconds| [("retry-after", seconds)]);
    let status = StatusCode::from_u16(status).unwrap();
    match after {
        Some(headers) => (status, headers, answer.encode_to_vec()).into_response(),
        None => (status, answer.encode_to_vec()).into_response(),
    }
}

async fn start(collector: Collector) -> (SocketAddr, Arc<Collector>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let collector = Arc::new(collector);
    let router = Router::new().fallback(take).with_state(Arc::clone(&collector));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, collector)
}

struct Exporting {
    exporter: Arc<Exporter>,
    spans: SpanQueue,
    metrics: Metrics,
    config: Arc<ArcSwap<Config>>,
}

impl Exporting {
    fn to(telemetry: &str) -> Self {
        let config = Arc::new(ArcSwap::from_pointee(config(telemetry)));
        let metrics = Metrics::new();
        let (spans, waiting) = queue(metrics.clone());
        let exporter = Exporter {
            agent: AgentId::new("agt_1"),
            config: Arc::clone(&config),
            client: Client::new(Network::default()).unwrap(),
            metrics: metrics.clone(),
            state: Mutex::new(State::new(waiting)),
        };
        Self {
            exporter: Arc::new(exporter),
            spans,
            metrics,
            config,
        }
    }

    fn push(&self, name: &str) {
        let run = RunId::new("run_1");
        let at = Timestamp::from_millis(1);
        self.spans.push(Span::new(&run, SpanId::of(&run, name), name, (at, at)));
    }

    /// Exports as long as the test runs.
    fn begin(&self) {
        tokio::spawn(Arc::clone(&self.exporter).run(CancellationToken::new()));
    }

    async fn until(&self, enough: impl Fn() -> bool) {
        let waiting = async {
            while !enough() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, waiting).await.expect("soon");
    }

    fn dropped(&self) -> u64 {
        let page = self
            .metrics
            .encode(&Standing::default(), MetricsForm::Prometheus)
            .unwrap();
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix("backstop_spans_dropped_total "));
        line.unwrap().parse().unwrap()
    }
}

fn config(telemetry: &str) -> Config {
    let text = format!("{telemetry}\n[check.home]\nget = \"/\"\n");
    let env = FixedEnv::default()
        .var("OTLP_TOKEN", "a-token-of-the-tests")
        .file("checks.toml", &text);
    crate::config::load("checks.toml".as_ref(), &env).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn telemetry(address: SocketAddr) -> String {
    format!("[telemetry]\notlp = \"http://{address}\"")
}

#[tokio::test]
async fn spans_are_sent_in_one_request_with_what_the_config_says() {
    let (address, collector) = start(Collector::default()).await;
    let exporting = Exporting::to(&format!(
        "{}/otlp\"\nheaders = {{ authorization = \"Bearer {{{{ secret.OTLP_TOKEN }}}}\", x-scope = \"shop\" }}",
        telemetry(address).trim_end_matches('"')
    ));
    exporting.push("first");
    exporting.push("second");
    exporting.begin();
    exporting.until(|| !collector.came().is_empty()).await;
    let came = collector.came.lock().unwrap();
    let [(uri, headers, names)] = came.as_slice() else {
        panic!("{came:?}")
    };
    assert_eq!(uri.path(), "/otlp/v1/traces");
    assert_eq!(headers["content-type"], "application/x-protobuf");
    assert_eq!(headers["authorization"], "Bearer a-token-of-the-tests");
    assert_eq!(headers["x-scope"], "shop");
    assert_eq!(*names, ["first", "second"]);
    assert_eq!(exporting.dropped(), 0);
}

#[tokio::test]
async fn what_may_be_taken_later_is_sent_again_and_what_is_refused_is_dropped() {
    let answers = [(503, None), (429, Some("1")), (200, None), (400, None)];
    let (address, collector) = start(Collector {
        answers: SyncMutex::new(answers.into()),
        ..Collector::default()
    })
    .await;
    let exporting = Exporting::to(&telemetry(address));
    exporting.push("first");
    exporting.begin();
    exporting.until(|| collector.came().len() == 3).await;
    assert_eq!(
        (collector.came(), exporting.dropped()),
        (vec![vec!["first".to_owned()]; 3], 0)
    );
    exporting.push("second");
    exporting.until(|| exporting.dropped() == 1).await;
    assert_eq!(collector.came().len(), 4, "400 is not asked again");
    exporting.push("third");
    exporting.until(|| collector.came().len() == 5).await;
    assert_eq!(collector.came()[4], ["third"]);
}

#[tokio::test]
async fn what_a_collector_says_that_it_did_not_take_is_counted() {
    let (address, collector) = start(Collector {
        rejects: 1,
        ..Collector::default()
    })
    .await;
    let exporting = Exporting::to(&telemetry(address));
    exporting.push("first");
    exporting.push("second");
    exporting.begin();
    exporting.until(|| exporting.dropped() == 1).await;
    assert_eq!(collector.came().len(), 1, "it is not sent again");
}

#[tokio::test]
async fn what_is_left_at_the_end_is_sent_once() {
    let (address, collector) = start(Collector::default()).await;
    let exporting = Exporting::to(&telemetry(address));
    for number in 0..1_000 {
        exporting.push(&format!("span {number}"));
    }
    exporting.exporter.flush().await;
    let sizes: Vec<usize> = collector.came().iter().map(Vec::len).collect();
    assert_eq!((sizes, exporting.dropped()), (vec![512, 488], 0));
    exporting.exporter.flush().await;
    assert_eq!(collector.came().len(), 2, "nothing is left, so nobody is asked");
}

#[tokio::test]
async fn the_end_is_not_held_up_by_a_collector_that_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exporting = Exporting::to(&telemetry(listener.local_addr().unwrap()));
    for number in 0..600 {
        exporting.push(&format!("span {number}"));
    }
    timeout(SOON, exporting.exporter.flush()).await.expect("it ends");
    assert_eq!(exporting.dropped(), 600);
}

#[tokio::test]
async fn what_is_not_taken_yet_waits_for_whoever_exports_next() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = listener.local_addr().unwrap();
    let exporting = Exporting::to(&telemetry(hangs));
    exporting.push("first");
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&exporting.exporter).run(stop.clone()));
    // It is being sent once somebody is connected to.
    let _held = timeout(SOON, listener.accept()).await.expect("it is asked");
    stop.cancel();
    timeout(SOON, running).await.expect("a stop is obeyed at once").unwrap();

    let (address, collector) = start(Collector::default()).await;
    exporting.config.store(Arc::new(config(&telemetry(address))));
    exporting.push("second");
    exporting.begin();
    exporting.until(|| !collector.came().is_empty()).await;
    assert_eq!(
        (collector.came(), exporting.dropped()),
        (vec![vec!["first".to_owned(), "second".to_owned()]], 0)
    );
}

#[tokio::test]
async fn where_none_are_wanted_any_more_nobody_is_asked() {
    let (address, collector) = start(Collector::default()).await;
    let exporting = Exporting::to(&telemetry(address));
    exporting.push("first");
    exporting.config.store(Arc::new(config("")));
    exporting.begin();
    exporting.until(|| exporting.dropped() == 1).await;
    assert!(collector.came().is_empty());
}
