//! What goes over the network, and what comes back.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use url::Url;

use super::route::{Route, Tls};
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
    /// Cookies besides those that answers have set, each with its value.
    pub cookies: Vec<(String, String)>,
    /// How the host is reached.
    pub route: Route,
    /// Certificates of our own.
    pub tls: Option<Tls>,
}

impl Request {
    /// A request with nothing but a method and an address, and the usual limits.
    pub fn new(method: Method, url: Url, timeout: Duration) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            timeout,
            follow_redirects: false,
            body_bytes_max: BODY_BYTES_MAX,
            cut_body: false,
            carries_credentials: false,
            cookies: Vec::new(),
            route: Route::default(),
            tls: None,
        }
    }
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
    /// How long this process stood still meanwhile.
    pub stood_still: Duration,
    /// Where that time went.
    pub timing: Timing,
    /// Every `Set-Cookie`, also of the redirects on the way.
    pub set_cookies: Vec<String>,
    /// What was seen of TLS.
    pub tls: Option<TlsSeen>,
    /// The `grpc-status` of the trailers.
    pub grpc_status: Option<u16>,
}

impl Response {
    /// An answer without a status, headers or body: what there is of one that only connected.
    pub fn empty(url: Url) -> Self {
        Self {
            status: 0,
            headers: HeaderMap::new(),
            body: Vec::new(),
            url,
            address: None,
            version: Version::HTTP_11,
            elapsed: Duration::ZERO,
            stood_still: Duration::ZERO,
            timing: Timing::default(),
            set_cookies: Vec::new(),
            tls: None,
            grpc_status: None,
        }
    }
}

/// What was seen of a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsSeen {
    /// The version, times ten: 12 or 13.
    pub version_x10: u8,
    /// The whole days for which the certificate is still valid.
    pub days_left: i64,
}
