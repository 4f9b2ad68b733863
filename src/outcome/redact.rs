//! Takes an endpoint's own address and secret out of what its receiver answered, before that is kept.

use secrecy::ExposeSecret;

use super::endpoint::Endpoint;

/// What stands in place of a secret.
const MARK: &str = "[redacted]";

/// Shortest text that is looked for; shorter ones are ordinary words, and no one's credential.
const SECRET_CHARS_MIN: usize = 8;

/// `text` without the endpoint's address, the telling parts of it, and its secret; each also as JSON writes it.
pub(super) fn redact(text: &str, endpoint: &Endpoint) -> String {
    let mut out = text.to_owned();
    for secret in secrets(endpoint) {
        out = out.replace(&secret, MARK);
    }
    out
}

/// Everything to look for, longest first, so that a part never spoils the whole.
fn secrets(endpoint: &Endpoint) -> Vec<String> {
    let url = endpoint.url.expose();
    let mut found = vec![url.as_str().to_owned(), url.path().to_owned()];
    found.extend(url.path().split('/').map(str::to_owned));
    found.extend(url.query().map(str::to_owned));
    found.extend(url.query_pairs().map(|(_, value)| value.into_owned()));
    found.push(url.username().to_owned());
    found.extend(url.password().map(str::to_owned));
    if let Some(secret) = &endpoint.secret {
        let secret = secret.expose_secret();
        found.push(secret.to_owned());
        found.extend(secret.strip_prefix("whsec_").map(str::to_owned));
    }
    // JSON may write a slash as `\/` (RFC 8259 §7), and PHP's does.
    let escaped: Vec<String> = found.iter().map(|plain| plain.replace('/', "\\/")).collect();
    found.extend(escaped);
    found.retain(|secret| secret.chars().count() >= SECRET_CHARS_MIN);
    found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    found.dedup();
    found
}
