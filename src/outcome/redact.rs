//! Takes an endpoint's own address and secrets out of what its receiver answered, before that is kept.

use secrecy::ExposeSecret;

use super::endpoint::Endpoint;
use crate::step::Redactor;

/// Shortest part of an address that is taken for a credential, in bytes; shorter ones are ordinary words.
const PART_BYTES_MIN: usize = 8;

/// Knows the endpoint's address, the telling parts of it, and its secret.
pub(super) fn redactor(endpoint: &Endpoint) -> Redactor {
    let url = endpoint.url.expose();
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let parts = [url.path(), url.query().unwrap_or_default(), url.username()]
        .into_iter()
        .chain(url.path_segments().into_iter().flatten())
        .map(str::to_owned)
        .chain(values)
        .filter(|part| part.len() >= PART_BYTES_MIN);
    let mut redactor = Redactor::new(parts);
    redactor.add(url.as_str());
    redactor.add(url.password().unwrap_or_default());
    for secret in endpoint.secrets.iter().chain(&endpoint.credential) {
        let secret = secret.expose_secret();
        redactor.add(secret);
        // What the prefix stands before is the key itself.
        for prefix in ["whsec_", "whsk_"] {
            redactor.add(secret.strip_prefix(prefix).unwrap_or_default());
        }
    }
    for (_, value) in &endpoint.headers {
        let value = value.to_str().unwrap_or_default();
        redactor.add(value);
        // `Bearer TOKEN`: the token by itself, too.
        let parts = value.split_whitespace().filter(|part| part.len() >= PART_BYTES_MIN);
        parts.for_each(|part| redactor.add(part));
    }
    redactor
}
