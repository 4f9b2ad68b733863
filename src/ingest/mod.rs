//! From a raw request to what was heard: verify, then parse.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use crate::domain::Timestamp;
use crate::platform::{File, Hearing};
use crate::signature::{self, Refusal};

/// How much of a secret's hash stands for it in a key that only the store sees.
const FINGERPRINT_BYTES: usize = 8;

/// What may have signed a platform's deliveries.
#[derive(Clone, Debug)]
pub enum SecretSet {
    /// Each opens every app.
    Any(Vec<SecretString>),
    /// Each opens its own app.
    PerApp(BTreeMap<String, Vec<SecretString>>),
}

impl SecretSet {
    /// What new deliveries of `app` are to be signed by: while rotating, the first.
    pub fn for_app(&self, app: &str) -> Option<&SecretString> {
        match self {
            Self::Any(secrets) => secrets.first(),
            Self::PerApp(apps) => apps.get(app)?.first(),
        }
    }
}

/// A delivery whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub hearing: Hearing,
    /// Equal for deliveries of the same thing under the same secret: from the id in the signed body, else from the body.
    /// Never from an unsigned header.
    pub dedup_key: Vec<u8>,
    /// The app whose own secret opened it; the platform must confirm that the deployment is that app's.
    pub opened_app: Option<String>,
}

/// Why a delivery is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its signature does not hold.
    #[error(transparent)]
    Signature(#[from] Refusal),
    /// A secret opens it, but one of another app.
    #[error("the secret of `{opened}` signed it, but it speaks of `{named}`; each secret opens only its own app")]
    WrongApp {
        /// The app whose secret it is.
        opened: String,
        /// The app that the delivery names.
        named: String,
    },
    /// Its signature holds, and its body is not JSON.
    #[error("the signature holds, but the body is not JSON: {0}")]
    NotJson(String),
}

/// Verifies the raw `body` and reads what it says. `wall` is now.
///
/// # Errors
/// When the signature does not hold, is another app's, or the body is not JSON. Nothing is parsed in the first case.
pub fn receive(
    file: &File,
    secrets: &SecretSet,
    headers: &HeaderMap,
    body: &[u8],
    wall: Timestamp,
) -> Result<Verified, Refused> {
    let all = secrets.all();
    let plain: Vec<SecretString> = all.iter().map(|(_, secret)| (*secret).clone()).collect();
    let by = signature::verify(file.recipes(), headers, body, &plain, wall)?;
    let (opened_app, secret) = all[by.secret_index];
    let opened_app = opened_app.map(str::to_owned);
    let json = serde_json::from_slice(body).map_err(|error| Refused::NotJson(error.to_string()))?;
    let hearing = file.hear(&json);
    if let (Some(opened), Some(named)) = (&opened_app, hearing.heard.as_ref().and_then(|heard| heard.app.as_ref()))
        && opened != named
    {
        return Err(Refused::WrongApp {
            opened: opened.clone(),
            named: named.clone(),
        });
    }
    let dedup_key = dedup_key(secret, hearing.id.as_deref(), body);
    Ok(Verified {
        hearing,
        dedup_key,
        opened_app,
    })
}

impl SecretSet {
    /// Every secret, with the app that it opens if it opens only one.
    fn all(&self) -> Vec<(Option<&str>, &SecretString)> {
        match self {
            Self::Any(secrets) => secrets.iter().map(|secret| (None, secret)).collect(),
            Self::PerApp(apps) => {
                let mut all = Vec::new();
                for (app, secrets) in apps {
                    all.extend(secrets.iter().map(|secret| (Some(app.as_str()), secret)));
                }
                all
            }
        }
    }
}

/// One key per secret and signed id, so that nobody with another secret can take an id away. The id stands in it as it
/// is: ids that grow with time then stay neighbours in the store's index.
fn dedup_key(secret: &SecretString, id: Option<&str>, body: &[u8]) -> Vec<u8> {
    let fingerprint = Sha256::digest(secret.expose_secret().as_bytes());
    let (kind, rest) = match id {
        Some(id) => (b'i', id.as_bytes().to_vec()),
        None => (b'b', Sha256::digest(body).to_vec()),
    };
    [&fingerprint[..FINGERPRINT_BYTES], &[kind], &rest].concat()
}
