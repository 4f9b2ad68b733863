//! What a probe asked, for the trace of its run; and the header by which the app continues that trace.

use http::{HeaderName, HeaderValue, Method};
use url::Url;

use crate::check::Seen;
use crate::clock::Clock;
use crate::domain::{Observation, RunId, Timestamp};
use crate::http::Failure;
use crate::step::{Redactor, Request, Response, Step};
use crate::telemetry::traces::{self, SpanId, TraceId};

/// Requests of one probe that are kept for its trace; of more, the first.
const REQUESTS_MAX: usize = 64;
/// Bytes of an address.
const URL_BYTES_MAX: usize = 400;

/// The trace that a probe belongs to.
#[derive(Clone)]
pub struct Traced {
    run: RunId,
    parent: SpanId,
    /// What tells this probe from all others of the run.
    probe: String,
    clock: Clock,
}

/// One request of a probe, redacted.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct Asked {
    pub(in crate::runtime) id: SpanId,
    pub(in crate::runtime) label: String,
    pub(in crate::runtime) is_http: bool,
    pub(in crate::runtime) method: Method,
    pub(in crate::runtime) url: String,
    pub(in crate::runtime) host: String,
    pub(in crate::runtime) port: Option<u16>,
    pub(in crate::runtime) start: Timestamp,
    pub(in crate::runtime) end: Timestamp,
    pub(in crate::runtime) seen: Observation,
}

impl Traced {
    /// The probe `seq` of a run, below `parent`. `fence` says who asked: numbers that were not written down come again.
    pub(in crate::runtime) fn new(run: RunId, parent: SpanId, (fence, seq): (u64, u32), clock: Clock) -> Self {
        Self {
            run,
            parent,
            probe: format!("probe {fence} {seq}"),
            clock,
        }
    }

    /// The run.
    pub(in crate::runtime) const fn run(&self) -> &RunId {
        &self.run
    }

    /// What it stands below.
    pub(in crate::runtime) const fn parent(&self) -> SpanId {
        self.parent
    }

    /// The probe as a whole.
    pub(in crate::runtime) fn id(&self) -> SpanId {
        SpanId::of(&self.run, &self.probe)
    }

    fn request_id(&self, number: usize) -> SpanId {
        SpanId::of(&self.run, &format!("{} request {number}", self.probe))
    }
}

/// What a probe keeps for its trace while it is performed.
#[derive(Default)]
pub(super) struct Trail {
    traced: Option<Traced>,
    sent: usize,
    asked: Vec<Asked>,
}

impl Trail {
    pub(super) fn new(traced: Option<Traced>) -> Self {
        Self {
            traced,
            ..Self::default()
        }
    }

    /// Has `request` name the span that it is sent in, unless the check has a header of its own for that.
    pub(super) fn mark(&self, request: &mut Request) {
        const NAME: HeaderName = HeaderName::from_static(traces::TRACEPARENT);
        let Some(traced) = &self.traced else { return };
        if request.headers.iter().any(|(name, _)| *name == NAME) {
            return;
        }
        let value = traces::traceparent(TraceId::of(&traced.run), traced.request_id(self.sent));
        // It is hex and hyphens.
        if let Ok(value) = HeaderValue::from_str(&value) {
            request.headers.push((NAME, value));
        }
    }

    /// Keeps what came of a request that was sent.
    pub(super) fn keep(
        &mut self,
        step: &Step,
        request: &Request,
        sent: &Result<Response, Failure>,
        seen: &Seen,
        redactor: &Redactor,
    ) {
        let Some(traced) = &self.traced else { return };
        let elapsed = match sent {
            Ok(response) => response.elapsed,
            Err(failure) => failure.elapsed,
        };
        let end = traced.clock.now();
        let id = traced.request_id(self.sent);
        self.sent += 1;
        if self.asked.len() >= REQUESTS_MAX {
            return;
        }
        self.asked.push(Asked {
            id,
            label: step.label(),
            is_http: !step.send.is_socket(),
            method: request.method.clone(),
            url: shown(&request.url, redactor),
            host: redactor.redact(request.url.host_str().unwrap_or_default()),
            port: request.url.port_or_known_default(),
            start: end.minus(elapsed),
            end,
            seen: seen.observation.clone(),
        });
    }

    pub(super) fn into_asked(self) -> Vec<Asked> {
        self.asked
    }
}

/// An address without the secrets in it.
fn shown(url: &Url, redactor: &Redactor) -> String {
    redactor.redact_start(url.as_str(), URL_BYTES_MAX)
}
