//! Reading a request's body: bounded while it streams, and within a deadline.

use std::time::Duration;

use axum::body::{Body, Bytes};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// How much of a refused body is read and thrown away, so that a sender in the middle of it gets to read the answer
/// rather than a reset connection.
const DISCARD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How long that may take.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(2);

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// They are returned.
    Bytes,
    /// They are counted and thrown away.
    Nothing,
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// Declared or found to be over the limit.
    TooLarge,
    /// Not here by the deadline.
    TooSlow,
    /// Encoded: nothing is decompressed, least of all before it is verified.
    Encoded,
    /// The connection broke, or the framing is wrong.
    Broken,
}

/// Reads a body of at most `bytes_max` within `deadline`.
///
/// # Errors
/// When there is no such body. What the sender still has to say is then read and thrown away, within limits.
pub(super) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    bytes_max: usize,
    deadline: Duration,
    keep: Keep,
) -> Result<Bytes, BodyError> {
    if is_encoded(headers) {
        discard(headers, body).await;
        return Err(BodyError::Encoded);
    }
    if declared(headers).is_some_and(|bytes| bytes > bytes_max as u64) {
        discard(headers, body).await;
        return Err(BodyError::TooLarge);
    }
    match tokio::time::timeout(deadline, collect(Limited::new(&mut body, bytes_max), keep)).await {
        Err(_) => Err(BodyError::TooSlow),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(headers, body).await;
            Err(BodyError::TooLarge)
        }
        Ok(Err(_)) => Err(BodyError::Broken),
    }
}

async fn collect(mut body: Limited<&mut Body>, keep: Keep) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    if keep == Keep::Bytes {
        return Ok(body.collect().await?.to_bytes());
    }
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok(Bytes::new())
}

/// Reads and throws away what the sender is still sending, within limits. A sender that waits for leave to send
/// (`Expect: 100-continue`) gets none.
pub(super) async fn discard(headers: &HeaderMap, body: Body) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut rest = Limited::new(body, DISCARD_BYTES_MAX);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    // Whether it ended or was cut short, the answer is the same.
    let _ = tokio::time::timeout(DISCARD_TIME_MAX, read).await;
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// The declared length; one that is no number is the framing's business, which the server has refused already.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
