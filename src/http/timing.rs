//! Where the time of a request goes: resolving, connecting, the TLS handshake, waiting for the first byte, the body.
//!
//! The client dials inside the task that sends, so what is under way is marked in that task's own notebook.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::domain::Timing;
use crate::step::TlsSeen;

tokio::task_local! {
    static NOTEBOOK: Notebook;
}

/// The moments of one request, as far as it came.
#[derive(Clone, Debug)]
pub(super) struct Notebook(Arc<Mutex<Moments>>);

#[derive(Clone, Copy, Debug)]
struct Moments {
    began: Instant,
    resolved: Option<Instant>,
    handshake: Option<Instant>,
    ready: Option<Instant>,
    answered: Option<Instant>,
    ended: Option<Instant>,
    tls_version_x10: Option<u8>,
    days_left: Option<i64>,
}

impl Moments {
    fn begun() -> Self {
        Self {
            began: now(),
            resolved: None,
            handshake: None,
            ready: None,
            answered: None,
            ended: None,
            tls_version_x10: None,
            days_left: None,
        }
    }
}

/// A moment worth noting.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark {
    /// Another request begins: a redirect is followed. What was noted is of the one before.
    Began,
    /// The name is resolved.
    Resolved,
    /// TCP is connected; the TLS handshake begins.
    Handshake,
    /// The connection can be used.
    Ready,
    /// The head of the answer is there.
    Answered,
    /// The body is there.
    Ended,
}

impl Notebook {
    /// A notebook for a request that begins now.
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(Moments::begun())))
    }

    /// Runs `request` with this notebook at hand.
    pub(super) async fn with<F: Future>(&self, request: F) -> F::Output {
        NOTEBOOK.scope(self.clone(), request).await
    }

    fn note(&self, mark: Mark) {
        let mut moments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match mark {
            Mark::Began => {
                *moments = Moments::begun();
                return;
            }
            Mark::Resolved => &mut moments.resolved,
            Mark::Handshake => &mut moments.handshake,
            Mark::Ready => &mut moments.ready,
            Mark::Answered => &mut moments.answered,
            Mark::Ended => &mut moments.ended,
        };
        *slot = Some(now());
    }

    /// What the TLS handshake showed, if there was one.
    pub(super) fn tls(&self) -> Option<TlsSeen> {
        let moments = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(TlsSeen {
            version_x10: moments.tls_version_x10?,
            days_left: moments.days_left?,
        })
    }

    fn change(&self, change: impl FnOnce(&mut Moments)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What each part took, as far as it ended.
    pub(super) fn timing(&self) -> Timing {
        let moments = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let part = |from: Option<Instant>, to: Option<Instant>| {
            let took = to?.saturating_duration_since(from?);
            Some(u32::try_from(took.as_millis()).unwrap_or(u32::MAX))
        };
        let dialled = moments.resolved.or(Some(moments.began));
        Timing {
            dns_ms: part(Some(moments.began), moments.resolved),
            connect_ms: part(dialled, moments.handshake.or(moments.ready)),
            tls_ms: part(moments.handshake, moments.ready),
            first_byte_ms: part(moments.ready, moments.answered),
            body_ms: part(moments.answered, moments.ended),
        }
    }
}

/// Notes a moment of the request that this task sends, if it sends one.
pub(super) fn mark(mark: Mark) {
    // A task without a notebook is nobody's request.
    let _ = NOTEBOOK.try_with(|notebook| notebook.note(mark));
}

/// Notes for how many days the certificate is still valid.
pub(super) fn note_certificate(days_left: i64) {
    let _ = NOTEBOOK.try_with(|notebook| notebook.change(|moments| moments.days_left = Some(days_left)));
}

/// Notes the version of TLS, times ten.
pub(super) fn note_tls_version(version_x10: u8) {
    let _ = NOTEBOOK.try_with(|notebook| notebook.change(|moments| moments.tls_version_x10 = Some(version_x10)));
}

#[expect(clippy::disallowed_methods, reason = "latency is what this module measures")]
fn now() -> Instant {
    Instant::now()
}

/// Notes when a connection is ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct MarkReady;

impl<S> Layer<S> for MarkReady {
    type Service = Marked<S>;

    fn layer(&self, inner: S) -> Marked<S> {
        Marked(inner)
    }
}

/// A connector whose connections are noted.
#[derive(Clone, Debug)]
pub(super) struct Marked<S>(S);

impl<S, To> Service<To> for Marked<S>
where
    S: Service<To>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: To) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async move {
            let connection = connecting.await?;
            mark(Mark::Ready);
            Ok(connection)
        })
    }
}

/// Remembers no TLS session, so that each handshake is a whole one; being asked for one is how its begin is known.
#[derive(Debug)]
pub(super) struct NoSessions;

impl ClientSessionStore for NoSessions {
    fn set_kx_hint(&self, _: ServerName<'static>, _: rustls::NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<rustls::NamedGroup> {
        mark(Mark::Handshake);
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        None
    }
}
