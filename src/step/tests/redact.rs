//! Secrets are found in every form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use crate::step::Redactor;

const SECRET: &str = "pä$$ \"w/rd\"+1";

fn redact(text: &str) -> String {
    Redactor::new([SECRET.to_owned()]).redact(text)
}

#[test]
fn each_form_is_removed() {
    let encoded: String = SECRET.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let unicode: String = SECRET.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    let numbers: String = SECRET.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    for form in [
        SECRET.to_owned(),
        "p%C3%A4%24%24%20%22w%2Frd%22%2B1".to_owned(),
        "p%c3%a4$$%20%22w/rd%22%2b1".to_owned(),
        "p%C3%A4%24%24+%22w%2Frd%22%2B1".to_owned(),
        encoded,
        serde_json::to_string(SECRET).unwrap().trim_matches('"').to_owned(),
        "pä$$ \\\"w\\/rd\\\"+1".to_owned(),
        unicode,
        "pä$$ &quot;w/rd&quot;+1".to_owned(),
        "p&#xe4;$$ &#34;w&#x2F;rd&#X22;+1".to_owned(),
        numbers,
    ] {
        assert_eq!(
            redact(&format!("before {form} after")),
            "before [redacted] after",
            "{form}"
        );
    }
}

#[test]
fn hex_and_what_a_prefixed_secret_encodes() {
    let key = "the key, not shown";
    let secret = format!("whsec_{}", STANDARD.encode(key));
    let redactor = Redactor::new([secret.clone()]);
    for form in [
        hex::encode(&secret),
        hex::encode_upper(&secret),
        STANDARD.encode(key),
        key.to_owned(),
        hex::encode(key),
        hex::encode_upper(key),
    ] {
        assert_eq!(
            redactor.redact(&format!("before {form} after")),
            "before [redacted] after",
            "{form}"
        );
    }
}

#[test]
fn base64_is_removed_in_each_alignment() {
    for before in ["", "u:", "a", "user:", "ab"] {
        for after in ["", "!", "??"] {
            let bytes = format!("{before}{SECRET}{after}");
            for coded in [STANDARD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
                assert_eq!(
                    redact(&format!("Basic {coded}, x")),
                    "Basic [redacted], x",
                    "{before}|{after}"
                );
            }
        }
    }
}

#[test]
fn a_surrogate_pair_is_read() {
    let redactor = Redactor::new(["key-😀".to_owned()]);
    assert_eq!(redactor.redact(r#"{"k":"key-\uD83D\uDE00"}"#), r#"{"k":"[redacted]"}"#);
}

#[test]
fn what_overlaps_is_one_mark() {
    let redactor = Redactor::new(["abcdef".to_owned(), "defghi".to_owned(), "cde".to_owned()]);
    assert_eq!(redactor.redact("<abcdefghi>"), "<[redacted]>");
    assert_eq!(redactor.redact("abcdef abcdef"), "[redacted] [redacted]");
}

#[test]
fn empty_and_tiny_secrets_change_nothing() {
    let redactor = Redactor::new([String::new(), "a".to_owned(), " ".to_owned()]);
    assert_eq!(redactor.redact("a banana"), "a banana");
}

#[test]
fn a_cut_leaves_no_part_of_a_secret() {
    let redactor = Redactor::new(["0123456789".to_owned()]);
    assert_eq!(redactor.redact_start("ab 0123456789 cd", 6), "ab [redacted]");
    assert_eq!(
        redactor.redact_start("0123456789 0123456789 cd", 12),
        "[redacted] [redacted]"
    );
    assert_eq!(redactor.redact_start("äöü", 3), "ä");
}

proptest! {
    #[test]
    fn no_text_keeps_the_secret(secret in "[ -~]{8,40}", before in "[ -~]{0,10}", after in "[ -~]{0,10}") {
        let redactor = Redactor::new([secret.clone()]);
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let html: String = secret.bytes().map(|byte| format!("&#x{byte:x};")).collect();
        for form in [secret.clone(), percent, html, STANDARD.encode(format!("{before}{secret}{after}"))] {
            let clean = redactor.redact(&format!("{before}<{form}>{after}"));
            prop_assert!(!clean.contains(&format!("<{form}>")), "{}", clean);
        }
    }

    #[test]
    fn nothing_panics_and_nothing_else_is_lost(text in any::<String>(), bytes in 0_usize..50) {
        let redactor = Redactor::new(["s3cret!".to_owned()]);
        let _ = redactor.redact_start(&text, bytes);
        if !text.contains("s3cret") && !text.contains(['%', '\\', '+', '&']) {
            prop_assert_eq!(redactor.redact(&text), text);
        }
    }
}
