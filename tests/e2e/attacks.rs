//! Deliveries that are forged, stale, replayed, cut, doubled, too large or malformed: what each is answered, and that
//! none changes anything.

use backstop::clock::Clock;
use backstop::pretend::Generation;
use backstop::signature::sign_timestamped;
use backstop::step::Response;
use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::stage::{ADMIN_TOKEN, OUTCOME_SECRET, SECRET, Setup, Stage, TOKEN, send};

const BODY: &[u8] =
    br#"{"event":"build.completed","delivery_id":"whk_attack","deployment_id":"dep_1","app":"shop","status":"ok"}"#;

fn now_s() -> i64 {
    Clock::system().wall().as_secs()
}

impl Stage {
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        send(Method::POST, &format!("{}{path}", self.agent.url), headers, body).await
    }

    async fn deliveries(&self) -> Vec<String> {
        let page = self.api("/api/v1/deliveries?limit=200").await;
        let items = page["items"].as_array().expect("items");
        items
            .iter()
            .map(|item| item["id"].as_str().expect("id").to_owned())
            .collect()
    }
}

/// A delivery of `body`, signed by `secret` at `timestamp_s`, with `change` made to its headers.
struct Attack {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn signed(timestamp_s: i64, secret: &str, body: &[u8]) -> Vec<(&'static str, String)> {
    vec![
        ("x-temps-timestamp", timestamp_s.to_string()),
        ("x-temps-signature", sign_timestamped(secret, timestamp_s, body)),
    ]
}

/// A well-signed delivery whose header `name` has another value.
fn replaced(name: &'static str, value: &str) -> Vec<(&'static str, String)> {
    let keep = signed(now_s(), SECRET, BODY)
        .into_iter()
        .filter(|(known, _)| *known != name);
    keep.chain([(name, value.to_owned())]).collect()
}

/// A well-signed delivery with more headers.
fn with(more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
    signed(now_s(), SECRET, BODY).into_iter().chain(more).collect()
}

fn attack(name: &'static str, headers: Vec<(&'static str, String)>) -> Attack {
    let body = BODY.to_vec();
    Attack { name, headers, body }
}

fn attacks_on_the_signature() -> Vec<Attack> {
    let now = now_s();
    let good = sign_timestamped(SECRET, now, BODY);
    let zeros = "0".repeat(64);
    let of = |value: &str| replaced("x-temps-signature", value);
    let mut attacks = vec![
        attack("unsigned", Vec::new()),
        attack("no signature", vec![("x-temps-timestamp", now.to_string())]),
        attack("no timestamp", vec![("x-temps-signature", good.clone())]),
        attack("another secret", signed(now, "whsec_another", BODY)),
        attack(
            "the secret without its prefix",
            signed(now, SECRET.trim_start_matches("whsec_"), BODY),
        ),
        attack("an empty secret", signed(now, "", BODY)),
        attack("too old", signed(now - 400, SECRET, BODY)),
        attack("from the future", signed(now + 400, SECRET, BODY)),
        attack(
            "another timestamp",
            replaced("x-temps-timestamp", &(now - 1).to_string()),
        ),
        attack(
            "the signature of another body",
            of(&sign_timestamped(SECRET, now, b"{}")),
        ),
        attack("good, then bad", with(&[("x-temps-signature", &zeros)])),
        attack("good twice", with(&[("x-temps-signature", &good)])),
        attack("two timestamps", with(&[("x-temps-timestamp", &now.to_string())])),
        attack(
            "good by one pair, bad by the other",
            with(&[
                ("x-webhook-timestamp", &now.to_string()),
                ("x-webhook-signature", &zeros),
            ]),
        ),
        attack("capital digits", of(&good.to_uppercase())),
        attack("another algorithm's prefix", of(&format!("sha1={good}"))),
        attack("a signature too long", of(&format!("{good}00"))),
        attack("a signature of 16 kB", of(&"a".repeat(16_000))),
    ];
    for length in [0, 1, 8, 32, 63] {
        attacks.push(attack("the start of the right signature", of(&good[..length])));
    }
    for time in [
        "hello",
        "+1773325321",
        "1773325321abc",
        "1e9",
        "-1",
        "99999999999999999999999",
    ] {
        attacks.push(attack("a timestamp that is none", replaced("x-temps-timestamp", time)));
    }
    for (name, headers, body) in [
        ("a changed body", signed(now, SECRET, BODY), [BODY, b" "].concat()),
        ("a cut body", signed(now, SECRET, BODY), BODY[..BODY.len() - 1].to_vec()),
        ("an unsigned body of 64 kB", Vec::new(), vec![b'x'; 64_000]),
        ("unsigned and not JSON", Vec::new(), b"{not json".to_vec()),
    ] {
        attacks.push(Attack { name, headers, body });
    }
    attacks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn whatever_is_wrong_with_a_signature_gets_the_same_bytes_and_changes_nothing() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let mut answers = Vec::new();
    for attack in attacks_on_the_signature() {
        let headers: Vec<(&str, &str)> = attack
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let answer = stage.post("/webhooks/temps", &headers, &attack.body).await;
        assert_eq!(answer.status, 401, "{}", attack.name);
        let mut told: Vec<String> = answer
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        told.retain(|line| !line.starts_with("date:"));
        answers.push((attack.name, told, answer.body));
    }
    let (_, headers, body) = &answers[0];
    for (name, other_headers, other_body) in &answers {
        assert_eq!((other_headers, other_body), (headers, body), "{name}");
    }
    assert_eq!(stage.deliveries().await, Vec::<String>::new());
    // The id was not poisoned: the real one is taken, once.
    let (first, again) = (signed(now_s(), SECRET, BODY), signed(now_s() - 5, SECRET, BODY));
    for (headers, expected) in [(&first, 202), (&first, 200), (&again, 200)] {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(stage.post("/webhooks/temps", &headers, BODY).await.status, expected);
    }
    assert_eq!(stage.deliveries().await.len(), 1);
    // Those that are signed and late are told of; nothing else follows from any of them.
    let only_told = stage.heard().iter().all(|told| told.starts_with("delivery.missed"));
    assert!(only_told && stage.targets().is_empty(), "{:?}", stage.heard());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_other_answers() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let sign = |body: &[u8]| signed(now_s(), SECRET, body);
    let large = vec![b'x'; 1024 * 1024 + 1];
    let nobody = br#"{"event":"deploy.exploded","delivery_id":"whk_odd","deployment_id":"dep_1"}"#;
    for (name, path, body, extra, expected) in [
        ("not JSON", "/webhooks/temps", &b"{not json"[..], None, 400),
        ("empty", "/webhooks/temps", b"", None, 400),
        ("too large", "/webhooks/temps", &large, None, 413),
        (
            "encoded",
            "/webhooks/temps",
            BODY,
            Some(("content-encoding", "gzip")),
            415,
        ),
        ("unknown platform", "/webhooks/other", BODY, None, 404),
        ("unknown path", "/webhook/temps", BODY, None, 404),
        (
            "an event that nothing follows from",
            "/webhooks/temps",
            nobody,
            None,
            202,
        ),
    ] {
        let headers = sign(body);
        let mut headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.extend(extra);
        let answer = stage.post(path, &headers, body).await;
        assert_eq!(answer.status, expected, "{name}");
        if expected >= 400 {
            let kind = answer.headers.get("content-type").expect("a type");
            assert_eq!(kind, "application/problem+json", "{name}");
        }
    }
    let get = send(Method::GET, &format!("{}/webhooks/temps", stage.agent.url), &[], b"").await;
    assert_eq!(get.status, 405);
    // What is verified is kept, so that it can be seen, whether or not something follows from it.
    assert_eq!(stage.deliveries().await.len(), 1);
    assert!(stage.heard().is_empty() && stage.targets().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hundred_replays_at_once_are_one_delivery() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let headers = signed(now_s(), SECRET, BODY);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let posts = (0..100).map(|_| stage.post("/webhooks/temps", &headers, BODY));
    let answers = futures_util::future::join_all(posts).await;
    let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((of(202), of(200)), (1, 99));
    assert_eq!(stage.deliveries().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_redelivery_is_a_duplicate_and_a_person_may_look_again() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let body = json!({"event": "deploy.live", "delivery_id": "whk_again", "deployment_id": good, "app": "shop"});
    let body = body.to_string().into_bytes();
    // A platform signs a delivery that somebody sends again anew; the window is as it was.
    let mut statuses = Vec::new();
    for late_s in [5, 0] {
        let headers = signed(now_s() - late_s, SECRET, &body);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        statuses.push(stage.post("/webhooks/temps", &headers, &body).await.status);
    }
    assert_eq!(statuses, [202, 200]);
    let runs = stage.api("/api/v1/runs?limit=200").await;
    let before = runs["items"].as_array().expect("runs");
    assert_eq!(before.len(), 1, "the redelivery began no run: {runs:#}");
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    let asked = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let answer = stage.post("/api/v1/runs", &asked, br#"{"app":"shop"}"#).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let begun: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert!(begun["run"].is_string() && begun["run"] != before[0]["id"], "{begun}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refused_delivery_is_explained_to_its_operator() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let late = signed(now_s() - 400, SECRET, BODY);
    let headers: Vec<(&str, &str)> = late.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(stage.post("/webhooks/temps", &headers, BODY).await.status, 401);
    let list = |format: &str| {
        let listed = crate::stage::backstop()
            .args([
                "deliveries",
                "--refused",
                "--agent",
                &stage.agent.url,
                "--format",
                format,
            ])
            .env("BACKSTOP_ADMIN_TOKEN", ADMIN_TOKEN)
            .output()
            .expect("it runs");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        String::from_utf8(listed.stdout).expect("text")
    };
    let text = list("text");
    for shown in [
        "temps from 127.0.0.1",
        "s in the past",
        "holds by secret 1 of 1",
        "x-temps-signature",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let json: serde_json::Value = serde_json::from_str(&list("json")).expect("JSON");
    assert_eq!(json["items"][0]["body"], String::from_utf8_lossy(BODY).as_ref());
    // Whoever had the secret may not know of the wrong clock: the endpoints are told.
    let told = stage
        .receiver
        .wait_for(crate::stage::SOON, |message| message.event() == "delivery.missed")
        .await
        .expect("told");
    assert!(told.signed && told.body["about"] == "platform temps", "{:#}", told.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_chunked_body_past_the_limit_is_cut_off() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let address = stage.agent.url.trim_start_matches("http://").to_owned();
    let mut stream = tokio::net::TcpStream::connect(&address).await.expect("connected");
    let head = format!(
        "POST /webhooks/temps HTTP/1.1\r\nhost: {address}\r\nx-temps-signature: {}\r\nx-temps-timestamp: {}\r\n\
         transfer-encoding: chunked\r\n\r\n",
        "0".repeat(64),
        now_s()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    for _ in 0..32 {
        // The server may have hung up already, which is as good.
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n").await;
    let mut answer = vec![0; 1024];
    let read = stream.read(&mut answer).await.expect("an answer");
    assert!(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 413 "));
    assert_eq!(stage.deliveries().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn unverified_requests_over_the_limit_are_told_to_wait_and_verified_ones_are_still_taken() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let config = stage.folder.path().join("checks.toml");
    let text = std::fs::read_to_string(&config).expect("config");
    std::fs::write(&config, text.replace("rate_limit = \"off\"", "rate_limit = \"5/m\"")).expect("config");
    let Stage { agent, folder, .. } = stage;
    assert!(agent.stop().success());
    let agent = crate::stage::Agent::start(&folder);
    let url = format!("{}/webhooks/temps", agent.url);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let answer = send(Method::POST, &url, &[], BODY).await;
        if answer.status == 429 {
            let wait: u64 = answer.headers["retry-after"]
                .to_str()
                .expect("text")
                .parse()
                .expect("seconds");
            assert!((1..=60).contains(&wait));
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429]);
    let headers = signed(now_s(), SECRET, BODY);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(send(Method::POST, &url, &headers, BODY).await.status, 202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nobody_else_may_look_or_act() {
    let stage = Stage::new(Generation::Guide, Setup::default()).await;
    let right = format!("Bearer {ADMIN_TOKEN}");
    let basic = "Basic YmFja3N0b3A6YWRtaW4tdG9rZW4tb2YtdGhlLXRlc3Rz"; // backstop:admin-token-of-the-tests
    for path in ["/", "/metrics", "/api/v1/runs", "/api/v1/deliveries", "/api/v1/pauses"] {
        for (shown, expected) in [
            (None, 401),
            (Some("Bearer wrong"), 401),
            (Some(right.as_str()), 200),
            (Some(basic), 200),
        ] {
            let headers: Vec<(&str, &str)> = shown.map(|value| ("authorization", value)).into_iter().collect();
            let answer = send(Method::GET, &format!("{}{path}", stage.agent.url), &headers, b"").await;
            assert_eq!(answer.status, expected, "{path} with {shown:?}");
        }
    }
    let pause = json!({"app": "shop", "for": "1h"}).to_string();
    let cross = [
        ("authorization", right.as_str()),
        ("origin", "https://evil.example"),
        ("content-type", "application/json"),
    ];
    assert_eq!(stage.post("/api/v1/pauses", &cross, pause.as_bytes()).await.status, 403);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            send(Method::GET, &format!("{}{path}", stage.agent.url), &[], b"")
                .await
                .status,
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_secret_is_in_any_log_page_or_answer() {
    let stage = Stage::new(Generation::G3, Setup::default()).await;
    let good = stage.known_good("aaaaaaa1").await;
    let forged = signed(now_s(), "whsec_another", BODY);
    let headers: Vec<(&str, &str)> = forged.iter().map(|(name, value)| (*name, value.as_str())).collect();
    stage.post("/webhooks/temps", &headers, BODY).await;
    let bearer = format!("Bearer {ADMIN_TOKEN}");
    // What it writes comes through a pipe, maybe after the answer.
    let refused = async {
        while !stage.agent.log().contains("does not verify") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let logged = tokio::time::timeout(std::time::Duration::from_secs(20), refused).await;
    assert!(logged.is_ok(), "the refusal is logged: {}", stage.agent.log());
    let mut texts = vec![stage.agent.log()];
    let run = stage.ended_run(&good).await;
    let run = run["id"].as_str().expect("id");
    let delivery = stage.deliveries().await.remove(0);
    for path in [
        "/".to_owned(),
        "/metrics".to_owned(),
        format!("/runs/{run}"),
        format!("/api/v1/runs/{run}"),
        format!("/api/v1/deliveries/{delivery}"),
        "/api/v1/messages".to_owned(),
        "/api/v1/endpoints".to_owned(),
        "/api/v1/apps".to_owned(),
    ] {
        let answer = send(
            Method::GET,
            &format!("{}{path}", stage.agent.url),
            &[("authorization", &bearer)],
            b"",
        )
        .await;
        assert_eq!(answer.status, 200, "{path}");
        texts.push(String::from_utf8(answer.body).expect("text"));
    }
    for secret in [TOKEN, SECRET, OUTCOME_SECRET, ADMIN_TOKEN, &forged[1].1] {
        for text in &texts {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
