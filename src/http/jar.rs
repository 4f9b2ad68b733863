//! Cookies that answers have set.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cookie_store::{CookieStore, RawCookie};
use url::Url;

/// Cookies of one origin that are kept; more are not taken.
const COOKIES_MAX: usize = 100;
/// The longest `Set-Cookie` that is taken, in bytes.
const COOKIE_BYTES_MAX: usize = 8 * 1024;

/// Cookies, by the origin that set them. None is ever sent to another, whatever its `Domain` says.
#[derive(Clone, Debug, Default)]
pub struct Jar(Arc<Mutex<BTreeMap<String, CookieStore>>>);

impl Jar {
    /// No cookies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a `Set-Cookie` of an answer from `url`.
    pub(super) fn take(&self, set_cookie: &str, url: &Url) {
        let Ok(cookie) = RawCookie::parse(set_cookie) else {
            return;
        };
        if set_cookie.len() > COOKIE_BYTES_MAX {
            return;
        }
        let mut jars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let jar = jars.entry(url.origin().ascii_serialization()).or_default();
        if jar.iter_any().count() < COOKIES_MAX {
            // One that this origin may not set is not kept.
            let _ = jar.insert_raw(&cookie.into_owned(), url);
        }
    }

    /// The cookies for `url`, each with its value.
    pub(super) fn cookies_for(&self, url: &Url) -> Vec<(String, String)> {
        let jars = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(jar) = jars.get(&url.origin().ascii_serialization()) else {
            return Vec::new();
        };
        jar.get_request_values(url)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}
