//! Verifying what we receive, before anything in it is parsed.

use std::time::Duration;

use http::{HeaderMap, Uri};
use secrecy::{ExposeSecret, SecretString};

use super::claim::Claim;
use super::recipe::{Dedup, Layout, Place, Recipe};
use crate::domain::Timestamp;

/// A request, as far as signatures know requests.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Its method, in capitals.
    pub method: &'a str,
    /// The whole address that its sender used, where that is known.
    pub url: Option<&'a Uri>,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// What stands behind the platform's name in the path.
    pub path_secret: Option<&'a str>,
    /// Its body, byte for byte.
    pub body: &'a [u8],
}

impl<'a> Received<'a> {
    /// A POST of which nothing but headers and body matter.
    pub fn new(headers: &'a HeaderMap, body: &'a [u8]) -> Self {
        Self {
            method: "POST",
            url: None,
            headers,
            path_secret: None,
            body,
        }
    }
}

/// What opened a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBy {
    /// The index of the secret, in the order given.
    pub secret_index: usize,
    /// The name of the recipe.
    pub recipe: String,
    /// The id that the signature covers, if it covers one.
    pub signed_id: Option<String>,
    /// What makes two deliveries one.
    pub dedup: Dedup,
}

impl VerifiedBy {
    /// The id that makes two deliveries one, from the signed `body` or what was signed beside it. `None` if the recipe
    /// knows none.
    pub fn id(&self, body: &serde_json::Value) -> Option<String> {
        match &self.dedup {
            Dedup::SignedId => self.signed_id.clone(),
            Dedup::Json(pointer) => match body.pointer(pointer)? {
                serde_json::Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
                serde_json::Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
            Dedup::Body => None,
        }
    }
}

/// Exactly why a signature does not hold. For our own eyes; none of it says what the right signature would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing that can be a signature is there.
    #[error("it is not signed: there is no {0}")]
    Unsigned(String),
    /// A header is there more than once, so that two readers could see two values.
    #[error("header `{0}` is there more than once")]
    Doubled(String),
    /// There is a signature, but not another header that belongs to it.
    #[error("header `{0}` is missing")]
    Missing(String),
    /// The timestamp is not whole seconds in ASCII digits.
    #[error("header `{0}` is not a time in whole Unix seconds")]
    BadTimestamp(String),
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
    /// The signature itself says that it is over.
    #[error("the signature says that it expired {late_s} s ago; one of the two clocks may be wrong")]
    Expired {
        /// How long ago, in seconds.
        late_s: u64,
    },
    /// The signature is not written as it must be.
    #[error("header `{header}` {why}")]
    Malformed {
        /// The header.
        header: String,
        /// What is wrong, as the rest of a sentence.
        why: String,
    },
    /// No secret fits.
    #[error("the signature in `{place}` fits none of the {secrets} secrets and this body: {hint}")]
    Mismatch {
        /// Where it stands.
        place: String,
        /// How many secrets were tried.
        secrets: usize,
        /// What it may be.
        hint: &'static str,
    },
}

/// Verifies a request by those `recipes` in whose place there is a signature; each of them must hold, under the same
/// secret. `wall` is now.
///
/// # Errors
/// Why it does not hold.
pub fn verify(
    recipes: &[Recipe],
    received: &Received<'_>,
    secrets: &[SecretString],
    wall: Timestamp,
) -> Result<VerifiedBy, Refusal> {
    verify_within(recipes, received, secrets, wall, None)
}

/// [`verify`], with another tolerance than the recipes' own.
pub(super) fn verify_within(
    recipes: &[Recipe],
    received: &Received<'_>,
    secrets: &[SecretString],
    wall: Timestamp,
    tolerance: Option<Duration>,
) -> Result<VerifiedBy, Refusal> {
    let mut claims = Vec::new();
    for recipe in recipes {
        claims.extend(Claim::read(
            recipe,
            received,
            tolerance.unwrap_or(recipe.tolerance),
            wall,
        )?);
    }
    let Some(first) = claims.first() else {
        return Err(Refusal::Unsigned(places(recipes)));
    };
    // Every secret is tried against every claim, so that the time taken does not tell which one fits.
    let mut opened = None;
    for (secret_index, secret) in secrets.iter().enumerate() {
        let holds = |claim: &&Claim<'_>| {
            let key = claim.recipe.key(secret.expose_secret());
            key.is_ok_and(|key| claim.opened_by(&key, received.body))
        };
        if claims.iter().filter(holds).count() == claims.len() {
            opened = opened.or(Some(secret_index));
        }
    }
    let Some(secret_index) = opened else {
        return Err(Refusal::Mismatch {
            place: place(first.recipe),
            secrets: secrets.len(),
            hint: hint(first.recipe, received.body),
        });
    };
    Ok(VerifiedBy {
        secret_index,
        recipe: first.recipe.name.clone().into_owned(),
        signed_id: first.id.map(str::to_owned),
        dedup: first.recipe.dedup.clone(),
    })
}

/// Where a recipe's signature stands, in words.
pub(super) fn place(recipe: &Recipe) -> String {
    match &recipe.place {
        Place::Header(name) => name.clone().into_owned(),
        Place::Path => "the path".to_owned(),
    }
}

fn places(recipes: &[Recipe]) -> String {
    let headers: Vec<String> = recipes
        .iter()
        .filter_map(|recipe| match &recipe.place {
            Place::Header(name) => Some(format!("`{name}`")),
            Place::Path => None,
        })
        .collect();
    let path = recipes.iter().any(|recipe| recipe.place == Place::Path);
    match (headers.is_empty(), path) {
        (false, false) => format!("header {}", headers.join(" or ")),
        (false, true) => format!("header {}, nor a secret in the path", headers.join(" or ")),
        (true, _) => "secret in the path: deliver to `/webhooks/PLATFORM/SECRET`".to_owned(),
    }
}

/// What most often makes a signature not fit, as far as the request shows it.
fn hint(recipe: &Recipe, body: &[u8]) -> &'static str {
    if matches!(recipe.layout, Layout::Message(_)) {
        "the secret is another one, or the address, a covered header or the body is not what was signed; \
         `server.public_url` must be the address that the sender uses"
    } else if body.is_empty() {
        "the body is empty; it may have been lost on the way"
    } else if body.ends_with(b"\n") {
        "the body ends with a line break that its sender may not have sent; or the secret is another one"
    } else if body.windows(2).any(|pair| pair == b"\n ") {
        "the body is laid out in lines, as if somebody had parsed and printed it again; or the secret is another one"
    } else {
        "the secret is another one, or something between changed the body"
    }
}
