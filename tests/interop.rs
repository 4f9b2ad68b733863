//! Deliveries by official signers are taken by our recipes, and our outcomes by official verifiers.
//!
//! Run by `tests/run`, which installs the libraries: npm's below `target/tools/interop`, PyPI's into `target/tools`.
//! Without them this fails.
#![expect(clippy::expect_used, reason = "these are tests")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use backstop::clock::Clock;
use backstop::domain::Timestamp;
use backstop::signature::{self, Received, Recipe, sign_standard};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/// Not only ASCII, and spaced as no printer would.
const BODY: &str = r#"{"id": "evt_1",  "event":"deploy.live","message":"häßlich ✓ \u00e9"}"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn tools() -> PathBuf {
    root().join("target/tools")
}

fn body_file(folder: &Path, body: &str) -> PathBuf {
    let file = folder.join("body.json");
    std::fs::write(&file, body).expect("written");
    file
}

/// What the official library of `recipe` signs a body with.
fn signed(recipe: &str, secret: &str) -> HeaderMap {
    let folder = tempfile::tempdir().expect("a folder");
    // Node resolves packages from where the script stands.
    let script = tools().join("interop/sign.mjs");
    std::fs::copy(root().join("tests/interop/sign.mjs"), &script).expect("target/tools/interop is there");
    let made = Command::new("node")
        .arg(&script)
        .args([recipe, secret])
        .arg(body_file(folder.path(), BODY))
        .output()
        .expect("node is there");
    assert!(
        made.status.success(),
        "{recipe}: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    let lines: Map<String, Value> = serde_json::from_slice(&made.stdout).expect("JSON");
    let header = |(name, value): (String, Value)| {
        let value = HeaderValue::from_str(value.as_str().expect("text")).expect("a value");
        (name.parse::<HeaderName>().expect("a name"), value)
    };
    lines.into_iter().map(header).collect()
}

fn takes(recipe: &Recipe, headers: &HeaderMap, body: &str, secret: &str, wall: Timestamp) -> bool {
    let received = Received::new(headers, body.as_bytes());
    let secrets = [SecretString::from(secret)];
    signature::verify(std::slice::from_ref(recipe), &received, &secrets, wall).is_ok()
}

#[test]
fn what_official_libraries_sign_is_taken() {
    for name in ["stripe", "github", "standard-webhooks", "svix"] {
        let recipe = signature::built_in(name).expect("a recipe");
        let (headers, now) = (signed(name, SECRET), Clock::system().wall());
        assert!(takes(&recipe, &headers, BODY, SECRET, now), "{name}: {headers:?}");
        assert!(!takes(&recipe, &headers, BODY, OTHER, now), "{name}: another secret");
        assert!(
            !takes(&recipe, &headers, &format!("{BODY} "), SECRET, now),
            "{name}: another body"
        );
    }
}

/// What the official library says of our signature.
fn judged(library: &str, secret: &str, headers: &Value, body: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut judge = Command::new(tools().join("bin/python"))
        .arg(root().join("tests/interop/verify.py"))
        .args([library, secret])
        .arg(body_file(folder.path(), body))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("target/tools has Python");
    let mut input = judge.stdin.take().expect("an input");
    input.write_all(headers.to_string().as_bytes()).expect("written");
    drop(input);
    let said = judge.wait_with_output().expect("it ends");
    assert!(
        said.status.success(),
        "{library}: {}",
        String::from_utf8_lossy(&said.stderr)
    );
    String::from_utf8(said.stdout).expect("text").trim().to_owned()
}

#[test]
fn what_we_sign_is_taken_by_official_libraries() {
    let now_s = Clock::system().wall().as_secs();
    let headers = json!({
        "webhook-id": "whk_1",
        "webhook-timestamp": now_s.to_string(),
        "webhook-signature": sign_standard(SECRET, "whk_1", now_s, BODY.as_bytes()).expect("signed"),
    });
    for library in ["standard-webhooks", "svix"] {
        assert_eq!(judged(library, SECRET, &headers, BODY), "verified", "{library}");
        assert_eq!(
            judged(library, OTHER, &headers, BODY),
            "refused",
            "{library}: another secret"
        );
        assert_eq!(
            judged(library, SECRET, &headers, &format!("{BODY} ")),
            "refused",
            "{library}: another body"
        );
    }
}
