//! No secret of an endpoint is in the store, the log or any answer, in whatever way it may be written; not even if the
//! receiver sends back all that it was sent.

use std::fmt::Write as _;

use backstop::pretend::{Behaviour, Generation, Release};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::stage::{ADMIN_TOKEN, OUTCOME_SECRET, SECRET, Setup, Stage, TOKEN, send};

/// The secrets of this test, by their names.
const OURS: [(&str, &str); 6] = [
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

/// A receiver that answers with everything that it was sent, as an error.
async fn parrot() -> String {
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

/// A secret as it may be written.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let bare = secret.strip_prefix("whsec_").or_else(|| secret.strip_prefix("whsk_"));
    let decoded = bare.and_then(|bare| BASE64_STANDARD.decode(bare).ok());
    for text in [Some(secret), bare].into_iter().flatten() {
        let percent: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let json = serde_json::Value::from(text).to_string();
        forms.extend([
            text.to_owned(),
            percent.replace('+', "%20"),
            percent,
            json.trim_matches('"').to_owned(),
            text.replace('&', "&amp;").replace('"', "&quot;"),
        ]);
    }
    for bytes in [Some(secret.as_bytes()), decoded.as_deref()].into_iter().flatten() {
        forms.extend([
            hex::encode(bytes),
            hex::encode_upper(bytes),
            BASE64_STANDARD.encode(bytes).trim_end_matches('=').to_owned(),
            BASE64_URL_SAFE.encode(bytes).trim_end_matches('=').to_owned(),
        ]);
    }
    let mut forms: Vec<Vec<u8>> = forms.into_iter().map(String::into_bytes).collect();
    forms.extend(decoded);
    forms
}

fn contains(place: &[u8], form: &[u8]) -> bool {
    place.windows(form.len()).any(|window| window == form)
}

/// Endpoints that use each of the secrets, which are in files of `folder`.
fn config(folder: &std::path::Path, url: &str) -> String {
    let mut more = String::from("[secrets]\n");
    for (name, secret) in OURS {
        let value = if name == "PATH" {
            format!("{url}/hooks/{secret}")
        } else {
            secret.to_owned()
        };
        let file = folder.join(name);
        std::fs::write(&file, value).expect("a file");
        writeln!(more, "{name} = {{ file = \"{}\" }}", file.display()).expect("text");
    }
    write!(
        more,
        r#"
[outcome.chat]
slack = "{{{{ secret.PATH }}}}"
[outcome.page]
pagerduty = "{{{{ secret.ROUTING_KEY }}}}"
url = "{url}/v2/enqueue"
events = ["*"]
[outcome.rotating]
cdevents = "{url}/hook"
secret = ["{{{{ secret.NEW }}}}", "{{{{ secret.PAIR }}}}"]
headers.Authorization = "Bearer {{{{ secret.HEADER }}}}"
rfc9421 = true
[outcome.own]
url = "{url}/own"
secret = "{{{{ secret.PLAIN }}}}"
template = '{{"text": "{{{{ outcome.title }}}}"}}'
"#
    )
    .expect("text");
    more
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_kept_logged_or_shown() {
    let kept = tempfile::tempdir().expect("a folder");
    let url = parrot().await;
    let more = config(kept.path(), &url);
    let setup = Setup {
        more,
        ..Setup::default()
    };
    let stage = Stage::new(Generation::G3, setup).await;
    stage.known_good("aaaaaaa1").await;
    stage.temps.deploy(Release::new("bbbbbbb2", Behaviour::Errors)).await;
    let names = ["chat", "page", "rotating", "own"];
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let token = [("authorization", bearer.as_str())];
    for name in names {
        let path = format!("{}/api/v1/endpoints/{name}/test", stage.agent.url);
        assert_eq!(send(Method::POST, &path, &token, b"").await.status, 200, "{name}");
    }
    let answers = attempted_by_all(&stage, &names, &token).await;

    let mut places: Vec<(String, Vec<u8>)> = vec![("the log".to_owned(), stage.agent.log().into_bytes())];
    places.push(("the answers".to_owned(), answers));
    for entry in std::fs::read_dir(stage.folder.path()).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") && path.is_file() {
            places.push((path.display().to_string(), std::fs::read(&path).expect("bytes")));
        }
    }
    assert!(
        places
            .iter()
            .any(|(name, bytes)| name.ends_with("backstop.db") && !bytes.is_empty())
    );
    // What is looked for can be found: the receivers did answer with what they were sent.
    assert!(places.iter().skip(2).any(|(_, bytes)| contains(bytes, b"[redacted]")));
    let all = OURS
        .map(|(_, secret)| secret)
        .into_iter()
        .chain([ADMIN_TOKEN, OUTCOME_SECRET, SECRET, TOKEN]);
    for secret in all {
        for form in forms(secret) {
            for (name, bytes) in &places {
                assert!(!contains(bytes, &form), "{name} has {}", String::from_utf8_lossy(&form));
            }
        }
    }
}

/// Everything that the API and the dashboard answer, once each endpoint was tried.
async fn attempted_by_all(stage: &Stage, names: &[&str], token: &[(&str, &str)]) -> Vec<u8> {
    let tried = async {
        loop {
            let messages = stage.api("/api/v1/messages?limit=200").await;
            let items = messages["items"].as_array().expect("items").clone();
            let is_tried = |name: &&str| {
                let of = |item: &&serde_json::Value| item["endpoint"] == **name && item["event"] == "endpoint.test";
                items
                    .iter()
                    .find(of)
                    .is_some_and(|item| item["attempts"].as_u64() > Some(0))
            };
            if names.iter().all(is_tried) {
                return items;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let items = tokio::time::timeout(crate::stage::SOON, tried).await.expect("tried");
    let mut paths: Vec<String> = ["messages", "endpoints", "deliveries", "runs", "apps", "trust"]
        .iter()
        .map(|list| format!("/api/v1/{list}"))
        .collect();
    paths.push("/".to_owned());
    let ids = items.iter().filter_map(|item| item["id"].as_str());
    paths.extend(ids.map(|id| format!("/api/v1/messages/{id}")));
    let runs = items.iter().filter_map(|item| item["run"].as_str());
    paths.extend(runs.map(|run| format!("/api/v1/runs/{run}")));
    let mut answers = Vec::new();
    for path in paths {
        let answer = send(Method::GET, &format!("{}{path}", stage.agent.url), token, b"").await;
        assert_eq!(answer.status, 200, "{path}");
        answers.extend(answer.body);
    }
    answers
}
