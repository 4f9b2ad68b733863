//! Signing what we send.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ring::signature::Ed25519KeyPair;
use sha2::{Digest as _, Sha256};

/// What a Standard Webhooks signing key begins with; the Base64 behind it is the private key's 32 bytes and the public
/// key's.
const ASYMMETRIC_PREFIX: &str = "whsk_";

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

/// The `webhook-signature` of Standard Webhooks 1.0.0 by each of `secrets` that it can be made with, separated by blanks: `v1` for
/// a `whsec_…` secret, `v1a` (Ed25519) for a `whsk_…` key. `None` if there is no such secret.
pub fn sign_standard_all<'s>(
    secrets: impl IntoIterator<Item = &'s str>,
    id: &str,
    timestamp_s: i64,
    body: &[u8],
) -> Option<String> {
    let one = |secret: &str| {
        sign_standard(secret, id, timestamp_s, body).or_else(|| sign_asymmetric(secret, id, timestamp_s, body))
    };
    let all: Vec<String> = secrets.into_iter().filter_map(one).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

fn sign_asymmetric(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> Option<String> {
    let key = asymmetric_key(secret)?;
    let signed = [id.as_bytes(), b".", timestamp_s.to_string().as_bytes(), b".", body].concat();
    Some(format!("v1a,{}", BASE64_STANDARD.encode(key.sign(&signed))))
}

fn asymmetric_key(secret: &str) -> Option<Ed25519KeyPair> {
    let bytes = BASE64_STANDARD.decode(secret.strip_prefix(ASYMMETRIC_PREFIX)?).ok()?;
    let (private, public) = bytes.split_at_checked(32)?;
    Ed25519KeyPair::from_seed_and_public_key(private, public).ok()
}

/// What a secret can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// The timestamped signature, by the whole text.
    Text,
    /// That, and Standard Webhooks `v1`.
    Symmetric,
    /// Standard Webhooks `v1a`.
    Asymmetric,
}

/// What `secret` can sign; `None` if its prefix says what the rest is not.
pub fn secret_kind(secret: &str) -> Option<SecretKind> {
    if secret.starts_with(ASYMMETRIC_PREFIX) {
        return asymmetric_key(secret).map(|_| SecretKind::Asymmetric);
    }
    if secret.starts_with(STANDARD_PREFIX) {
        return sign_standard(secret, "", 0, b"").map(|_| SecretKind::Symmetric);
    }
    Some(SecretKind::Text)
}

/// A request signed by RFC 9421: three headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageSignature {
    /// `Content-Digest` (RFC 9530).
    pub content_digest: String,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

/// What RFC 9421 signs of a request.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The method, in upper case.
    pub method: &'a str,
    /// The whole address, without a fragment.
    pub target_uri: &'a str,
    /// `Content-Type`.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// The label of our signature among those of a request.
const LABEL: &str = "sig1";

/// Signs method, address, content type and body by RFC 9421 with HMAC-SHA256. The key of a `whsec_…` secret is its decoded bytes, of
/// any other its text. `key_id` is a structured field's string: visible ASCII without quotes and backslashes.
pub fn sign_request(secret: &str, key_id: &str, created_s: i64, request: SignedRequest<'_>) -> MessageSignature {
    let content_digest = format!(
        "sha-256=:{}:",
        BASE64_STANDARD.encode(Sha256::digest(request.body).as_slice())
    );
    let components = [
        ("@method", request.method),
        ("@target-uri", request.target_uri),
        ("content-type", request.content_type),
        ("content-digest", &content_digest),
    ];
    let params = signature_params(
        &components,
        &format!("created={created_s};keyid=\"{key_id}\";alg=\"hmac-sha256\""),
    );
    let decoded = secret
        .strip_prefix(STANDARD_PREFIX)
        .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok());
    let key = decoded.as_deref().unwrap_or(secret.as_bytes());
    let signed = mac(key, &[signature_base(&components, &params).as_bytes()]);
    MessageSignature {
        signature: format!("{LABEL}=:{}:", BASE64_STANDARD.encode(signed.finalize().into_bytes())),
        signature_input: format!("{LABEL}={params}"),
        content_digest,
    }
}

/// RFC 9421 §2.3: the names of what is covered, and the parameters.
fn signature_params(components: &[(&str, &str)], params: &str) -> String {
    let names: Vec<String> = components.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    format!("({});{params}", names.join(" "))
}

/// RFC 9421 §2.5: a line for each component, and one for the parameters, which no line break ends.
fn signature_base(components: &[(&str, &str)], params: &str) -> String {
    let lines: String = components
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value}\n"))
        .collect();
    format!("{lines}\"@signature-params\": {params}")
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

#[cfg(test)]
mod tests {
    use super::*;

    // The vectors of the Standard Webhooks libraries.
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SYMMETRIC: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const V1: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const ASYMMETRIC: &str =
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const V1A: &str = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

    #[test]
    fn each_secret_of_a_rotation_signs_in_its_way() {
        let all = |secrets: &[&str]| sign_standard_all(secrets.iter().copied(), ID, AT, BODY);
        assert_eq!(all(&[SYMMETRIC]).as_deref(), Some(V1));
        assert_eq!(all(&[ASYMMETRIC]).as_deref(), Some(V1A));
        assert_eq!(all(&[SYMMETRIC, "a text", ASYMMETRIC]), Some(format!("{V1} {V1A}")));
        assert_eq!(all(&["a text"]), None);
    }

    #[test]
    fn a_prefix_is_what_it_says() {
        assert_eq!(secret_kind(SYMMETRIC), Some(SecretKind::Symmetric));
        assert_eq!(secret_kind(ASYMMETRIC), Some(SecretKind::Asymmetric));
        assert_eq!(secret_kind("a text"), Some(SecretKind::Text));
        // A public key that is not the private key's is refused, too.
        let other = ASYMMETRIC.replace("VKIDij2", "VKIDij3");
        for wrong in ["whsec_", "whsec_?", "whsk_", "whsk_AAAA", "whsk_?", &other] {
            assert_eq!(secret_kind(wrong), None, "{wrong}");
        }
    }

    const SHARED: &str =
        "whsec_uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

    #[test]
    fn the_base_is_that_of_rfc_9421_b_2_5() {
        let components = [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
        ];
        let params = signature_params(&components, "created=1618884473;keyid=\"test-shared-secret\"");
        let key = BASE64_STANDARD.decode(SHARED.trim_start_matches("whsec_")).unwrap();
        let signed = mac(&key, &[signature_base(&components, &params).as_bytes()]).finalize();
        assert_eq!(
            BASE64_STANDARD.encode(signed.into_bytes()),
            "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8="
        );
    }

    #[test]
    fn a_request_is_signed_with_its_address_and_digest() {
        let signed = sign_request(
            SHARED,
            "test-shared-secret",
            1_618_884_473,
            SignedRequest {
                method: "POST",
                target_uri: "https://example.com/foo?param=Value&Pet=dog",
                content_type: "application/json",
                body: br#"{"hello": "world"}"#,
            },
        );
        assert_eq!(
            signed.content_digest,
            "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
        );
        assert_eq!(
            signed.signature_input,
            r#"sig1=("@method" "@target-uri" "content-type" "content-digest");created=1618884473;keyid="test-shared-secret";alg="hmac-sha256""#
        );
        assert_eq!(signed.signature, "sig1=:b+zzRzUtCV9ncS552H35fRxOMbssSaXbTnTslK+VljI=:");
    }
}
