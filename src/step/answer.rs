//! An answer as expectations see it: its text, its JSON, its page, its facts.

use std::cell::OnceCell;

use cookie_store::RawCookie;
use encoding_rs::{Encoding, UTF_8};
use http::HeaderName;
use http::header::CONTENT_TYPE;
use serde_json::Value as Json;

use super::exchange::Response;
use super::expect::{About, CookiePart};
use super::page::Page;

/// How much of a page is looked through for its own word on its encoding, in bytes (HTML Standard, "prescan a byte
/// stream").
const PRESCAN_BYTES: usize = 1024;

/// An answer whose body is read once, when first needed, in each of the ways that it can be read.
pub(super) struct Answer<'a> {
    pub(super) response: &'a Response,
    charset: Option<&'static Encoding>,
    text: OnceCell<Json>,
    json: OnceCell<Result<Json, String>>,
    page: OnceCell<Option<Page>>,
}

impl<'a> Answer<'a> {
    pub(super) fn new(response: &'a Response, charset: Option<&'static Encoding>) -> Self {
        Self {
            response,
            charset,
            text: OnceCell::new(),
            json: OnceCell::new(),
            page: OnceCell::new(),
        }
    }

    /// The body as text; what is not in its encoding is replaced.
    pub(super) fn text(&self) -> &Json {
        self.text.get_or_init(|| {
            let encoding = self.charset.unwrap_or_else(|| encoding(self.response));
            // A byte order mark outweighs everything.
            encoding.decode(&self.response.body).0.into_owned().into()
        })
    }

    /// The body as JSON, or why it is none. The parser refuses more than 128 levels.
    pub(super) fn json(&self) -> Result<&Json, &str> {
        let parse = || {
            // RFC 8259 §8.1 allows to ignore a byte order mark.
            let body = &self.response.body;
            let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
            match serde_json::from_slice(body) {
                Ok(json) => Ok(json),
                Err(_) if body.trim_ascii().is_empty() => Err("the body is empty, expected JSON".to_owned()),
                Err(error) => Err(format!("the body is not JSON: {error}")),
            }
        };
        self.json.get_or_init(parse).as_ref().map_err(String::as_str)
    }

    /// The body as a page, or why it is none.
    pub(super) fn page(&self) -> Result<&Page, &'static str> {
        let parse = || Page::parse(self.text().as_str().unwrap_or_default());
        self.page
            .get_or_init(parse)
            .as_ref()
            .ok_or("the page is nested too deeply to be read")
    }

    /// All headers of that name as one value.
    pub(super) fn header(&self, name: &HeaderName) -> Option<Json> {
        let values = self.response.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!values.is_empty()).then(|| values.join(", ").into())
    }

    /// The last cookie of that name that was set.
    pub(super) fn cookie(&self, name: &str) -> Option<RawCookie<'_>> {
        let set = self.response.set_cookies.iter().rev();
        set.filter_map(|text| RawCookie::parse(text.as_str()).ok())
            .find(|cookie| cookie.name() == name)
    }

    /// What `about` is about, the JSON and the text of the body aside; or why that cannot be read.
    pub(super) fn facts(&self, about: &About) -> Result<Vec<Json>, &str> {
        let fact = match about {
            About::Header(name) => self.header(name),
            About::Cookie(name, part) => self.cookie(name).and_then(|cookie| cookie_part(&cookie, *part)),
            About::Html(selector, attribute) => return selector.find(self.page()?, attribute.as_deref()),
            About::Size => Some(self.response.body.len().into()),
            About::Url => Some(self.response.url.as_str().into()),
            About::HttpVersion => Some(http_version(self.response.version).into()),
            About::TlsDaysLeft => Some(self.tls()?.days_left.into()),
            About::TlsVersion => Some((f64::from(self.tls()?.version_x10) / 10.0).into()),
            About::Grpc => Some(grpc_health(self.response).into()),
            About::Json(_) | About::Body => None,
        };
        Ok(fact.into_iter().collect())
    }

    fn tls(&self) -> Result<super::TlsSeen, &'static str> {
        self.response.tls.ok_or("the answer came without TLS")
    }
}

fn cookie_part(cookie: &RawCookie<'_>, part: CookiePart) -> Option<Json> {
    match part {
        CookiePart::Value => Some(cookie.value().into()),
        CookiePart::HttpOnly => Some(cookie.http_only().unwrap_or(false).into()),
        CookiePart::Secure => Some(cookie.secure().unwrap_or(false).into()),
        CookiePart::SameSite => Some(cookie.same_site()?.to_string().into()),
        CookiePart::Path => Some(cookie.path()?.into()),
        CookiePart::Domain => Some(cookie.domain()?.into()),
        CookiePart::MaxAge => Some(cookie.max_age()?.whole_seconds().into()),
    }
}

fn http_version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 => "0.9",
        http::Version::HTTP_10 => "1.0",
        http::Version::HTTP_11 => "1.1",
        http::Version::HTTP_2 => "2",
        _ => "3",
    }
}

/// The encoding that the answer names, or its page does; else UTF-8.
fn encoding(response: &Response) -> &'static Encoding {
    let header = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let named = header.and_then(charset_in).or_else(|| {
        let start = response.body.get(..PRESCAN_BYTES).unwrap_or(&response.body);
        let text = String::from_utf8_lossy(start).to_ascii_lowercase();
        text.split("<meta")
            .skip(1)
            .find_map(|meta| charset_in(meta.split('>').next().unwrap_or_default()))
    });
    named.unwrap_or(UTF_8)
}

/// The encoding behind `charset=`.
fn charset_in(text: &str) -> Option<&'static Encoding> {
    let text = text.to_ascii_lowercase();
    let (_, label) = text.split_once("charset")?;
    let label = label
        .trim_start()
        .strip_prefix('=')?
        .trim_start()
        .trim_start_matches(['"', '\'']);
    let end = label.find(|c: char| matches!(c, '"' | '\'' | ';' | '/') || c.is_ascii_whitespace());
    Encoding::for_label(label.get(..end.unwrap_or(label.len()))?.as_bytes())
}

/// The health status in a gRPC answer (`HealthCheckResponse.ServingStatus`), else the name of its gRPC status.
fn grpc_health(response: &Response) -> &'static str {
    const STATUSES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let header = response
        .headers
        .get("grpc-status")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let status: u16 = response.grpc_status.or(header).unwrap_or(0);
    if status != 0 {
        return STATUSES.get(usize::from(status)).copied().unwrap_or("UNKNOWN");
    }
    // A frame's five bytes, then field 1 as a number; a message without it has the default, 0.
    match response.body.as_slice() {
        [0, _, _, _, 0] => "UNKNOWN",
        [0, _, _, _, 2, 0x08, 0] => "UNKNOWN",
        [0, _, _, _, 2, 0x08, 1] => "SERVING",
        [0, _, _, _, 2, 0x08, 2] => "NOT_SERVING",
        [0, _, _, _, 2, 0x08, 3] => "SERVICE_UNKNOWN",
        _ => "not a health answer",
    }
}
