//! The headers of a signature, by every built-in recipe: they are read, and hold only if nothing was done to them.
#![no_main]

use backstop::domain::Timestamp;
use backstop::signature::{Letter, Received, built_in_recipes, sign, verify};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW_S: i64 = 1_773_325_321;
const BODY: &[u8] = br#"{"id":"evt_1"}"#;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == b'\n');
    let (Some(which), Some(place)) = (parts.next(), parts.next()) else {
        return;
    };
    let Ok(value) = HeaderValue::from_bytes(parts.next().unwrap_or_default()) else {
        return;
    };
    let recipes = built_in_recipes();
    let recipe = &recipes[usize::from(which.first().copied().unwrap_or_default()) % recipes.len()];
    let url = Uri::from_static("https://backstop.example.com/webhooks/p");
    let letter = Letter {
        method: "POST",
        url: &url,
        id: "msg_1",
        timestamp_s: NOW_S,
        body: BODY,
    };
    let Some(signed) = sign(recipe, SECRET, &letter) else {
        return;
    };
    let mut headers: HeaderMap = signed.into_iter().collect();
    let names: Vec<HeaderName> = headers.keys().cloned().collect();
    let Some(name) = names.get(usize::from(place.first().copied().unwrap_or_default()) % names.len().max(1)) else {
        return;
    };
    let same = headers.get(name) == Some(&value);
    headers.insert(name, value);
    let received = Received {
        url: Some(&url),
        ..Received::new(&headers, BODY)
    };
    let secrets = [SecretString::from(SECRET)];
    let verified = verify(
        std::slice::from_ref(recipe),
        &received,
        &secrets,
        Timestamp::from_millis(NOW_S * 1_000),
    );
    assert!(!same || verified.is_ok());
});
