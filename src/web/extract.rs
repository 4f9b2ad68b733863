//! What handlers take from a request; whatever does not fit is a problem in our own words.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The most characters of an id or name in a path. Ours are shorter; longer ones cannot exist.
const SEGMENT_CHARS_MAX: usize = 300;

/// The most bytes that a form of ours sends.
const FORM_BYTES_MAX: usize = 8 * 1024;

/// What a form of a page sent.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded`.
    ///
    /// # Errors
    /// When there is more than any form of ours sends.
    pub(super) async fn read(body: Body) -> Result<Self, Problem> {
        let bytes = to_bytes(body, FORM_BYTES_MAX).await;
        let bytes = bytes.map_err(|_| Problem::bad_request("use the buttons of the page"))?;
        Ok(Self(url::form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    /// A field's first value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The one variable segment of a path, decoded.
pub(super) struct Segment(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let text = Path::<String>::from_request_parts(parts, state).await;
        let text = text
            .map_err(|_| Problem::not_found("there is nothing at this address"))?
            .0;
        if fits(&text) {
            Ok(Self(text))
        } else {
            Err(Problem::not_found("there is nothing at this address"))
        }
    }
}

/// The two variable segments of a path, decoded.
pub(super) struct Segments(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<(String, String)>::from_request_parts(parts, state).await {
            Ok(Path((first, second))) if fits(&first) && fits(&second) => Ok(Self(first, second)),
            _ => Err(Problem::not_found("there is nothing at this address")),
        }
    }
}

fn fits(text: &str) -> bool {
    text.chars().count() <= SEGMENT_CHARS_MAX && !text.chars().any(char::is_control)
}

/// The query, read into `T`. `T` denies unknown keys, so that a misspelt filter is not silently no filter.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        // Nothing of ours holds one, and PostgreSQL does not take it.
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Problem::bad_request("the query holds a null character"));
        }
        Query::<T>::try_from_uri(&parts.uri)
            .map(|Query(asked)| Self(asked))
            .map_err(|error| Problem::bad_request(format!("the query cannot be read: {}", error.body_text())))
    }
}
