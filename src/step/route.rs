//! How a request reaches its host.

use std::fmt;
use std::sync::Arc;

use url::Url;

use super::template::Template;

/// How the host of an address is reached, where that is not left to its name and the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    /// What is dialled in place of the address's host; `Host` and the TLS name stay the address's.
    pub connect: Option<Dial>,
    /// Which kind of addresses is dialled.
    pub family: Family,
    /// Which version of HTTP is spoken.
    pub http: HttpWanted,
    /// Through which HTTP proxy.
    pub proxy: Option<Url>,
}

/// A host to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port; the address's unless given.
    pub port: Option<u16>,
}

impl Dial {
    /// Reads `host`, `host:port`, `[::1]:port` or `::1`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse::<std::net::Ipv6Addr>() {
            return Some(Self {
                host: ip.to_string(),
                port: None,
            });
        }
        // The address parser knows what a host and a port are.
        let url = Url::parse(&format!("tcp://{text}")).ok()?;
        let bare =
            url.path().is_empty() && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let host = url.host_str().filter(|host| bare && !host.is_empty())?;
        Some(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port(),
        })
    }
}

/// Which kind of addresses is dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Any.
    #[default]
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Which version of HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpWanted {
    /// What TLS agrees on; without TLS HTTP/1.1.
    #[default]
    Any,
    /// HTTP/1.1.
    One,
    /// HTTP/2, also without TLS.
    Two,
}

/// Certificates of our own, as a step names them.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsFiles {
    /// The authorities that are trusted in place of the usual ones.
    pub ca: Option<Pem>,
    /// The certificate that we show, and its key.
    pub identity: Option<(Pem, Pem)>,
}

impl TlsFiles {
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.ca.iter().chain(identity).filter_map(|pem| match pem {
            Pem::Secret(template) => Some(template),
            Pem::File(_) => None,
        })
    }
}

/// Text in PEM (RFC 7468).
#[derive(Clone, PartialEq)]
pub enum Pem {
    /// What a file held when the config was read.
    File(Arc<[u8]>),
    /// A secret.
    Secret(Template),
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => write!(f, "File({} bytes)", bytes.len()),
            Self::Secret(template) => template.fmt(f),
        }
    }
}

/// Certificates of our own, ready for a request.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authorities that are trusted, in PEM; the usual ones unless given.
    pub ca: Option<Arc<[u8]>>,
    /// The certificate that we show and its key, in PEM.
    pub identity: Option<(Bytes, Bytes)>,
}

/// What a file or a secret holds.
type Bytes = Arc<[u8]>;

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("ca", &self.ca.is_some())
            .field("identity", &self.identity.is_some())
            .finish()
    }
}
