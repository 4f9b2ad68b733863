//! Why a platform's API did not say what it was asked.

use crate::http::Failure;
use crate::step::{RenderError, Response, clean, cut};

/// The most of a platform's words that are repeated, in characters.
const SAID_CHARS_MAX: usize = 300;

/// Why a call got no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There was no answer.
    #[error("{what}: {}", failure.detail)]
    Unreachable {
        /// What was asked.
        what: String,
        /// What went wrong.
        failure: Box<Failure>,
    },
    /// It answered with an error.
    #[error("{what} answered {status}: {said}")]
    Refused {
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// The title and detail of the answer.
        said: String,
    },
    /// It answered with something that is not its API's.
    #[error("{what} answered {status} with {found}; is `url` the address of the platform's API?")]
    NotTheApi {
        /// What was asked.
        what: String,
        /// The status.
        status: u16,
        /// What the answer is.
        found: String,
    },
    /// The answer lacks something.
    #[error("{what}: {missing}")]
    Incomplete {
        /// What was asked.
        what: String,
        /// What is missing.
        missing: String,
    },
    /// The request could not be made.
    #[error("{what}: {why}")]
    NotAsked {
        /// What was to be asked.
        what: String,
        /// Why not.
        why: RenderError,
    },
}

impl Error {
    /// Whether it refuses whoever asks, so that asking again as before will not help.
    pub fn is_denial(&self) -> bool {
        matches!(self, Self::Refused { status: 401 | 403, .. })
    }

    /// The error of an answer that is not 2xx JSON.
    pub(super) fn of_answer(what: String, response: &Response) -> Self {
        let status = response.status;
        if is_json(response) {
            return Self::Refused {
                what,
                status,
                said: said(response),
            };
        }
        let found = match content_type(response) {
            "" => "nothing that says what it is".to_owned(),
            other => format!("`{}`", cut(&clean(other), 80)),
        };
        match status {
            200..=299 => Self::NotTheApi { what, status, found },
            _ => Self::Refused {
                what,
                status,
                said: found,
            },
        }
    }
}

/// The answer says that it is JSON: `application/json`, or a type with the suffix `+json` (RFC 6839 §3.1).
pub(super) fn is_json(response: &Response) -> bool {
    let media_type = content_type(response).split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json") || media_type.to_ascii_lowercase().ends_with("+json")
}

fn content_type(response: &Response) -> &str {
    let value = response.headers.get(http::header::CONTENT_TYPE);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Title and detail of problem details (RFC 9457), with or without the type's own name.
pub(super) fn said(response: &Response) -> String {
    let json: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let of = |name: &str| json.get(name).and_then(serde_json::Value::as_str);
    let words: Vec<&str> = [of("title"), of("detail").or(of("message"))]
        .into_iter()
        .flatten()
        .collect();
    match words.is_empty() {
        true => "no reason given".to_owned(),
        false => cut(&clean(&words.join(": ")), SAID_CHARS_MAX),
    }
}
