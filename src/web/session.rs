//! Who is signed in: random sessions that stand for a token, so that a browser keeps no token.
//!
//! They live in this process's memory alone and as hashes, so nothing that can be read from it later opens a door, and a
//! restart ends them all. Each also ends by sign-out, when it was not used for a while, when it is old, and when the token that
//! it began with is no longer the one in the config.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::COOKIE;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::gate::{Role, Tokens};
use crate::domain::Timestamp;

/// The cookie. Its prefix has the browser hold it to this host, to `Path=/` and to a connection that cannot be read on the
/// way (RFC 6265bis §4.1.3.2); browsers count a loopback address as one.
const COOKIE_NAME: &str = "__Host-backstop";
/// Sessions of one role at once; beyond it the one that was used longest ago ends.
const SESSIONS_MAX: usize = 256;
/// How long a session lasts without being used.
const IDLE_MAX: Duration = Duration::from_secs(12 * 3_600);
/// How long a session lasts.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What a session is kept under: the hash of its secret.
pub(super) type Key = [u8; 32];

/// The sessions that have not ended.
#[derive(Default)]
pub(super) struct Sessions(Mutex<BTreeMap<Key, Session>>);

struct Session {
    role: Role,
    /// The hash of the token that it stands for.
    token: Key,
    began_at: Timestamp,
    used_at: Timestamp,
}

/// The hash that stands for a secret here.
pub(super) fn hash(secret: &[u8]) -> Key {
    Sha256::digest(secret).into()
}

/// The hash of the token of `role` in the config.
pub(super) fn token_hash(role: Role, tokens: Tokens<'_>) -> Option<Key> {
    let token: Option<&SecretString> = match role {
        Role::Admin => tokens.admin,
        Role::Reader => tokens.read,
    };
    token.map(|token| hash(token.expose_secret().as_bytes()))
}

/// Whether `hash` is that of the token of `role` in the config.
pub(super) fn is_token(hash: &Key, role: Role, tokens: Tokens<'_>) -> bool {
    token_hash(role, tokens).is_some_and(|now| bool::from(now.ct_eq(hash)))
}

impl Sessions {
    /// Begins a session for whoever showed the token of `role`; `secret` is new and random. Returns the `Set-Cookie`.
    pub(super) fn begin(&self, role: Role, tokens: Tokens<'_>, secret: [u8; 32], now: Timestamp) -> Option<String> {
        let token = token_hash(role, tokens)?;
        let value = URL_SAFE_NO_PAD.encode(secret);
        let session = Session {
            role,
            token,
            began_at: now,
            used_at: now,
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, session| session.is_alive(now));
        // By role: whoever may only see pushes nobody out who may act.
        let of_role = || kept.iter().filter(|(_, session)| session.role == role);
        let oldest = of_role().min_by_key(|(_, session)| session.used_at);
        let oldest = oldest
            .map(|(key, _)| *key)
            .filter(|_| of_role().count() >= SESSIONS_MAX);
        if let Some(oldest) = oldest {
            kept.remove(&oldest);
        }
        kept.insert(hash(value.as_bytes()), session);
        Some(set_cookie(&value, AGE_MAX.as_secs()))
    }

    /// What the session may do, if it has not ended; `use_it` makes it last longer.
    pub(super) fn role(&self, key: Key, tokens: Tokens<'_>, now: Timestamp, use_it: bool) -> Option<Role> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = kept.get_mut(&key)?;
        if !session.is_alive(now) || !is_token(&session.token, session.role, tokens) {
            kept.remove(&key);
            return None;
        }
        if use_it {
            session.used_at = now;
        }
        Some(session.role)
    }

    /// Ends a session.
    pub(super) fn end(&self, key: Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}

impl Session {
    fn is_alive(&self, now: Timestamp) -> bool {
        let within = |since: Timestamp, limit: Duration| u128::from(now.ms_since(since)) < limit.as_millis();
        within(self.used_at, IDLE_MAX) && within(self.began_at, AGE_MAX)
    }
}

/// The session that a request's cookie names. Two of the name are none: which of them is ours cannot be told.
pub(super) fn named(headers: &HeaderMap) -> Option<Key> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut values = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE_NAME);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Some(hash(value.as_bytes())),
        _ => None,
    }
}

/// The `Set-Cookie` that takes the cookie away.
pub(super) fn clear_cookie() -> String {
    set_cookie("", 0)
}

fn set_cookie(value: &str, age_max_s: u64) -> String {
    format!("{COOKIE_NAME}={value}; Path=/; Max-Age={age_max_s}; Secure; HttpOnly; SameSite=Strict")
}
