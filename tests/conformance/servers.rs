//! Servers that answer as they are told, over real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::authority::Authority;
use super::corpus::{Answer, Kind, TlsSetup};
use super::wants;

type Body = BoxBody<Bytes, Infallible>;

/// The path of the one method that a gRPC health service must have.
const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
const GRPC_NOT_FOUND: &str = "5";
const GRPC_UNIMPLEMENTED: &str = "12";
const GRPC_INTERNAL: &str = "13";

/// What a server is.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    pub kind: Kind,
    pub tls: TlsSetup,
    pub health: std::collections::BTreeMap<String, String>,
}

/// A port that is bound before what answers there is known.
pub struct Bound {
    socket: TcpSocket,
    pub address: SocketAddr,
}

impl Bound {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = socket.local_addr().expect("bound");
        Self { socket, address }
    }
}

/// A running server. It ends when dropped.
pub struct Server {
    heard: Arc<Mutex<Vec<String>>>,
    task: Option<JoinHandle<()>>,
    /// Held without listening, so that nobody else gets the port.
    _closed: Option<TcpSocket>,
}

impl Server {
    pub fn start(bound: Bound, setup: &Setup, answers: Vec<Answer>, authority: &Authority) -> Self {
        let heard = Arc::default();
        if setup.kind == Kind::Closed {
            return Self {
                heard,
                task: None,
                _closed: Some(bound.socket),
            };
        }
        let script = Arc::new(Script {
            used: answers.iter().map(|_| Mutex::new(0)).collect(),
            answers,
            heard: Arc::clone(&heard),
            health: setup.kind.is_health().then(|| setup.health.clone()),
        });
        let tls = (setup.kind.is_tls()).then(|| authority.server(&setup.tls, setup.kind == Kind::Mtls));
        let listener = bound.socket.listen(1024).expect("listening");
        let task = tokio::spawn(accept(listener, setup.kind, tls, script));
        Self {
            heard,
            task: Some(task),
            _closed: None,
        }
    }

    /// Every request so far: what it was, and what it was answered.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("not poisoned").clone()
    }

    /// How many requests came for a method and path.
    pub fn hits(&self, on: &str) -> usize {
        let start = format!("{on} → ");
        self.heard().iter().filter(|line| line.starts_with(&start)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Kind {
    const fn is_health(self) -> bool {
        matches!(self, Self::Grpc | Self::Grpcs)
    }
}

async fn accept(listener: TcpListener, kind: Kind, tls: Option<TlsAcceptor>, script: Arc<Script>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        connections.spawn(connection(stream, kind, tls.clone(), Arc::clone(&script)));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(mut stream: TcpStream, kind: Kind, tls: Option<TlsAcceptor>, script: Arc<Script>) {
    match kind {
        Kind::Tcp => {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        Kind::Noise => {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await;
        }
        _ => match tls {
            Some(tls) => {
                if let Ok(stream) = tls.accept(stream).await {
                    serve(stream, kind, script).await;
                }
            }
            None => serve(stream, kind, script).await,
        },
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S, kind: Kind, script: Arc<Script>) {
    let service = service_fn(move |request| {
        let script = Arc::clone(&script);
        async move { script.answer(request).await }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder = match kind {
        Kind::Http => builder.http1_only(),
        Kind::H2 | Kind::Grpc | Kind::Grpcs => builder.http2_only(),
        _ => builder,
    };
    // A client that goes away early is what some cases are about.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
struct Cut;

struct Script {
    answers: Vec<Answer>,
    used: Vec<Mutex<usize>>,
    heard: Arc<Mutex<Vec<String>>>,
    health: Option<std::collections::BTreeMap<String, String>>,
}

impl Script {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Cut> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        // An HTTP/1 request names the whole address only where it goes to a proxy.
        let to_proxy = head.version <= Version::HTTP_11 && head.uri.scheme().is_some();
        let asked = match (to_proxy, head.uri.authority()) {
            (true, Some(authority)) => format!("{} http://{authority}{}", head.method, head.uri.path()),
            _ => format!("{} {}", head.method, head.uri.path()),
        };
        if let Some(health) = &self.health {
            self.note(&asked, "health");
            return Ok(grpc_health(health, &head, &body));
        }
        let mut why = format!("nothing is here: {asked}");
        let mut status = 404;
        for (answer, used) in self.answers.iter().zip(&self.used) {
            if answer.on != asked {
                continue;
            }
            if let Err(unmet) = wants::meets(&answer.expects, &head, &body) {
                (status, why) = (418, unmet);
                continue;
            }
            {
                let mut used = used.lock().expect("not poisoned");
                if answer.times.is_some_and(|times| *used >= times) {
                    continue;
                }
                *used += 1;
            }
            self.note(&asked, if answer.reset { "cut" } else { "answered" });
            return self.give(answer).await;
        }
        self.note(&asked, &format!("{status}: {why}"));
        let mut response = Response::new(full(why.into_bytes()));
        *response.status_mut() = status.try_into().expect("a status");
        Ok(response)
    }

    fn note(&self, asked: &str, how: &str) {
        self.heard
            .lock()
            .expect("not poisoned")
            .push(format!("{asked} → {how}"));
    }

    async fn give(&self, answer: &Answer) -> Result<Response<Body>, Cut> {
        let delay = answer.delay.as_deref().map(humantime::parse_duration);
        tokio::time::sleep(delay.transpose().expect("a time").unwrap_or_default()).await;
        if answer.reset {
            return Err(Cut);
        }
        let body = match (&answer.body, &answer.json, &answer.base64, answer.bytes) {
            (Some(text), ..) => text.clone().into_bytes(),
            (_, Some(json), ..) => json.to_string().into_bytes(),
            (_, _, Some(base64), _) => BASE64.decode(base64).expect("base64"),
            (_, _, _, Some(bytes)) => vec![b'x'; bytes],
            _ => Vec::new(),
        };
        let mut response = Response::new(full(body));
        *response.status_mut() = answer.status.try_into().expect("a status");
        let headers = response.headers_mut();
        if answer.json.is_some() {
            headers.insert("content-type", HeaderValue::from_static("application/json"));
        }
        for (name, values) in &answer.headers {
            let name: HeaderName = name.parse().expect("a header's name");
            headers.remove(&name);
            for value in values.all() {
                headers.append(&name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
            }
        }
        Ok(response)
    }
}

fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).boxed()
}

/// Answers `Health.Check` as gRPC does: a frame with the status, then `grpc-status` in the trailers; an error is headers
/// only.
fn grpc_health(
    health: &std::collections::BTreeMap<String, String>,
    head: &http::request::Parts,
    body: &[u8],
) -> Response<Body> {
    let is = |name: &str, value: &str| head.headers.get(name).is_some_and(|found| found == value);
    let well_asked =
        head.method == http::Method::POST && is("te", "trailers") && is("content-type", "application/grpc");
    let failed = |status: &'static str| {
        let mut response = Response::new(full(Vec::new()));
        let headers = response.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static(status));
        response
    };
    if head.uri.path() != HEALTH_CHECK {
        return failed(GRPC_UNIMPLEMENTED);
    }
    let Some(service) = service(body).filter(|_| well_asked) else {
        return failed(GRPC_INTERNAL);
    };
    let number = match health.get(&service).map(String::as_str) {
        None => return failed(GRPC_NOT_FOUND),
        Some("SERVING") => 1,
        Some("NOT_SERVING") => 2,
        Some("SERVICE_UNKNOWN") => 3,
        Some(_) => 0,
    };
    let frame = Bytes::from(vec![0, 0, 0, 0, 2, 0x08, number]);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(frame).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body.boxed());
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// The service in a `HealthCheckRequest`: five bytes of frame, then field 1 as text, which may be left out.
fn service(body: &[u8]) -> Option<String> {
    let (frame, message) = body.split_at_checked(5)?;
    let [compressed, length @ ..] = frame else { return None };
    let length = u32::from_be_bytes(length.try_into().ok()?);
    if *compressed != 0 || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    match message {
        [] => Some(String::new()),
        [0x0a, length, text @ ..] if usize::from(*length) == text.len() => String::from_utf8(text.to_vec()).ok(),
        _ => None,
    }
}
