//! Where a request goes: a path on the base address, or an address of its own.

use std::fmt;

use url::Url;

use super::json_template::lookup;
use super::render::RenderError;
use super::template::{Part, Template, TemplateError};
use super::values::Values;

/// A URL longer than this is refused: 8 KiB.
pub const URL_BYTES_MAX: usize = 8 * 1024;

/// The target of a request, split by its own text into the parts of a URL before any value is known.
///
/// So a value can neither end its segment nor reach the host: in the path it is one percent-encoded segment or a piece of
/// one, in the query it is percent-encoded data, and in the host it is one DNS label or refused.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    template: Template,
    /// `https` and what stands between `//` and the path; `None` for a path on the base address.
    origin: Option<(Scheme, Vec<Part>)>,
    path: Vec<Part>,
    query: Option<Vec<Part>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    /// Only connected to.
    Tcp,
}

/// What a gRPC health service answers at.
pub(super) const GRPC_HEALTH_PATH: &str = "/grpc.health.v1.Health/Check";

/// What is wrong with a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A placeholder is malformed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Neither a path nor an address.
    #[error("a path starts with `/`, an address with `https://` or `http://`")]
    Start,
    /// `//host`, which browsers read as another host.
    #[error("a path starts with one `/`; write `https://` before another host")]
    DoubleSlash,
    /// A control character, a line break, a backslash.
    #[error("a control character or a backslash cannot stand in an address; write `%5C` for a backslash")]
    Character,
    /// What follows `#` is never sent.
    #[error("what follows `#` is never sent; remove it, or write `%23`")]
    Fragment,
    /// The host cannot be read, has a user name, or has a placeholder that is not part of a name.
    #[error("the host is not usable: {0}")]
    Host(String),
}

impl Target {
    /// Reads a path (`/api/orders/{{ cart }}?full=1`) or an absolute address.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn parse(source: &str) -> Result<Self, TargetError> {
        let template = Template::parse(source)?;
        if source.chars().any(|c| c.is_control() || c == '\\') {
            return Err(TargetError::Character);
        }
        let mut parts = template.parts().to_vec();
        let origin = match take_scheme(&mut parts) {
            Some(scheme) => {
                let (host, rest) = split_before(parts, &['/', '?', '#']);
                parts = rest;
                check_host(scheme, &host)?;
                Some((scheme, host))
            }
            None if source.starts_with("//") => return Err(TargetError::DoubleSlash),
            None if source.starts_with('/') => None,
            None => return Err(TargetError::Start),
        };
        if literals(&parts).any(|text| text.contains('#')) {
            return Err(TargetError::Fragment);
        }
        let (path, query) = split_before(parts, &['?']);
        let query = match query.split_first() {
            Some((Part::Text(first), rest)) => {
                let mut query = vec![Part::Text(first.strip_prefix('?').unwrap_or(first).to_owned())];
                query.extend_from_slice(rest);
                Some(query)
            }
            _ => None,
        };
        Ok(Self {
            template,
            origin,
            path,
            query,
        })
    }

    /// Reads `host:port`, to which is only connected.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn socket(source: &str) -> Result<Self, TargetError> {
        let template = Template::parse(&format!("tcp://{source}"))?;
        let mut parts = template.parts().to_vec();
        if source
            .chars()
            .any(|c| c.is_control() || matches!(c, '\\' | '/' | '?' | '#'))
        {
            return Err(TargetError::Character);
        }
        if let Some(Part::Text(first)) = parts.first_mut() {
            *first = first.trim_start_matches("tcp://").to_owned();
        }
        check_host(Scheme::Tcp, &parts)?;
        let port = source
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0));
        if !port {
            return Err(TargetError::Host("it has no port; write `host:port`".to_owned()));
        }
        Ok(Self {
            template,
            origin: Some((Scheme::Tcp, parts)),
            path: Vec::new(),
            query: None,
        })
    }

    /// Reads where a gRPC server is: `host:port` with TLS, `http://host:port` without.
    ///
    /// # Errors
    /// See [`TargetError`].
    pub fn grpc_health(source: &str) -> Result<Self, TargetError> {
        let scheme = if source.contains("://") { "" } else { "https://" };
        Self::parse(&format!("{scheme}{}{GRPC_HEALTH_PATH}", source.trim_end_matches('/')))
    }

    /// Whether it is only connected to.
    pub fn is_socket(&self) -> bool {
        matches!(self.origin, Some((Scheme::Tcp, _)))
    }

    /// The target as it was written, placeholders included; safe to show.
    pub fn source(&self) -> &str {
        self.template.source()
    }

    /// Whether it names its host itself.
    pub fn is_absolute(&self) -> bool {
        self.origin.is_some()
    }

    /// The names of the values it needs.
    pub fn slots(&self) -> impl Iterator<Item = &str> {
        self.template.slots()
    }

    /// The address, with each value encoded for its place. A path goes behind the path of `base`.
    pub(super) fn fill(&self, base: Option<&Url>, values: &Values) -> Result<Url, RenderError> {
        let mut url = match &self.origin {
            Some((scheme, host)) => fill_origin(*scheme, host, values)?,
            None => {
                let mut url = base.ok_or(RenderError::NoBase)?.clone();
                url.set_query(None);
                url.set_fragment(None);
                url
            }
        };
        if self.is_socket() {
            return Ok(url);
        }
        let own = fill_path(&self.path, values)?;
        let path = format!("{}{own}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        if let Some(query) = &self.query {
            url.set_query(Some(&fill_encoded(query, values)?));
        }
        if url.as_str().len() > URL_BYTES_MAX {
            return Err(RenderError::TooLarge);
        }
        Ok(url)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({:?})", self.source())
    }
}

fn literals(parts: &[Part]) -> impl Iterator<Item = &str> {
    parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Slot(_) => None,
    })
}

/// Removes `https://` or `http://` from the first literal.
fn take_scheme(parts: &mut [Part]) -> Option<Scheme> {
    let Some(Part::Text(first)) = parts.first_mut() else {
        return None;
    };
    for (prefix, scheme) in [("https://", Scheme::Https), ("http://", Scheme::Http)] {
        if let Some(rest) = first.strip_prefix(prefix) {
            *first = rest.to_owned();
            return Some(scheme);
        }
    }
    None
}

/// Splits before the first of `marks` that stands in a literal.
fn split_before(parts: Vec<Part>, marks: &[char]) -> (Vec<Part>, Vec<Part>) {
    let mut before = Vec::new();
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        if let Part::Text(text) = &part
            && let Some(at) = text.find(marks)
        {
            let (head, tail) = text.split_at(at);
            if !head.is_empty() {
                before.push(Part::Text(head.to_owned()));
            }
            let after = std::iter::once(Part::Text(tail.to_owned())).chain(parts).collect();
            return (before, after);
        }
        before.push(part);
    }
    (before, Vec::new())
}

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tcp => "tcp",
        }
    }
}

/// Whether the host can be read, with any label in the place of each placeholder.
fn check_host(scheme: Scheme, host: &[Part]) -> Result<(), TargetError> {
    let refused = |why: &str| Err(TargetError::Host(why.to_owned()));
    let mut text = String::new();
    for part in host {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Slot(_) if text.contains([':', '[']) => return refused("a port cannot be a placeholder"),
            Part::Slot(_) => text.push('x'),
        }
    }
    if text.contains('@') {
        return refused("a user name in an address is not sent; use `bearer` or `headers`");
    }
    match Url::parse(&format!("{}://{text}", scheme.as_str())) {
        Ok(url) if url.has_host() => Ok(()),
        Ok(_) => refused("it is empty"),
        Err(error) => Err(TargetError::Host(error.to_string())),
    }
}

fn fill_origin(scheme: Scheme, host: &[Part], values: &Values) -> Result<Url, RenderError> {
    let mut text = format!("{}://", scheme.as_str());
    let mut slot = None;
    for part in host {
        match part {
            Part::Text(literal) => text.push_str(literal),
            Part::Slot(name) => {
                let value = lookup(values, name)?.text().unwrap_or_default();
                if !is_dns_label(&value) {
                    return Err(RenderError::unsafe_value(name, "is not one label of a host name"));
                }
                text.push_str(&value);
                slot = Some(name);
            }
        }
    }
    let url = Url::parse(&text).map_err(|_| RenderError::BadHost)?;
    match (slot, url.host()) {
        // `2130706433` is a label, and 127.0.0.1.
        (Some(name), Some(url::Host::Ipv4(_))) => Err(RenderError::unsafe_value(name, "makes the host an IP address")),
        _ => Ok(url),
    }
}

/// RFC 1035 §2.3.1 as hosts use it: letters, digits and inner hyphens, at most 63.
fn is_dns_label(text: &str) -> bool {
    let inner = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    inner && (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-')
}

/// The path, in which no value makes a segment empty or a step up or down.
fn fill_path(path: &[Part], values: &Values) -> Result<String, RenderError> {
    let mut filled = String::new();
    // The last placeholder in the segment that `filled` ends with.
    let mut slot: Option<&str> = None;
    for part in path {
        match part {
            Part::Slot(name) => {
                let value = lookup(values, name)?.text().unwrap_or_default();
                push_encoded(&mut filled, &value);
                slot = Some(name);
            }
            Part::Text(literal) => {
                let mut pieces = literal.split('/');
                filled.push_str(pieces.next().unwrap_or_default());
                for piece in pieces {
                    check_segment(&filled, slot.take())?;
                    filled.push('/');
                    filled.push_str(piece);
                }
            }
        }
        if filled.len() > URL_BYTES_MAX {
            return Err(RenderError::TooLarge);
        }
    }
    check_segment(&filled, slot)?;
    Ok(filled)
}

/// Refuses a last segment that is a dot segment: percent-encoding does not disarm it, `%2e%2e` is one too (WHATWG URL,
/// "double-dot URL path segment"). `slot` is a placeholder in it; a segment without one is as its author wrote it.
fn check_segment(filled: &str, slot: Option<&str>) -> Result<(), RenderError> {
    let Some(name) = slot else {
        return Ok(());
    };
    let segment = filled.rsplit('/').next().unwrap_or_default();
    match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
        "" => Err(RenderError::unsafe_value(name, "leaves its part of the path empty")),
        "." | ".." => Err(RenderError::unsafe_value(name, "would step to another path")),
        _ => Ok(()),
    }
}

fn fill_encoded(parts: &[Part], values: &Values) -> Result<String, RenderError> {
    let mut filled = String::new();
    for part in parts {
        match part {
            Part::Text(literal) => filled.push_str(literal),
            Part::Slot(name) => push_encoded(&mut filled, &lookup(values, name)?.text().unwrap_or_default()),
        }
        if filled.len() > URL_BYTES_MAX {
            return Err(RenderError::TooLarge);
        }
    }
    Ok(filled)
}

/// Percent-encodes all but the unreserved characters of RFC 3986 §2.3.
fn push_encoded(to: &mut String, value: &str) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            let nibble = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or('0');
            to.extend(['%', nibble(byte >> 4), nibble(byte & 15)]);
        }
    }
}
