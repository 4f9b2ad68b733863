//! The listener: connections in, with a limit on how many, how slow and how old.
//!
//! hyper is used directly because `axum::serve` gives no access to the header timeout, without which one slow sender
//! per connection can hold them all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// After an accept failed (out of file descriptors, most likely): how long until the next.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// The most headers a request may have.
const HEADERS_MAX: usize = 100;
/// The most bytes that one connection buffers, and so that a request's head may have.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// What a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once, per listener; more wait to be accepted.
    pub connections_max: usize,
    /// For a request's head to arrive; also how long a kept connection may idle.
    pub head_time_max: Duration,
    /// For a request's body to arrive.
    pub body_time_max: Duration,
    /// For a connection as a whole: it ends with the answer that is under way then.
    pub connection_time_max: Duration,
    /// For answers under way to end once the server stops.
    pub drain_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_024,
            head_time_max: Duration::from_secs(10),
            body_time_max: Duration::from_secs(15),
            connection_time_max: Duration::from_secs(600),
            drain_time_max: Duration::from_secs(10),
        }
    }
}

/// Who sent the request: the other end of the connection, never what a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Serves until `stop`, then lets the answers under way end.
pub(super) async fn run(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(limits.connections_max));
    let tracker = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        let Some((stream, peer, permit)) = accepted else {
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        tracker.spawn(async move {
            connection(stream, peer, router, limits, stop).await;
            drop(permit);
        });
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

/// The next connection. Waits for a free place first, so that what cannot be served stays in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, permit)),
        Err(error) => {
            tracing::warn!(error = %error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_AGAIN).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, limits: Limits, stop: CancellationToken) {
    // Answers are small and written whole; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time_max)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(serving);
    // How a connection ends is the sender's business: reset, timed out and closed are all the end.
    tokio::select! {
        biased;
        _ = serving.as_mut() => return,
        () = stop.cancelled() => {}
        () = tokio::time::sleep(limits.connection_time_max) => {}
    }
    serving.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.drain_time_max, serving).await;
}
