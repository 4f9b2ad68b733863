//! No form of a secret in any output: a server that gives back all that it was sent, in every encoding, and every format.

use std::net::SocketAddr;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SECRET: &str = "s3cr%t/p+ss \"w\\rd~";
/// A secret without characters that some places refuse.
const TOKEN: &str = "t0ken-of-the-smoke-user";
const CAPTURED: &str = "c4ptured-session-value";

const CHECKS: &str = r#"
[check.login]
post    = "/login?key={{ secret.PASSWORD }}"
repeat  = true
form    = { user = "smoke", password = "{{ secret.PASSWORD }}" }
capture.session = "$.session"
[check.basic]
get   = "/{{ secret.PASSWORD }}"
basic = { user = "smoke", password = "{{ secret.PASSWORD }}" }
expect.status = 204
[check.bearer]
get    = "/b"
bearer = "{{ secret.TOKEN }}"
query  = { t = "{{ secret.TOKEN }}", s = "{{ login.session }}" }
expect.body.contains = "{{ secret.TOKEN }}{{ login.session }}"
[check.json]
post   = "/j"
repeat = true
json   = { a = "{{ secret.PASSWORD }}", b = "{{ login.session }}" }
expect.headers.x-echo = "nothing"
[check.parts]
post   = "/m"
repeat = true
multipart = [{ name = "a", value = "{{ secret.PASSWORD }}" }]
cookies.c = "{{ secret.TOKEN }}"
expect.json.'$.all' = "nothing"
warn.body.lacks = "x"
[[check.steps.step]]
get = "/s/{{ secret.TOKEN }}"
capture.other = { matches = "session[^a-z]+([a-z0-9-]+)" }
[[check.steps.step]]
get = "/t/{{ other }}"
expect.html.'p' = "{{ secret.TOKEN }}!"
"#;

/// A server that says back what it was sent: as it is, percent-encoded, as a JSON string, and in base64 thrice.
async fn mirror() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut sent = vec![0; 16 * 1024];
                let length = stream.read(&mut sent).await.unwrap_or(0);
                let sent = String::from_utf8_lossy(sent.get(..length).unwrap_or_default()).into_owned();
                let shifted = |by: usize| STANDARD.encode(format!("{}{SECRET}{TOKEN}{CAPTURED}", "-".repeat(by)));
                let percent: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
                let all = format!(
                    "{sent} {SECRET} {TOKEN} {percent} {} {} {} {} {}",
                    shifted(0),
                    shifted(1),
                    shifted(2),
                    URL_SAFE.encode(SECRET),
                    STANDARD.encode(format!("smoke:{SECRET}"))
                );
                let body =
                    serde_json::json!({ "session": CAPTURED, "all": all, "p": format!("<p>{all}</p>") }).to_string();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nx-echo: {TOKEN} {percent}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            });
        }
    });
    address
}

/// What must not stand in an output: each secret, in each form that somebody could turn back.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for secret in [SECRET, TOKEN, CAPTURED] {
        forms.push(secret.to_owned());
        forms.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
        forms.push(serde_json::Value::from(secret).to_string().trim_matches('"').to_owned());
        for by in 0..3 {
            // The letters that do not hang on what stands before and after.
            let coded = STANDARD.encode(format!("{}{secret}", "-".repeat(by)));
            let from = (by * 8).div_ceil(6);
            let to = (by + secret.len()) * 8 / 6;
            forms.push(coded.get(from..to).expect("letters").to_owned());
        }
        forms.push(STANDARD.encode(format!("smoke:{secret}")));
    }
    forms
}

#[tokio::test(flavor = "multi_thread")]
async fn no_form_of_a_secret_is_in_any_output() {
    let address = mirror().await;
    let folder = TempDir::new().expect("a folder");
    let config = folder.path().join("checks.toml");
    std::fs::write(&config, CHECKS).expect("a config");
    let forms = forms();
    for format in ["text", "json", "jsonl", "junit", "tap", "markdown"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
        command
            .env_clear()
            .env("PASSWORD", SECRET)
            .env("TOKEN", TOKEN)
            .args([
                "test",
                "--format",
                format,
                "--url",
                &format!("http://{address}"),
                "--config",
            ])
            .arg(&config);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("no panic").expect("it runs");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(1), "{said}");
        for check in ["basic", "bearer", "json", "parts", "steps"] {
            assert!(said.contains(check), "{format} does not speak of {check}: {said}");
        }
        assert!(
            said.contains("[redacted]") && said.contains("$TOKEN"),
            "{format}: {said}"
        );
        for form in &forms {
            assert!(!said.contains(form.as_str()), "{format} shows {form}: {said}");
        }
    }
}
