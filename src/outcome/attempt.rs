//! One attempt at one message: signed anew, sent, and what came of it.

use std::time::Duration;

/// Most of an answer's body that is kept, in bytes.
pub const RESPONSE_BYTES_MAX: usize = 4096;

/// What came of one attempt. Holds no secret of the endpoint, and may be logged and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// The status answered, if there was an answer.
    pub status: Option<u16>,
    /// Why there was none, in words.
    pub error: Option<String>,
    /// Whether another attempt could end differently, as far as `error` tells.
    pub retryable: bool,
    /// The start of the answer's body as text, redacted, at most [`RESPONSE_BYTES_MAX`].
    pub response_excerpt: String,
    /// From the start of the request to its end, in milliseconds.
    pub latency_ms: u32,
    /// How long the endpoint asks to be left alone, within [`super::RETRY_AFTER_MAX`].
    pub retry_after: Option<Duration>,
}
