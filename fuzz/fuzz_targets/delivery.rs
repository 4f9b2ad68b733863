//! A whole delivery, by the built-in platform: whatever its headers and its body, it is taken or refused, and never
//! anything else. Right signatures are made here, so that what stands behind them is reached.
#![no_main]

use std::sync::LazyLock;

use backstop::domain::Timestamp;
use backstop::ingest::{self, Received, Refused, SecretSet};
use backstop::platform::File;
use backstop::signature::sign_timestamped;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW_S: i64 = 1_773_325_321;

/// Read once: what is fuzzed here are deliveries.
static TEMPS: LazyLock<Option<File>> = LazyLock::new(|| File::built_in("temps"));

fuzz_target!(|data: &[u8]| {
    let file = TEMPS.as_ref().expect("it is built in");
    let secrets = SecretSet::Any(vec![SecretString::from(SECRET)]);
    let wall = Timestamp::from_millis(NOW_S * 1_000);
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once("\n\n").unwrap_or(("", &text));
    let mut headers = HeaderMap::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(':')) {
        let name = HeaderName::from_bytes(name.trim().as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.trim().as_bytes())) {
            headers.append(name, value);
        }
    }
    let forged = Received::new(&headers, body.as_bytes());
    let refused = ingest::receive(file, &secrets, &forged, wall).expect_err("nobody guesses a signature");
    assert!(matches!(refused, Refused::Signature(_)));
    let explained = ingest::explain(file, &secrets, &forged, wall, &refused, true);
    assert!(!format!("{refused} {explained:?}").contains(&SECRET[6..]));

    headers.clear();
    headers.insert("x-temps-timestamp", HeaderValue::from(NOW_S));
    if let Ok(signature) = HeaderValue::from_str(&sign_timestamped(SECRET, NOW_S, body.as_bytes())) {
        headers.insert("x-temps-signature", signature);
    }
    let signed = Received::new(&headers, body.as_bytes());
    let taken = ingest::receive(file, &secrets, &signed, wall);
    assert!(!matches!(taken, Err(Refused::Signature(_))));
});
