//! A collector of traces, by OTLP over HTTP, which reads what it is sent with OpenTelemetry's own types.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
pub use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Exported {
    pub path: String,
    pub content_type: Option<String>,
    pub authorization: Option<String>,
    pub traceparent: Option<String>,
    pub body: Vec<u8>,
}

type Requests = Arc<Mutex<Vec<Exported>>>;

/// A running collector.
pub struct Collector {
    pub url: String,
    requests: Requests,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Requests::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&requests));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, requests }
    }

    /// Everything that came, oldest first.
    pub fn requests(&self) -> Vec<Exported> {
        self.requests.lock().unwrap().clone()
    }

    /// Every span that came.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.requests().into_iter();
        requests.flat_map(|request| spans(&request.body)).collect()
    }

    /// The spans that have come once `enough` holds of them, if that is soon.
    pub async fn wait_for(&self, limit: Duration, enough: impl Fn(&[Span]) -> bool) -> Option<Vec<Span>> {
        let found = async {
            loop {
                let spans = self.spans();
                if enough(&spans) {
                    return spans;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(limit, found).await.ok()
    }
}

async fn take(State(requests): State<Requests>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| Some(headers.get(name)?.to_str().expect("text").to_owned());
    requests.lock().unwrap().push(Exported {
        path: uri.path().to_owned(),
        content_type: header("content-type"),
        authorization: header("authorization"),
        traceparent: header("traceparent"),
        body: body.to_vec(),
    });
    let taken = ExportTraceServiceResponse { partial_success: None };
    ([("content-type", "application/x-protobuf")], taken.encode_to_vec()).into_response()
}

fn spans(body: &[u8]) -> Vec<Span> {
    let read = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let of_resources = read.resource_spans.into_iter();
    let of_scopes = of_resources.flat_map(|of_resource| of_resource.scope_spans);
    of_scopes.flat_map(|of_scope| of_scope.spans).collect()
}

/// The attribute `key` of a span, as text.
pub fn text(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|one| one.key == key)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(flag) => flag.to_string(),
        other => panic!("{other:?}"),
    })
}
