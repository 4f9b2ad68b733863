//! From a raw request to what was heard: verify, then parse.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};

use crate::domain::Timestamp;
use crate::platform::{File, Hearing};
use crate::signature::{self, Named, Refusal};

pub use crate::signature::{Explanation, Received};

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
    /// Which secret opened it, in the order of [`SecretSet::names`].
    pub secret_index: usize,
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

/// Verifies a request and reads what it says. `wall` is now.
///
/// # Errors
/// When the signature does not hold, is another app's, or the body is not JSON. Nothing is parsed in the first case.
pub fn receive(
    file: &File,
    secrets: &SecretSet,
    received: &Received<'_>,
    wall: Timestamp,
) -> Result<Verified, Refused> {
    let all = secrets.all();
    let plain: Vec<SecretString> = all.iter().map(|(_, secret)| (*secret).clone()).collect();
    let by = signature::verify(file.recipes(), received, &plain, wall)?;
    let (opened_app, secret) = all[by.secret_index];
    let opened_app = opened_app.map(str::to_owned);
    let json = serde_json::from_slice(received.body).map_err(|error| Refused::NotJson(error.to_string()))?;
    let hearing = file.hear(&json);
    if let (Some(opened), Some(named)) = (&opened_app, hearing.heard.as_ref().and_then(|heard| heard.app.as_ref()))
        && opened != named
    {
        return Err(Refused::WrongApp {
            opened: opened.clone(),
            named: named.clone(),
        });
    }
    let id = by.id(&json).or_else(|| hearing.id.clone());
    let dedup_key = dedup_key(secret, id.as_deref(), received.body);
    Ok(Verified {
        secret_index: by.secret_index,
        hearing,
        dedup_key,
        opened_app,
    })
}

/// What else would have held of a request that [`receive`] refused; whether it only came too late is always looked at, the
/// rest if `try_all`, since it costs more than the refusal did. For our own side only.
pub fn explain(
    file: &File,
    secrets: &SecretSet,
    received: &Received<'_>,
    wall: Timestamp,
    refused: &Refused,
    try_all: bool,
) -> Explanation {
    let Refused::Signature(refusal) = refused else {
        return Explanation::default();
    };
    let names = secrets.names();
    let all = secrets.all();
    let named: Vec<Named<'_>> = names
        .iter()
        .map(String::as_str)
        .zip(all.iter().map(|(_, secret)| *secret))
        .collect();
    signature::explain(file.recipes(), received, &named, wall, refusal, try_all)
}

impl SecretSet {
    /// What each secret may be called, such as `secret 2 of 2`: never by its value.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Any(secrets) => (1..=secrets.len())
                .map(|number| format!("secret {number} of {}", secrets.len()))
                .collect(),
            Self::PerApp(apps) => {
                let of = |(app, secrets): (&String, &Vec<SecretString>)| -> Vec<String> {
                    (1..=secrets.len())
                        .map(|number| format!("secret {number} of {} of `{app}`", secrets.len()))
                        .collect()
                };
                apps.iter().flat_map(of).collect()
            }
        }
    }

    /// Every secret, with the app that it opens if it opens only one.
    pub fn all(&self) -> Vec<(Option<&str>, &SecretString)> {
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
