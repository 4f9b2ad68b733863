//! What one probe saw, already classified.

use serde::{Deserialize, Serialize};

/// What an observation says about the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Every expectation held.
    Pass,
    /// Right, but slower than `expect.time`.
    Slow,
    /// What a cold or switching deployment looks like: refused, reset, DNS, TLS, timeout, 502/503/504, the platform's
    /// placeholder page, the old version.
    Unready,
    /// Made by an app: other 5xx, unexpected 4xx, wrong content.
    Broken,
    /// Our own trouble, or an answer that says nothing about the deployment: 408/425/429, a challenge page.
    Unknown,
}

impl Class {
    /// The word as shown, stored and counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Slow => "slow",
            Self::Unready => "unready",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether an answer is known to be the new version's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// Nothing in the answer tells.
    Unknown,
    /// The answer names this deployment's version.
    Proven,
    /// The answer names another version.
    Contradicted,
}

/// Why an observation is what it is; the word that tables, metrics and outcomes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// All expectations held.
    Ok,
    /// The name could not be resolved.
    Dns,
    /// Nothing listens there.
    Refused,
    /// The connection was cut before a whole answer.
    Reset,
    /// No TLS session.
    Tls,
    /// No whole answer in time.
    Timeout,
    /// The answer was not HTTP, or broke its rules.
    Protocol,
    /// The status is not the expected one.
    Status,
    /// A header is not as expected.
    Header,
    /// A JSON value is not as expected, or the body is not JSON.
    Json,
    /// The body is not as expected.
    Body,
    /// A cookie is not as expected.
    Cookie,
    /// An element of the page is not as expected.
    Html,
    /// The JSON does not follow its schema.
    Schema,
    /// The body is larger or smaller than expected.
    Size,
    /// The answer came from another address than expected.
    Url,
    /// The answer came in another version of HTTP than expected.
    HttpVersion,
    /// The certificate, or the version of TLS, is not as expected.
    Certificate,
    /// A script, style or preload that the page names does not load.
    Asset,
    /// The health service answered another status than expected.
    Grpc,
    /// More of the samples failed than expected.
    Errors,
    /// The answer took too long.
    Time,
    /// The body is over the limit.
    TooLarge,
    /// A redirect that is not followed: another origin, or too many.
    Redirect,
    /// Another version answered.
    OldVersion,
    /// The platform's own page answered in place of the app.
    Placeholder,
    /// A value to keep was not in the answer.
    Capture,
    /// A value that the request needs is not known.
    MissingValue,
    /// The address may not be called.
    Forbidden,
    /// The app, or something before it, limits our requests: 408, 425, 429, a challenge page.
    Throttled,
    /// Our own network or machine is in trouble.
    LocalTrouble,
}

impl Reason {
    /// The reason that is shown as `word`.
    pub fn of_word(word: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
    }

    /// The word as shown, stored and counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Dns => "dns",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Header => "header",
            Self::Json => "json",
            Self::Body => "body",
            Self::Cookie => "cookie",
            Self::Html => "html",
            Self::Schema => "schema",
            Self::Size => "size",
            Self::Url => "url",
            Self::HttpVersion => "http_version",
            Self::Certificate => "certificate",
            Self::Asset => "asset",
            Self::Grpc => "grpc",
            Self::Errors => "errors",
            Self::Time => "time",
            Self::TooLarge => "too_large",
            Self::Redirect => "redirect",
            Self::OldVersion => "old_version",
            Self::Placeholder => "placeholder",
            Self::Capture => "capture",
            Self::MissingValue => "missing_value",
            Self::Forbidden => "forbidden",
            Self::Throttled => "throttled",
            Self::LocalTrouble => "local_trouble",
        }
    }
}

/// Where the time of a request went, in milliseconds; a part that did not end, or that there was not, is none. Of a
/// request that followed redirects, these are the last one's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Resolving the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_ms: Option<u32>,
    /// Connecting by TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<u32>,
    /// The TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ms: Option<u32>,
    /// From the connection's being ready to the head of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u32>,
    /// Reading the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_ms: Option<u32>,
}

/// What one probe saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// What it says about the deployment.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// Whether the answer is known to be the new version's.
    pub identity: Identity,
    /// Whether the answer itself proves that an app made it: a 5xx other than 502, 503 and 504, or a proven identity.
    pub app_made: bool,
    /// A `warn` expectation did not hold.
    pub warned: bool,
    /// From the first byte of work to the last byte read, in milliseconds.
    pub latency_ms: u32,
    /// Where that time went.
    #[serde(default)]
    pub timing: Timing,
    /// The protocol of the answer: `HTTP/1.1`, `HTTP/2.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_version: Option<String>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The address dialled.
    pub address: Option<std::net::IpAddr>,
    /// One line for a person, redacted and at most 300 characters: `GET /api/orders answered 500, expected 2xx`.
    pub detail: String,
    /// The start of a failing answer's body, redacted, at most 4 KiB.
    pub body: Option<String>,
}
