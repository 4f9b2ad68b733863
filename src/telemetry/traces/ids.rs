//! Ids: derived from a run's own, so that everybody who has the run finds the same.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::domain::RunId;

/// The header by which whoever is asked continues a trace (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

/// A trace: 16 bytes, not all of them zero. Shown in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A span of a trace: 8 bytes, not all of them zero. Shown in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

impl TraceId {
    /// The trace of a run.
    pub fn of(run: &RunId) -> Self {
        Self(derived("trace", run, ""))
    }

    /// As it stands on the wire.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl SpanId {
    /// The span that is called `what` in the trace of `run`; there must be one of that name.
    pub fn of(run: &RunId, what: &str) -> Self {
        Self(derived("span", run, what))
    }

    /// As it stands on the wire.
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }
}

/// The first bytes of a hash. All of them zero would be no id; that is not to be expected, and is avoided.
fn derived<const N: usize>(kind: &str, run: &RunId, what: &str) -> [u8; N] {
    let mut hasher = Sha256::new();
    for part in [kind, run.as_str(), what] {
        hasher.update(part);
        // No part has a line feed, so that none can run into the next.
        hasher.update("\n");
    }
    let mut id = [0; N];
    for (byte, hashed) in id.iter_mut().zip(hasher.finalize()) {
        *byte = hashed;
    }
    if id == [0; N]
        && let Some(last) = id.last_mut()
    {
        *last = 1;
    }
    id
}

/// The value of [`TRACEPARENT`]: version 00, and sampled, so that who is asked keeps its spans too.
pub fn traceparent(trace: TraceId, parent: SpanId) -> String {
    format!("00-{trace}-{parent}-01")
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
