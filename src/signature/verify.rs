//! Verifying what we receive, before anything in it is parsed.

use std::time::Duration;

use hmac::Mac as _;
use http::{HeaderMap, HeaderName};
use secrecy::{ExposeSecret, SecretString};

use super::recipe::Recipe;
use super::sign::mac;
use crate::domain::Timestamp;

/// Hex digits of a SHA-256.
const HEX_DIGITS: usize = 64;
/// Digits of a timestamp at most; Unix seconds have ten until the year 2286.
const TIMESTAMP_DIGITS_MAX: usize = 12;

/// What opened a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedBy {
    /// The index of the secret, in the order given.
    pub secret_index: usize,
}

/// Exactly why a signature does not hold. For our own eyes; none of it says what the right signature would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// None of the headers that can carry a signature is there.
    #[error("it is not signed: there is no header {0}")]
    Unsigned(String),
    /// A header is there more than once, so that two readers could see two values.
    #[error("header `{0}` is there more than once")]
    Doubled(HeaderName),
    /// There is a signature, but not the timestamp that it covers.
    #[error("header `{0}` is missing")]
    NoTimestamp(HeaderName),
    /// The timestamp is not whole seconds in ASCII digits.
    #[error("header `{0}` is not a time in whole Unix seconds")]
    BadTimestamp(HeaderName),
    /// The timestamp is further from now than the recipe allows.
    #[error("the timestamp is {off_s} s {direction}, and at most {} s are allowed; one of the two clocks may be wrong",
        tolerance.as_secs())]
    Stale {
        /// How far off, in seconds.
        off_s: u64,
        /// `in the past` or `in the future`.
        direction: &'static str,
        /// What is allowed.
        tolerance: Duration,
    },
    /// The signature is not hex digits behind a known prefix.
    #[error("header `{header}` {why}")]
    Malformed {
        /// The header.
        header: HeaderName,
        /// What is wrong, as the rest of a sentence.
        why: String,
    },
    /// No secret fits.
    #[error("the signature in `{header}` fits none of the {secrets} secrets and this body: {hint}")]
    Mismatch {
        /// The header.
        header: HeaderName,
        /// How many secrets were tried.
        secrets: usize,
        /// What it may be.
        hint: &'static str,
    },
}

/// Verifies the raw `body` by those `recipes` whose signature header is there; each of them must hold, under the same
/// secret. `wall` is now.
///
/// # Errors
/// Why it does not hold.
pub fn verify(
    recipes: &[Recipe],
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[SecretString],
    wall: Timestamp,
) -> Result<VerifiedBy, Refusal> {
    let mut claims = Vec::new();
    for recipe in recipes {
        claims.extend(Claim::read(recipe, headers, wall)?);
    }
    let Some(first) = claims.first() else {
        let names: Vec<String> = recipes.iter().map(|r| format!("`{}`", r.signature_header)).collect();
        return Err(Refusal::Unsigned(names.join(" or ")));
    };
    // Every secret is tried against every claim, so that the time taken does not tell which one fits.
    let mut opened = None;
    for (secret_index, secret) in secrets.iter().enumerate() {
        let key = secret.expose_secret().as_bytes();
        let held = claims.iter().filter(|claim| claim.holds(key, body)).count();
        if held == claims.len() && !key.is_empty() {
            opened = opened.or(Some(VerifiedBy { secret_index }));
        }
    }
    opened.ok_or_else(|| Refusal::Mismatch {
        header: first.header.clone(),
        secrets: secrets.len(),
        hint: hint(body),
    })
}

/// A signature that a request claims to have.
struct Claim<'a> {
    header: HeaderName,
    timestamp: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Claim<'a> {
    /// The claim by `recipe`, if its signature header is there.
    fn read(recipe: &Recipe, headers: &'a HeaderMap, wall: Timestamp) -> Result<Option<Self>, Refusal> {
        let Some(signature) = only(headers, &recipe.signature_header)? else {
            return Ok(None);
        };
        let name = &recipe.timestamp_header;
        let timestamp = only(headers, name)?.ok_or_else(|| Refusal::NoTimestamp(name.clone()))?;
        let seconds = seconds(timestamp).ok_or_else(|| Refusal::BadTimestamp(name.clone()))?;
        fresh(seconds, recipe.tolerance, wall)?;
        let signature = decode(recipe, signature).map_err(|why| Refusal::Malformed {
            header: recipe.signature_header.clone(),
            why,
        })?;
        Ok(Some(Self {
            header: recipe.signature_header.clone(),
            timestamp,
            signature,
        }))
    }

    fn holds(&self, key: &[u8], body: &[u8]) -> bool {
        // `verify_slice` compares in constant time.
        mac(key, &[self.timestamp, b".", body])
            .verify_slice(&self.signature)
            .is_ok()
    }
}

/// The one value of a header; `None` if it is not there.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Refusal::Doubled(name.clone())),
        (value, None) => Ok(value.map(http::HeaderValue::as_bytes)),
    }
}

fn seconds(text: &[u8]) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= TIMESTAMP_DIGITS_MAX && text.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(text).ok().filter(|_| digits)?;
    text.parse().ok()
}

fn fresh(seconds: i64, tolerance: Duration, wall: Timestamp) -> Result<(), Refusal> {
    let off_s = wall.as_secs().abs_diff(seconds);
    if off_s <= tolerance.as_secs() {
        return Ok(());
    }
    Err(Refusal::Stale {
        off_s,
        direction: if seconds < wall.as_secs() {
            "in the past"
        } else {
            "in the future"
        },
        tolerance,
    })
}

/// The signature's bytes: all of them, so that the start of a right signature is not one.
fn decode(recipe: &Recipe, value: &[u8]) -> Result<Vec<u8>, String> {
    let stripped = recipe
        .prefixes
        .iter()
        .filter_map(|prefix| value.strip_prefix(prefix.as_bytes()));
    // The shortest rest is what stands behind the longest prefix that fits.
    let Some(digits) = stripped.min_by_key(|rest| rest.len()) else {
        return Err(format!("does not begin with `{}`", recipe.prefixes.join("` or `")));
    };
    if digits.len() != HEX_DIGITS {
        return Err(format!(
            "has {} characters for its signature, not {HEX_DIGITS}",
            digits.len()
        ));
    }
    if digits.iter().any(u8::is_ascii_uppercase) {
        return Err("has capital hex digits; signatures are lower-case".to_owned());
    }
    hex::decode(digits).map_err(|_| "has characters that are not hex digits".to_owned())
}

/// What most often makes a signature not fit, as far as the body shows it.
fn hint(body: &[u8]) -> &'static str {
    if body.is_empty() {
        "the body is empty; it may have been lost on the way"
    } else if body.ends_with(b"\n") {
        "the body ends with a line break that its sender may not have sent; or the secret is another one"
    } else if body.windows(2).any(|pair| pair == b"\n ") {
        "the body is laid out in lines, as if somebody had parsed and printed it again; or the secret is another one"
    } else {
        "the secret is another one, or something between changed the body"
    }
}
