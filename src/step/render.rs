//! From a step and values to a request.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, TE};
use http::{HeaderName, HeaderValue};
use serde_json::{Value as Json, json};
use url::Url;

use super::exchange::Request;
use super::json_template::{fill_text, lookup};
use super::route::{Pem, Tls, TlsFiles};
use super::target::URL_BYTES_MAX;
use super::template::{Part, Template};
use super::values::Values;
use super::{Body, Send, Step, multipart};
use crate::domain::Reason;

/// The largest body that is sent, in bytes: 1 MiB.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;
/// The longest header value that is sent, in bytes: 16 KiB.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Why a request could not be made. Each says nothing about the deployment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A placeholder has no value.
    #[error("`{name}` has no value")]
    MissingValue {
        /// The placeholder.
        name: String,
    },
    /// A value cannot stand where the placeholder is, encoded or not. The value itself is not told.
    #[error("the value of `{name}` {why}")]
    UnsafeValue {
        /// The placeholder.
        name: String,
        /// What is wrong with it, as the rest of a sentence.
        why: &'static str,
    },
    /// A path, and no address to put it behind.
    #[error("there is no base address for this path")]
    NoBase,
    /// The values do not make a host.
    #[error("the values do not make a valid host")]
    BadHost,
    /// The values make the request larger than its limits.
    #[error("the values make the request too large")]
    TooLarge,
    /// A header's name or fixed value is not one; reading a file refuses those.
    #[error("header `{0}` is not valid")]
    BadHeader(String),
    /// The body could not be written as JSON.
    #[error("the body cannot be written as JSON")]
    BadBody,
}

impl RenderError {
    /// The word for it in observations.
    pub const fn reason(&self) -> Reason {
        Reason::MissingValue
    }

    pub(super) fn unsafe_value(name: &str, why: &'static str) -> Self {
        Self::UnsafeValue {
            name: name.to_owned(),
            why,
        }
    }
}

/// Makes the request of `step`: each value goes in once, encoded for its place, and no value leaves it.
///
/// A target of its own origin is rendered as it is; whether it may be called with credentials is for the caller to know,
/// by [`Request::carries_credentials`].
///
/// # Errors
/// When a value is missing or cannot stand in its place; see [`RenderError`].
pub fn render(step: &Step, base: Option<&Url>, values: &Values) -> Result<Request, RenderError> {
    let send = &step.send;
    let mut url = send.target.fill(base, values)?;
    add_query(&mut url, &send.query, values)?;
    let mut headers = Vec::new();
    for (name, template) in &send.headers {
        headers.push((name.clone(), header_value(name, template, values)?));
    }
    if let Some(template) = &send.bearer {
        headers.push((AUTHORIZATION, bearer(template, values)?));
    }
    if let Some((user, password)) = &send.basic {
        headers.push((AUTHORIZATION, basic(user, password, values)?));
    }
    if let Body::GrpcHealth(_) = send.body {
        headers.push((TE, HeaderValue::from_static("trailers")));
    }
    let (body, content_type) = fill_body(&send.body, values)?;
    if let Some(content_type) = content_type
        && !headers.iter().any(|(name, _)| name == CONTENT_TYPE)
    {
        let content_type = HeaderValue::from_str(&content_type).map_err(|_| RenderError::BadBody)?;
        headers.push((CONTENT_TYPE, content_type));
    }
    Ok(Request {
        carries_credentials: carries_credentials(send, values)
            || !url.username().is_empty()
            || url.password().is_some(),
        headers,
        body,
        follow_redirects: send.follow && !step.expect.wants_redirect(),
        body_bytes_max: send.body_bytes_max,
        cookies: cookies(&send.cookies, values)?,
        route: send.route.clone(),
        tls: send.tls.as_ref().map(|files| tls(files, values)).transpose()?,
        ..Request::new(send.method.clone(), url, send.timeout)
    })
}

fn carries_credentials(send: &Send, values: &Values) -> bool {
    let credential = |name: &HeaderName| ["authorization", "cookie", "proxy-authorization"].contains(&name.as_str());
    let secret = |name: &str| values.get(name).is_some_and(|value| value.secret);
    send.has_credentials()
        || !send.cookies.is_empty()
        || send.headers.iter().any(|(name, _)| credential(name))
        || send.slots().into_iter().any(secret)
}

/// Adds pairs to the query of an address; no value can end its own.
fn add_query(url: &mut Url, pairs: &[(String, Template)], values: &Values) -> Result<(), RenderError> {
    if pairs.is_empty() {
        return Ok(());
    }
    let mut query = url.query_pairs_mut();
    for (name, template) in pairs {
        query.append_pair(name, &fill_text(template, values)?);
    }
    drop(query);
    if url.as_str().len() > URL_BYTES_MAX {
        return Err(RenderError::TooLarge);
    }
    Ok(())
}

/// Cookies, in whose values nothing can end them (RFC 6265 §4.1.1).
fn cookies(cookies: &[(String, Template)], values: &Values) -> Result<Vec<(String, String)>, RenderError> {
    let in_cookie = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\');
    let fill = |(name, template): &(String, Template)| {
        let (value, _) = fill_line(
            template,
            values,
            in_cookie,
            "has a character that cannot stand in a cookie",
        )?;
        Ok((name.clone(), value))
    };
    cookies.iter().map(fill).collect()
}

fn tls(files: &TlsFiles, values: &Values) -> Result<Tls, RenderError> {
    let bytes = |pem: &Pem| match pem {
        Pem::File(bytes) => Ok(Arc::clone(bytes)),
        Pem::Secret(template) => Ok(Arc::from(fill_text(template, values)?.into_bytes())),
    };
    let identity = files.identity.as_ref();
    Ok(Tls {
        ca: files.ca.as_ref().map(bytes).transpose()?,
        identity: identity
            .map(|(certificate, key)| Ok::<_, RenderError>((bytes(certificate)?, bytes(key)?)))
            .transpose()?,
    })
}

fn fill_body(body: &Body, values: &Values) -> Result<(Option<Vec<u8>>, Option<String>), RenderError> {
    let json = |json: &Json| serde_json::to_vec(json).map_err(|_| RenderError::BadBody);
    let (bytes, content_type) = match body {
        Body::None => return Ok((None, None)),
        Body::Json(template) => (json(&template.fill(values)?)?, "application/json".to_owned()),
        Body::Text(template) => (
            fill_text(template, values)?.into_bytes(),
            "text/plain; charset=utf-8".to_owned(),
        ),
        Body::Form(pairs) => (form(pairs, values)?, "application/x-www-form-urlencoded".to_owned()),
        Body::Multipart(parts) => multipart::fill(parts, values)?,
        Body::File(bytes) => (bytes.to_vec(), "application/octet-stream".to_owned()),
        Body::GraphQl {
            query,
            variables,
            operation,
        } => {
            let mut request = json!({ "query": query });
            if let Some(variables) = variables {
                request["variables"] = variables.fill(values)?;
            }
            if let Some(operation) = operation {
                request["operationName"] = operation.as_str().into();
            }
            (json(&request)?, "application/json".to_owned())
        }
        Body::GrpcHealth(service) => (
            grpc_health(&fill_text(service, values)?)?,
            "application/grpc".to_owned(),
        ),
    };
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(RenderError::TooLarge);
    }
    Ok((Some(bytes), Some(content_type)))
}

fn form(pairs: &[(String, Template)], values: &Values) -> Result<Vec<u8>, RenderError> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, template) in pairs {
        form.append_pair(name, &fill_text(template, values)?);
    }
    Ok(form.finish().into_bytes())
}

/// `HealthCheckRequest { service = 1 }` in protocol buffers, in a gRPC frame: not compressed, and its length.
fn grpc_health(service: &str) -> Result<Vec<u8>, RenderError> {
    const FIELD_1_TEXT: u8 = 0x0a;
    let length = u8::try_from(service.len()).ok().filter(|length| *length < 0x80);
    let length = length.ok_or(RenderError::TooLarge)?;
    let message = if length == 0 {
        Vec::new()
    } else {
        [&[FIELD_1_TEXT, length], service.as_bytes()].concat()
    };
    let size = u32::try_from(message.len()).map_err(|_| RenderError::TooLarge)?;
    Ok([&[0], size.to_be_bytes().as_slice(), &message].concat())
}

/// `Basic` and the pair (RFC 7617): a colon in the user name would move the border between them.
fn basic(user: &Template, password: &Template, values: &Values) -> Result<HeaderValue, RenderError> {
    let in_user = |c: char| !c.is_control() && c != ':';
    let (user, _) = fill_line(
        user,
        values,
        in_user,
        "has a character that cannot stand in a user name",
    )?;
    let (password, _) = fill_line(
        password,
        values,
        |c| !c.is_control(),
        "has a control character, which cannot stand in a password",
    )?;
    let pair = STANDARD.encode(format!("{user}:{password}"));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}"))
        .map_err(|_| RenderError::BadHeader(AUTHORIZATION.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A header's value: the values in it are visible ASCII and spaces, so none can end the line or hide.
fn header_value(name: &HeaderName, template: &Template, values: &Values) -> Result<HeaderValue, RenderError> {
    let visible = |c: char| c == ' ' || c.is_ascii_graphic();
    let (text, secret) = fill_line(
        template,
        values,
        visible,
        "has a character that cannot stand in a header",
    )?;
    let mut value = HeaderValue::from_str(&text).map_err(|_| RenderError::BadHeader(name.to_string()))?;
    value.set_sensitive(secret);
    Ok(value)
}

/// `Bearer` and the token, which is one word of visible ASCII (RFC 6750 §2.1), so it can add no second credential.
fn bearer(template: &Template, values: &Values) -> Result<HeaderValue, RenderError> {
    let in_token = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | ',' | ';' | '\\');
    let (token, _) = fill_line(
        template,
        values,
        in_token,
        "has a character that cannot stand in a bearer token",
    )?;
    let bad = || RenderError::BadHeader(AUTHORIZATION.to_string());
    if token.is_empty() {
        return Err(template
            .slots()
            .next()
            .map_or_else(bad, |name| RenderError::unsafe_value(name, "is empty")));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| bad())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The filled text, and whether a secret is in it; each character of each value must be `allowed`.
fn fill_line(
    template: &Template,
    values: &Values,
    allowed: impl Fn(char) -> bool,
    why: &'static str,
) -> Result<(String, bool), RenderError> {
    let mut line = String::new();
    let mut secret = false;
    for part in template.parts() {
        match part {
            Part::Text(literal) => line.push_str(literal),
            Part::Slot(name) => {
                let value = lookup(values, name)?;
                let text = value.text().unwrap_or_default();
                if !text.chars().all(&allowed) {
                    return Err(RenderError::unsafe_value(name, why));
                }
                secret |= value.secret;
                line.push_str(&text);
            }
        }
        if line.len() > HEADER_BYTES_MAX {
            return Err(RenderError::TooLarge);
        }
    }
    Ok((line, secret))
}
