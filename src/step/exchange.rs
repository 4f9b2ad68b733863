//! What goes over the network, and what comes back.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use url::Url;

use crate::domain::Timing;

/// The largest body of an answer that is read, in bytes: 4 MiB.
pub const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One request, ready to be sent.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address, http or https.
    pub url: Url,
    /// The headers; those with secrets are marked sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// For everything, from resolving the name to the last byte.
    pub timeout: Duration,
    /// Whether redirects to the same origin are followed.
    pub follow_redirects: bool,
    /// The largest body of the answer that is read, in bytes, decoded.
    pub body_bytes_max: usize,
    /// A longer body is cut there; otherwise it is a failure.
    pub cut_body: bool,
    /// It carries a secret, so it may only go where credentials may go.
    pub carries_credentials: bool,
}

/// Shows no header values, no body and no query: each may hold a secret.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("origin", &self.url.origin().ascii_serialization())
            .field(
                "headers",
                &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .field("timeout", &self.timeout)
            .field("carries_credentials", &self.carries_credentials)
            .finish_non_exhaustive()
    }
}

/// One whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`Request::body_bytes_max`].
    pub body: Vec<u8>,
    /// Where it came from in the end.
    pub url: Url,
    /// The address dialled.
    pub address: Option<IpAddr>,
    /// The protocol it was given in.
    pub version: Version,
    /// From the start of the request to the last byte of the answer.
    pub elapsed: Duration,
    /// Where that time went.
    pub timing: Timing,
}
