//! `[telemetry]`: where traces go.

use std::fmt;

use http::{HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use url::Url;

use super::read::Reader;
use crate::document::{Key, Node, Table};

const SERVICE_DEFAULT: &str = "backstop";
/// Where OTLP over HTTP takes traces (OTLP §"OTLP/HTTP Request").
const TRACES_PATH: &str = "v1/traces";
/// Where collectors take OTLP over gRPC, which we do not speak.
const GRPC_PORT: u16 = 4317;
/// Characters of a service's name.
const SERVICE_CHARS_MAX: usize = 100;
/// Headers that are sent with traces at most.
const HEADERS_MAX: usize = 16;

/// Where traces go, by OTLP over HTTP.
#[derive(Clone)]
pub struct Telemetry {
    /// The whole address; it may be a secret.
    pub otlp: Url,
    /// What is sent with it; those with secrets are marked sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// It, or a header, is a secret, so it may only go where credentials may go.
    pub is_secret: bool,
    /// What traces say that they are of, as `service.name`.
    pub service_name: String,
}

/// Shows no address and no header's value.
impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry")
            .field("host", &self.otlp.host_str())
            .field("service_name", &self.service_name)
            .finish_non_exhaustive()
    }
}

impl Reader<'_> {
    /// Reads `[telemetry]`, if it is there.
    pub(super) fn telemetry(&mut self, root: &mut Table<'_>) -> Option<Telemetry> {
        let mut table = root.table("telemetry", &mut self.problems)?;
        let service_name = self.service_name(&mut table);
        let headers = self.telemetry_headers(&mut table);
        let help = "where traces are taken by OTLP over HTTP: `otlp = \"http://127.0.0.1:4318\"`";
        let node = table.required("otlp", help, &mut self.problems);
        let has_placeholder = |node: &Node<'_>| node.as_str().is_some_and(|text| text.contains("{{"));
        let is_secret = node.as_ref().is_some_and(has_placeholder);
        let otlp = node.and_then(|node| {
            let url = self.otlp(&node)?;
            let sensitive = headers.iter().flatten().any(|(_, value)| value.is_sensitive());
            if is_secret || sensitive {
                let what = if sensitive {
                    "the headers"
                } else {
                    "the address, which is a secret,"
                };
                self.must_be_safe(&node, &url, what, is_secret);
            }
            Some((url, is_secret || sensitive))
        });
        let aliases = [
            ("endpoint", "otlp"),
            ("url", "otlp"),
            ("address", "otlp"),
            ("exporter", "otlp"),
            ("service", "service_name"),
            ("name", "service_name"),
            ("protocol", "there is one protocol: OTLP over HTTP, in protobuf"),
            ("sample", "every run is traced; sample in your collector"),
            ("sampling", "every run is traced; sample in your collector"),
        ];
        table.finish(&mut self.problems, &aliases);
        let (otlp, is_secret) = otlp?;
        Some(Telemetry {
            otlp,
            headers: headers?,
            is_secret,
            service_name: service_name?,
        })
    }

    /// The address that takes traces: what is configured, with OTLP's path behind it unless it is there.
    fn otlp(&mut self, node: &Node<'_>) -> Option<Url> {
        let mut url = self.url(node)?;
        if url.query().is_some() || url.fragment().is_some() {
            let message = format!("{} has a query or fragment", node.label());
            self.problems
                .push_hidden(node.place(), message, "what it asks for goes into `headers`");
            return None;
        }
        if url.port() == Some(GRPC_PORT) {
            let help = "collectors take OTLP over HTTP at port 4318: `otlp = \"http://127.0.0.1:4318\"`";
            let message = format!("{GRPC_PORT} is the port for OTLP over gRPC, and this is OTLP over HTTP");
            self.problems.warn(node.place(), message, help);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.ends_with(&format!("/{TRACES_PATH}")) {
            url.set_path(&format!("{path}/{TRACES_PATH}"));
        }
        Some(url)
    }

    fn service_name(&mut self, table: &mut Table<'_>) -> Option<String> {
        let Some(node) = table.take("service_name") else {
            return Some(SERVICE_DEFAULT.to_owned());
        };
        let text = node.string(&mut self.problems)?;
        if text.trim().is_empty() || text.chars().count() > SERVICE_CHARS_MAX {
            let message = format!("{} must be from 1 to {SERVICE_CHARS_MAX} characters", node.label());
            self.problems.push(node.place(), message);
            return None;
        }
        Some(text.to_owned())
    }

    fn telemetry_headers(&mut self, table: &mut Table<'_>) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let Some(node) = table.take("headers") else {
            return Some(Vec::new());
        };
        let mut headers = node.table(&mut self.problems)?;
        let entries = headers.take_all();
        if let Some((key, _)) = entries.get(HEADERS_MAX) {
            let message = format!("{} has more than {HEADERS_MAX} headers", headers.label());
            self.problems.push(key.place.clone(), message);
            return None;
        }
        // All are read, so that all problems are told.
        let read: Vec<_> = entries
            .into_iter()
            .map(|(key, node)| self.telemetry_header(&key, &node))
            .collect();
        read.into_iter().collect()
    }

    fn telemetry_header(&mut self, key: &Key<'_>, node: &Node<'_>) -> Option<(HeaderName, HeaderValue)> {
        const OURS: [&str; 7] = [
            "connection",
            "content-encoding",
            "content-length",
            "content-type",
            "host",
            "transfer-encoding",
            "user-agent",
        ];
        let Ok(name) = HeaderName::from_bytes(key.name.as_bytes()) else {
            let message = format!("`{}` is not the name of a header", key.name);
            self.problems.push(key.place.clone(), message);
            return None;
        };
        if OURS.contains(&name.as_str()) {
            let message = format!("header `{name}` cannot be set: it says what is sent");
            self.problems.push(key.place.clone(), message);
            return None;
        }
        let is_credential = name == http::header::AUTHORIZATION;
        let is_secret = is_credential || node.as_str().is_some_and(|text| text.contains("{{"));
        let text = if is_credential {
            let secret = self.secrets.secret(node, &mut self.problems)?;
            secret.expose_secret().to_owned()
        } else {
            self.secrets.text(node, &mut self.problems)?
        };
        let visible = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        let Some(mut value) = HeaderValue::from_str(&text).ok().filter(|_| visible) else {
            let message = format!("{} has a character that cannot stand in a header", node.label());
            let help = "use visible ASCII characters and spaces, on one line";
            self.problems.push_hidden(node.place(), message, help);
            return None;
        };
        value.set_sensitive(is_secret);
        Some((name, value))
    }
}
