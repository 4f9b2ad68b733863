//! No secret in anything that is logged, shown, stored or told: one whole story, in which everybody who is sent a secret
//! answers with it, in every form there is.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, Uri};
use backstop::pretend::{Behaviour, Generation, Release};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE, BASE64_URL_SAFE_NO_PAD};
use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::collector::{Collector, Span, text};
use crate::stage::{ADMIN_TOKEN, OUTCOME_SECRET, SECRET, SOON, Setup, Stage, TOKEN, send};

/// What checks send, by the place it is sent in; each character needs another form somewhere.
const SENT: [(&str, &str); 4] = [
    ("IN_HEADER", "header key/with+more=\"&%"),
    ("IN_QUERY", "query ke\u{fd}/with+more=\"&%?#"),
    ("IN_BODY", "body ke\u{fd}/with+more=\"&%\\x"),
    ("IN_BEARER", "bearer-key/with+more.~"),
];
const PASSWORD: &str = "pass word/with+more=\"&%";
const OTLP_TOKEN: &str = "otlp/token+of=the-tests";
const CHAT_PATH: &str = "xoxb-chat-credential-0123456789";

/// What endpoints are sent, by where it stands.
const TOLD: [(&str, &str); 6] = [
    ("ROUTING_KEY", "R0ut1ng/Key+0123456789\"quoted"),
    ("PATH", "p4th-s3cret-0123456789"),
    ("HEADER", "he4der/t0ken+of==the-tests"),
    ("NEW", "whsec_bmV3LXNlY3JldC1vZi10aGUtb3V0Y29tZS10ZXN0cw=="),
    (
        "PAIR",
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
    ),
    ("PLAIN", "a text & no key? 0123456789"),
];
/// The endpoints that are sent them.
const TOLD_TO: [&str; 4] = ["path", "page", "rotating", "own"];

/// A secret in every form in which it may turn up.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec()];
    let mut encoded = |bytes: &[u8]| {
        for engine in [
            BASE64_STANDARD,
            BASE64_STANDARD_NO_PAD,
            BASE64_URL_SAFE,
            BASE64_URL_SAFE_NO_PAD,
        ] {
            forms.push(engine.encode(bytes).into_bytes());
        }
        forms.push(hex::encode(bytes).into_bytes());
        forms.push(hex::encode_upper(bytes).into_bytes());
    };
    encoded(secret.as_bytes());
    let bare = ["whsec_", "whsk_"]
        .iter()
        .find_map(|prefix| secret.strip_prefix(prefix));
    let key = bare.map(|key| BASE64_STANDARD.decode(key).expect("base64"));
    if let Some(key) = &key {
        encoded(key);
    }
    forms.extend(key);
    for text in [Some(secret), bare].into_iter().flatten() {
        forms.extend(written(text));
    }
    forms
}

/// A text as it stands in forms, addresses, JSON and pages.
fn written(secret: &str) -> Vec<Vec<u8>> {
    let by_form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let every_byte = secret.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02x}");
        text
    });
    let json = serde_json::to_string(secret).expect("JSON");
    let every_unit = secret.encode_utf16().fold(String::new(), |mut text, unit| {
        let _ = write!(text, "\\u{unit:04x}");
        text
    });
    let texts = [
        by_form.replace('+', "%20"),
        by_form,
        every_byte,
        json.trim_matches('"').to_owned(),
        every_unit,
        secret.replace('&', "&amp;").replace('"', "&quot;"),
        secret.to_owned(),
    ];
    texts.map(String::into_bytes).to_vec()
}

/// A receiver that answers with every byte that it was sent, as an error. Its address.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut sent = vec![0; 64 * 1_024];
                let mut length = 0;
                // All of it is here once nothing more comes.
                while let Ok(Ok(read)) =
                    tokio::time::timeout(std::time::Duration::from_millis(200), stream.read(&mut sent[length..])).await
                    && read > 0
                {
                    length += read;
                }
                let head = format!("HTTP/1.1 500 No\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&sent[..length]).await;
            });
        }
    });
    format!("http://{address}")
}

/// Answers everybody with the secrets that they sent, in every form: checks well until told otherwise, endpoints never.
async fn parrot(chat_url: &str, fails: Arc<AtomicBool>) -> (String, Router) {
    let all = |secrets: &[&str]| {
        let forms = secrets.iter().flat_map(|secret| forms(secret));
        let forms: Vec<String> = forms.map(|form| String::from_utf8_lossy(&form).into_owned()).collect();
        forms.join("\n")
    };
    let sent: Vec<&str> = SENT.iter().map(|(_, value)| *value).collect();
    let basic = BASE64_STANDARD.encode(format!("smoke:{PASSWORD}"));
    let (of_all, of_basic) = (all(&sent), format!("{basic}\n{}", all(&[PASSWORD])));
    let (of_endpoint, of_chat) = (all(&[OUTCOME_SECRET]), all(&[chat_url, CHAT_PATH]));
    let answer = move |uri: Uri| async move {
        let (body, of_check) = match uri.path() {
            "/check/all" => (of_all, true),
            "/check/basic" => (of_basic, true),
            "/hooks" => (of_endpoint, false),
            _ => (of_chat, false),
        };
        let good = of_check && !fails.load(Ordering::SeqCst);
        let status = if good {
            StatusCode::OK
        } else {
            StatusCode::INTERNAL_SERVER_ERROR
        };
        // The path and the query as they came, too.
        (status, format!("{uri}\n{body}"))
    };
    (chat_url.to_owned(), Router::new().fallback(answer))
}

fn setup(parrot: &str, echo: &str, folder: &std::path::Path, collector: &str) -> String {
    let mut more = String::from("[secrets]\n");
    for (name, value) in SENT.iter().chain(&[("PASSWORD", PASSWORD)]) {
        let file = folder.join(name);
        std::fs::write(&file, value).expect("a secret");
        let _ = writeln!(more, "{name} = {{ file = \"{}\" }}", file.display());
    }
    let _ = writeln!(more, "OTLP = {{ file = \"{}\" }}", folder.join("OTLP").display());
    let chat = folder.join("CHAT");
    std::fs::write(&chat, format!("{parrot}/services/{CHAT_PATH}")).expect("a secret");
    let _ = writeln!(more, "CHAT = {{ file = \"{}\" }}", chat.display());
    for (name, secret) in TOLD {
        let file = folder.join(name);
        let value = if name == "PATH" {
            format!("{echo}/hooks/{secret}")
        } else {
            secret.to_owned()
        };
        std::fs::write(&file, value).expect("a secret");
        let _ = writeln!(more, "{name} = {{ file = \"{}\" }}", file.display());
    }
    let _ = write!(
        more,
        r#"
[telemetry]
otlp = "{collector}"
headers.authorization = "Bearer {{{{ secret.OTLP }}}}"

[check.all]
post = "{parrot}/check/all?key={{{{ secret.IN_QUERY }}}}"
repeat = true
severity = "degraded"
headers.x-key = "{{{{ secret.IN_HEADER }}}}"
bearer = "{{{{ secret.IN_BEARER }}}}"
json = {{ key = "{{{{ secret.IN_BODY }}}}" }}

[check.basic]
get = "{parrot}/check/basic"
severity = "degraded"
basic = {{ user = "smoke", password = "{{{{ secret.PASSWORD }}}}" }}
expect.status = 200

[outcome.broken]
url = "{parrot}/hooks"
secret = "{{{{ secret.OUTCOME_SECRET }}}}"

[outcome.chat]
slack = "{{{{ secret.CHAT }}}}"

[outcome.path]
slack = "{{{{ secret.PATH }}}}"
[outcome.page]
pagerduty = "{{{{ secret.ROUTING_KEY }}}}"
url = "{echo}/v2/enqueue"
events = ["*"]
[outcome.rotating]
cdevents = "{echo}/hook"
secret = ["{{{{ secret.NEW }}}}", "{{{{ secret.PAIR }}}}"]
headers.Authorization = "Bearer {{{{ secret.HEADER }}}}"
rfc9421 = true
[outcome.own]
url = "{echo}/own"
secret = "{{{{ secret.PLAIN }}}}"
template = '{{"text": "{{{{ outcome.title }}}}"}}'
"#
    );
    more
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_anywhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let fails = Arc::new(AtomicBool::new(false));
    let (chat_url, router) = parrot(&format!("{address}/services/{CHAT_PATH}"), Arc::clone(&fails)).await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    let secrets_folder = tempfile::tempdir().expect("folder");
    let collector = Collector::start().await;
    std::fs::write(secrets_folder.path().join("OTLP"), OTLP_TOKEN).expect("a secret");
    let setup = Setup {
        more: setup(&address, &echo().await, secrets_folder.path(), &collector.url),
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    let good = stage.known_good("aaaaaaa1").await;
    show_secrets(&stage).await;
    fails.store(true, Ordering::SeqCst);
    let bad = stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::AllErrors)).await;
    let told = stage.must_hear("rollback.succeeded", &bad).await;
    assert_eq!(told.body["rollback"]["to"], good);
    let half = stage.temps.deploy(Release::new("ccccccc3", Behaviour::Healthy)).await;
    stage.must_hear("smoke_test.degraded", &half).await;
    stage.ended_run(&half).await;
    tokio::time::timeout(SOON, all_tried(&stage))
        .await
        .expect("all are tried");
    let traces = exported(&collector).await;
    let seen = everything(&stage).await.into_iter().chain(traces);
    let seen: Vec<(String, String)> = seen.map(|(place, bytes)| (place, by_bytes(&bytes))).collect();
    // It would be seen: what was answered is kept, with the secrets taken out.
    assert!(
        seen.iter().any(|(_, text)| text.contains("[redacted]")),
        "nothing was redacted"
    );
    // That endpoints answered with what they were sent is kept, too.
    for name in ["path", "page", "rotating", "broken", "chat"] {
        let of = format!("\"endpoint\":\"{name}\"");
        let is_kept = |(place, text): &(String, String)| {
            place.starts_with("/api/v1/messages/") && text.contains(&of) && text.contains("[redacted]")
        };
        assert!(seen.iter().any(is_kept), "nothing of what {name} answered was redacted");
    }
    let sent = SENT.iter().chain(&TOLD).map(|(_, value)| *value);
    let secrets = sent.chain([
        PASSWORD,
        CHAT_PATH,
        &chat_url,
        TOKEN,
        SECRET,
        OUTCOME_SECRET,
        ADMIN_TOKEN,
        OTLP_TOKEN,
    ]);
    let mut found = Vec::new();
    for secret in secrets {
        for form in forms(secret) {
            let form_by_bytes = by_bytes(&form);
            let places = seen.iter().filter(|(_, text)| text.contains(&form_by_bytes));
            found.extend(places.map(|(place, _)| format!("{} in {place}", String::from_utf8_lossy(&form))));
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// Whoever sends the secret in place of a signature is refused, and so is one who sends it everywhere.
async fn show_secrets(stage: &Stage) {
    for headers in [
        vec![("x-webhook-signature", SECRET), ("x-webhook-timestamp", SECRET)],
        vec![
            ("x-webhook-secret", SECRET),
            ("authorization", TOKEN),
            ("cookie", ADMIN_TOKEN),
        ],
    ] {
        let url = format!("{}/webhooks/temps?secret={SECRET}", stage.agent.url);
        let refused = send(Method::POST, &url, &headers, SECRET.as_bytes()).await;
        assert_eq!(refused.status, 401);
    }
}

/// What a collector was sent, once some probes with secrets are in it.
async fn exported(collector: &Collector) -> Vec<(String, Vec<u8>)> {
    let probes = |span: &&Span| text(span, "url.full").is_some_and(|url| url.contains("/check/all?key="));
    let probed = collector.wait_for(SOON, |spans| spans.iter().filter(probes).count() > 5);
    assert!(probed.await.is_some(), "what was asked is in the trace");
    let mut sent = Vec::new();
    for (number, request) in collector.requests().into_iter().enumerate() {
        let expected = format!("Bearer {OTLP_TOKEN}");
        assert_eq!(request.authorization, Some(expected));
        sent.push((format!("export {number}"), request.body));
    }
    sent
}

/// Each endpoint is sent a test; returns once each that answers with what it was sent has been tried.
async fn all_tried(stage: &Stage) {
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    for name in TOLD_TO.iter().chain(&["broken", "chat"]) {
        let path = format!("{}/api/v1/endpoints/{name}/test", stage.agent.url);
        let answer = send(Method::POST, &path, &[("authorization", &bearer)], b"").await;
        assert_eq!(answer.status, 200, "{name}");
    }
    loop {
        let messages = stage.api("/api/v1/messages?limit=200").await;
        let items = messages["items"].as_array().expect("items");
        let is_tried = |name: &&str| {
            let of = |item: &&serde_json::Value| item["endpoint"] == **name && item["event"] == "endpoint.test";
            let found = items.iter().find(of);
            found.is_some_and(|item| item["attempts"].as_u64() > Some(0))
        };
        if TOLD_TO.iter().chain(&["broken", "chat"]).all(is_tried) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// Everything that anybody may see, by where.
async fn everything(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let mut seen = vec![("the log".to_owned(), stage.agent.log().into_bytes())];
    for (number, outcome) in stage.receiver.all().iter().enumerate() {
        seen.push((format!("outcome {number}"), outcome.body.to_string().into_bytes()));
    }
    let mut paths: Vec<String> = [
        "/",
        "/apps",
        "/deliveries",
        "/messages",
        "/endpoints",
        "/pauses",
        "/trust",
        "/config",
        "/config?check=all",
        "/metrics",
        "/readyz",
        "/style.css",
        "/api/v1/openapi.json",
        "/api/v1/config",
        "/api/v1/troubles",
        "/api/v1/refusals",
        "/api/v1/trust",
        "/api/v1/endpoints",
        "/api/v1/apps",
        "/api/v1/pauses",
        "/api/v1/runs?limit=200",
        "/api/v1/deliveries?limit=200",
        "/api/v1/messages?limit=200",
    ]
    .map(str::to_owned)
    .to_vec();
    for (list, details) in [
        ("runs", &["/api/v1/runs/ID", "/api/v1/runs/ID/journal", "/runs/ID"][..]),
        ("deliveries", &["/api/v1/deliveries/ID", "/deliveries/ID"]),
        ("messages", &["/api/v1/messages/ID", "/messages/ID"]),
    ] {
        let page = stage.api(&format!("/api/v1/{list}?limit=200")).await;
        let items = page["items"].as_array().expect("items");
        assert!(!items.is_empty(), "no {list}");
        for item in items {
            let id = item["id"].as_str().expect("an id");
            paths.extend(details.iter().map(|path| path.replace("ID", id)));
        }
    }
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    for path in paths {
        let url = format!("{}{path}", stage.agent.url);
        let answer = send(Method::GET, &url, &[("authorization", &bearer)], b"").await;
        assert_eq!(answer.status, 200, "{path}");
        seen.push((path, answer.body));
    }
    for entry in std::fs::read_dir(stage.folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        // All but the configs, which say where secrets are.
        if path.is_file() && path.extension().is_none_or(|extension| extension != "toml") {
            seen.push((path.display().to_string(), std::fs::read(&path).expect("bytes")));
        }
    }
    for file in ["backstop.db", "backstop.db-wal"] {
        let kept = seen.iter().find(|(place, _)| place.ends_with(file));
        assert!(kept.is_some_and(|(_, bytes)| !bytes.is_empty()), "{file}");
    }
    seen
}

/// Bytes as a text with a character for each, in which any bytes can be looked for quickly.
fn by_bytes(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
