//! Signing what we send.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a Standard Webhooks secret begins with; the key is what the Base64 behind it stands for.
const STANDARD_PREFIX: &str = "whsec_";

/// The lower-case hex HMAC-SHA256 of `{timestamp}.{body}`; the key is the whole secret, prefix and all.
pub fn sign_timestamped(secret: &str, timestamp_s: i64, body: &[u8]) -> String {
    let timestamp = timestamp_s.to_string();
    hex::encode(
        mac(secret.as_bytes(), &[timestamp.as_bytes(), b".", body])
            .finalize()
            .into_bytes(),
    )
}

/// The `webhook-signature` of Standard Webhooks 1.0.0: `v1,` and the Base64 of the HMAC-SHA256 of
/// `{id}.{timestamp}.{body}` under the decoded secret. `None` if the secret is not a `whsec_…` one, or its key is empty.
pub fn sign_standard(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> Option<String> {
    let encoded = secret.strip_prefix(STANDARD_PREFIX)?;
    let key = BASE64_STANDARD.decode(encoded).ok().filter(|key| !key.is_empty())?;
    let timestamp = timestamp_s.to_string();
    let signed = mac(&key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    Some(format!("v1,{}", BASE64_STANDARD.encode(signed.finalize().into_bytes())))
}

/// The MAC over the parts as if they were one text.
pub(super) fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        // RFC 2104 takes keys of any length, so this cannot be reached; another key than asked for verifies nothing.
        Err(_) => Hmac::<Sha256>::new(&Default::default()),
    };
    for part in parts {
        mac.update(part);
    }
    mac
}
