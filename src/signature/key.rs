//! From a secret to a key, and what a key opens.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::recipe::{Algorithm, KeyForm, Recipe, Scheme};

/// Bytes of a key that is the secret's own characters; a shorter one is guessed.
const TEXT_BYTES_MIN: usize = 8;
/// Bytes of a key that is decoded: 128 bits. Standard Webhooks asks its senders for 24.
const DECODED_BYTES_MIN: usize = 16;
/// Bytes of an Ed25519 public key, and of the seed of a private one.
const ED25519_BYTES: usize = 32;
/// What a private Ed25519 key begins with, in Standard Webhooks: its seed and its public half in Base64. It signs where
/// a public one verifies.
const PRIVATE_PREFIX: &str = "whsk_";

/// Why a secret is no key of a recipe. Says nothing of the secret but its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// There is too little in it.
    #[error("its key has {bytes} bytes, and at least {min} are needed")]
    TooShort {
        /// Bytes of the key.
        bytes: usize,
        /// Bytes needed.
        min: usize,
    },
    /// It does not decode.
    #[error("it is not Base64 behind its prefix")]
    NotBase64,
    /// It is not as long as its algorithm's keys are.
    #[error("its key has {0} bytes; an Ed25519 public key has {ED25519_BYTES}")]
    WrongLength(usize),
    /// The recipe has no scheme for it.
    #[error("it does not begin like a secret of this recipe")]
    NoScheme,
}

/// A key, with the scheme that it is of: it fixes the algorithm.
pub(super) struct Key {
    /// The index of its scheme in the recipe.
    pub(super) scheme: usize,
    pub(super) algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Recipe {
    /// The key that `secret` is by this recipe.
    ///
    /// # Errors
    /// When it is none, or one that anybody could guess.
    pub(super) fn key(&self, secret: &str) -> Result<Key, KeyError> {
        if secret.trim().is_empty() {
            return Err(KeyError::Empty);
        }
        let takes = |scheme: &Scheme| scheme.bare || secret.starts_with(&*scheme.prefix);
        let found = self.schemes.iter().position(takes).ok_or(KeyError::NoScheme)?;
        let scheme = &self.schemes[found];
        let bytes = match scheme.key {
            KeyForm::Text => secret.as_bytes().to_vec(),
            KeyForm::Base64 => decoded(secret.strip_prefix(&*scheme.prefix).unwrap_or(secret))?,
        };
        let min = match scheme.key {
            KeyForm::Text => TEXT_BYTES_MIN,
            KeyForm::Base64 => DECODED_BYTES_MIN,
        };
        match bytes.len() {
            0 => Err(KeyError::Empty),
            len if scheme.algorithm == Algorithm::Ed25519 && len != ED25519_BYTES => Err(KeyError::WrongLength(len)),
            len if len < min => Err(KeyError::TooShort { bytes: len, min }),
            _ => Ok(Key {
                scheme: found,
                algorithm: scheme.algorithm,
                bytes,
            }),
        }
    }

    /// Whether `secret` can open deliveries by this recipe.
    ///
    /// # Errors
    /// Why not.
    pub fn accepts(&self, secret: &str) -> Result<(), KeyError> {
        self.key(secret).map(drop)
    }

    /// The scheme that `secret` signs by, and the signature of the parts as if they were one text.
    pub(super) fn signed(&self, secret: &str, parts: &[&[u8]]) -> Option<(&Scheme, Vec<u8>)> {
        if let Some(private) = secret.strip_prefix(PRIVATE_PREFIX) {
            let scheme = self
                .schemes
                .iter()
                .find(|scheme| scheme.algorithm == Algorithm::Ed25519)?;
            let pair = decoded(private).ok()?;
            let (seed, public) = pair.split_at_checked(ED25519_BYTES)?;
            let pair = Ed25519KeyPair::from_seed_and_public_key(seed, public).ok()?;
            debug_assert_eq!(pair.public_key().as_ref().len(), ED25519_BYTES);
            return Some((scheme, pair.sign(&parts.concat()).as_ref().to_vec()));
        }
        let key = self.key(secret).ok()?;
        let signature = match key.algorithm {
            Algorithm::HmacSha256 => mac::<Hmac<Sha256>>(&key.bytes, parts)?.finalize().into_bytes().to_vec(),
            Algorithm::HmacSha1 => mac::<Hmac<Sha1>>(&key.bytes, parts)?.finalize().into_bytes().to_vec(),
            Algorithm::Secret => key.bytes.clone(),
            // A public key signs nothing.
            Algorithm::Ed25519 => return None,
        };
        Some((&self.schemes[key.scheme], signature))
    }
}

impl Key {
    /// Whether one of `signatures` is this key's over the parts as if they were one text. Each is compared whole and in
    /// constant time; the text is gone over once for all of them.
    pub(super) fn opens(&self, parts: &[&[u8]], signatures: &[&[u8]]) -> bool {
        let held = |held: &dyn Fn(&[u8]) -> bool| signatures.iter().filter(|signature| held(signature)).count() > 0;
        match self.algorithm {
            Algorithm::HmacSha256 => mac::<Hmac<Sha256>>(&self.bytes, parts)
                .is_some_and(|mac| held(&|signature| mac.clone().verify_slice(signature).is_ok())),
            Algorithm::HmacSha1 => mac::<Hmac<Sha1>>(&self.bytes, parts)
                .is_some_and(|mac| held(&|signature| mac.clone().verify_slice(signature).is_ok())),
            Algorithm::Ed25519 => {
                let (key, text) = (UnparsedPublicKey::new(&ED25519, &self.bytes), parts.concat());
                held(&|signature| key.verify(&text, signature).is_ok())
            }
            // Hashes are compared, so that the time taken tells nothing of the length either.
            Algorithm::Secret => {
                let wanted = Sha256::digest(&self.bytes);
                held(&|shown| bool::from(Sha256::digest(shown).ct_eq(&wanted)))
            }
        }
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, KeyError> {
    BASE64_STANDARD.decode(text.trim()).map_err(|_| KeyError::NotBase64)
}

/// The MAC over the parts as if they were one text. RFC 2104 takes keys of any length, so there always is one.
fn mac<M: hmac::Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Option<M> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    for part in parts {
        mac.update(part);
    }
    Some(mac)
}
