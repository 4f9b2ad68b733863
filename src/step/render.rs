//! From a step and values to a request.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use url::Url;

use super::exchange::{BODY_BYTES_MAX, Request};
use super::json_template::{fill_text, lookup};
use super::template::{Part, Template};
use super::values::Values;
use super::{Body, Send, Step};
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
    let url = send.target.fill(base, values)?;
    let mut headers = Vec::new();
    for (name, template) in &send.headers {
        headers.push((name.clone(), header_value(name, template, values)?));
    }
    if let Some(template) = &send.bearer {
        headers.push((AUTHORIZATION, bearer(template, values)?));
    }
    let (body, content_type) = fill_body(&send.body, values)?;
    if let Some(content_type) = content_type
        && !headers.iter().any(|(name, _)| name == CONTENT_TYPE)
    {
        headers.push((CONTENT_TYPE, HeaderValue::from_static(content_type)));
    }
    Ok(Request {
        method: send.method.clone(),
        carries_credentials: carries_credentials(send, values)
            || !url.username().is_empty()
            || url.password().is_some(),
        url,
        headers,
        body,
        timeout: send.timeout,
        follow_redirects: send.follow && !step.expect.wants_redirect(),
        body_bytes_max: BODY_BYTES_MAX,
        cut_body: false,
    })
}

fn carries_credentials(send: &Send, values: &Values) -> bool {
    let credential = |name: &HeaderName| ["authorization", "cookie", "proxy-authorization"].contains(&name.as_str());
    let secret = |name: &str| values.get(name).is_some_and(|value| value.secret);
    send.bearer.is_some()
        || send.headers.iter().any(|(name, _)| credential(name))
        || send.slots().into_iter().any(secret)
}

fn fill_body(body: &Body, values: &Values) -> Result<(Option<Vec<u8>>, Option<&'static str>), RenderError> {
    let (bytes, content_type) = match body {
        Body::None => return Ok((None, None)),
        Body::Json(json) => {
            let bytes = serde_json::to_vec(&json.fill(values)?).map_err(|_| RenderError::BadBody)?;
            (bytes, "application/json")
        }
        Body::Text(template) => (fill_text(template, values)?.into_bytes(), "text/plain; charset=utf-8"),
    };
    if bytes.len() > REQUEST_BYTES_MAX {
        return Err(RenderError::TooLarge);
    }
    Ok((Some(bytes), Some(content_type)))
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
