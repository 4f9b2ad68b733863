//! What is sent.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method};

use super::exchange::BODY_BYTES_MAX;
use super::json_template::JsonTemplate;
use super::route::{Route, TlsFiles};
use super::target::Target;
use super::template::Template;
use super::{Step, form};

/// How long a request may take unless the step says otherwise.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// The longest time that a step may allow a request.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(15 * 60);
/// The largest file that is sent, in bytes: 1 MiB.
pub const FILE_BYTES_MAX: usize = 1024 * 1024;

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Send {
    /// The method.
    pub method: Method,
    /// A path on the base address, an address, or a socket.
    pub target: Target,
    /// What is added to the query of the address.
    pub query: Vec<(String, Template)>,
    /// Headers besides those that the client sets.
    pub headers: Vec<(HeaderName, Template)>,
    /// Cookies besides those that answers have set.
    pub cookies: Vec<(String, Template)>,
    /// The token of `Authorization: Bearer`.
    pub bearer: Option<Template>,
    /// The user name and password of `Authorization: Basic`.
    pub basic: Option<(Template, Template)>,
    /// Where the bearer token comes from, if it must be asked for first.
    pub login: Option<Box<Login>>,
    /// The body.
    pub body: Body,
    /// For everything from resolving the name to the last byte; at most [`TIMEOUT_MAX`].
    pub timeout: Duration,
    /// Whether redirects to the same origin are followed, unless a redirect is what is expected.
    pub follow: bool,
    /// How the host is reached.
    pub route: Route,
    /// Certificates of our own.
    pub tls: Option<TlsFiles>,
    /// The largest body of an answer, in bytes, decoded.
    pub body_bytes_max: usize,
    /// How the body of the answer is read as text, whatever the answer says.
    pub charset: Option<&'static encoding_rs::Encoding>,
}

/// A request for a token: OAuth 2.0 client credentials (RFC 6749 §4.4).
#[derive(Clone, Debug, PartialEq)]
pub struct Login {
    /// What is asked; it captures the token.
    pub step: Step,
    /// The placeholder that stands for the token.
    pub slot: String,
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Nothing.
    None,
    /// JSON, sent as `application/json` unless a header says otherwise.
    Json(JsonTemplate),
    /// Text, sent as `text/plain` unless a header says otherwise. Values stand in it as they are.
    Text(Template),
    /// Pairs, sent as `application/x-www-form-urlencoded`.
    Form(Vec<(String, Template)>),
    /// Parts, sent as `multipart/form-data` (RFC 7578).
    Multipart(Vec<FormPart>),
    /// A file, sent as `application/octet-stream` unless a header says otherwise.
    File(Arc<[u8]>),
    /// A GraphQL request. Values stand in its variables only.
    GraphQl {
        /// The document.
        query: String,
        /// The variables.
        variables: Option<JsonTemplate>,
        /// Which operation of the document.
        operation: Option<String>,
    },
    /// A request of `grpc.health.v1.Health/Check` for this service; an empty name means the whole server.
    GrpcHealth(Template),
}

/// A part of a multipart body.
#[derive(Clone, Debug, PartialEq)]
pub struct FormPart {
    /// The field's name.
    pub name: String,
    /// What it holds.
    pub content: PartContent,
}

/// What a part of a multipart body holds.
#[derive(Clone, Debug, PartialEq)]
pub enum PartContent {
    /// Text.
    Value(Template),
    /// A file.
    File {
        /// Its content.
        bytes: Arc<[u8]>,
        /// What it is called on the other side.
        filename: String,
        /// Its media type.
        media_type: String,
    },
}

impl Send {
    /// A request with nothing but a method and a target.
    pub fn new(method: Method, target: Target) -> Self {
        Self {
            method,
            target,
            query: Vec::new(),
            headers: Vec::new(),
            cookies: Vec::new(),
            bearer: None,
            basic: None,
            login: None,
            body: Body::None,
            timeout: TIMEOUT_DEFAULT,
            follow: true,
            route: Route::default(),
            tls: None,
            body_bytes_max: BODY_BYTES_MAX,
            charset: None,
        }
    }

    /// Whether it only connects, by TCP.
    pub fn is_socket(&self) -> bool {
        self.target.is_socket()
    }

    /// Every placeholder in what is sent, except for the one of its own login.
    pub(crate) fn slots(&self) -> Vec<&str> {
        let mut slots: Vec<&str> = self.target.slots().collect();
        let pairs = self.query.iter().chain(&self.cookies).map(|(_, template)| template);
        let lines = self.headers.iter().map(|(_, template)| template).chain(&self.bearer);
        let basic = self.basic.iter().flat_map(|(user, password)| [user, password]);
        let pem = self.tls.iter().flat_map(TlsFiles::templates);
        slots.extend(pairs.chain(lines).chain(basic).chain(pem).flat_map(Template::slots));
        slots.extend(self.body.slots());
        if let Some(login) = &self.login {
            slots.retain(|slot| *slot != login.slot);
            slots.extend(login.step.send.slots());
        }
        slots
    }

    /// Whether it sends what proves who we are.
    pub fn has_credentials(&self) -> bool {
        self.bearer.is_some() || self.basic.is_some() || self.tls.as_ref().is_some_and(|tls| tls.identity.is_some())
    }

    pub(super) fn label(&self) -> String {
        let target = self.target.source();
        match &self.body {
            Body::GrpcHealth(service) => {
                let authority = target.strip_suffix(super::target::GRPC_HEALTH_PATH).unwrap_or(target);
                format!("gRPC health {authority} {}", service.source())
                    .trim_end()
                    .to_owned()
            }
            _ if self.is_socket() => format!("TCP {}", target.trim_start_matches("tcp://")),
            _ => format!("{} {target}", self.method),
        }
    }
}

impl Body {
    fn slots(&self) -> Vec<&str> {
        match self {
            Self::None | Self::File(_) => Vec::new(),
            Self::Json(json) => json.slots(),
            Self::Text(template) | Self::GrpcHealth(template) => template.slots().collect(),
            Self::Form(pairs) => pairs.iter().flat_map(|(_, template)| template.slots()).collect(),
            Self::GraphQl { variables, .. } => variables.iter().flat_map(JsonTemplate::slots).collect(),
            Self::Multipart(parts) => parts.iter().flat_map(FormPart::slots).collect(),
        }
    }
}

impl FormPart {
    fn slots(&self) -> Vec<&str> {
        match &self.content {
            PartContent::Value(template) => template.slots().collect(),
            PartContent::File { .. } => Vec::new(),
        }
    }
}

impl Login {
    /// The login that `step` is; equal logins share their token.
    pub(super) fn new(step: Step) -> Self {
        let slot = format!("oauth2.t{}", form::digest(&form::step(&step).to_string()));
        Self { step, slot }
    }
}
