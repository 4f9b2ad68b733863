//! Deliveries from people who wish us ill, over real connections: slow, lying, compressed, forged, late.

use std::time::Duration;

use async_compression::tokio::write::GzipEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;
use crate::clock::ManualClock;
use crate::domain::OutcomeEvent;
use crate::runtime::handle::Command;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATH_SECRET: &str = "0123456789-long-and-random";
const BODY: &str = r#"{"event":"build.completed","delivery_id":"whk_1","deployment_id":"dep_1","app":"shop"}"#;
/// The longest that anything here may take; nothing comes near it.
const SOON: Duration = Duration::from_secs(60);

struct Running {
    address: SocketAddr,
    clock: ManualClock,
    commands: mpsc::Receiver<Command>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An agent's HTTP side with a platform that signs and one that has its secret in the path.
async fn running() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let temps = include_str!("../../platform/files/temps.toml");
    let ours = temps.replacen("recipe = \"temps\"", "recipe = \"secret-path\"", 1);
    let (before, after) = ours.split_once("[[signature]]\nrecipe = \"temps-guide\"").unwrap();
    let text = "[platform.temps]\nurl = \"https://t.example\"\ntoken = \"{{ secret.T }}\"\nsecret = \"{{ secret.S }}\"\n\
                [platform.ours]\nkind = \"./ours.toml\"\nurl = \"https://o.example\"\ntoken = \"{{ secret.T }}\"\n\
                secret = \"{{ secret.P }}\"\n[check.home]\nget = \"/\"\n";
    let env = FixedEnv::default()
        .file("checks.toml", text)
        .file("./ours.toml", format!("{before}{after}"))
        .var("T", "token-of-the-tests")
        .var("S", SECRET)
        .var("P", PATH_SECRET);
    let config = crate::config::load("checks.toml".as_ref(), &env).unwrap_or_else(|problems| panic!("{problems:?}"));
    let (clock, manual) = Clock::manual(START);
    let url = format!("sqlite://{}/web.db", folder.path().display());
    let store = Store::open(&url, clock.clone()).await.unwrap();
    let (handle, commands) = Handle::new(8);
    let config = Arc::new(ArcSwap::from_pointee(config));
    let mut app = App::new(config, store, handle, clock, Ids::default(), Metrics::new());
    app.limits.head_time_max = Duration::from_millis(200);
    app.limits.body_time_max = Duration::from_millis(400);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    serve(app, listener, None, &stop);
    Running {
        address,
        clock: manual,
        commands,
        stop,
        _folder: folder,
    }
}

fn signed(secret: &str, time_s: i64, body: &str) -> String {
    let signature = crate::signature::sign_timestamped(secret, time_s, body.as_bytes());
    format!("x-temps-timestamp: {time_s}\r\nx-temps-signature: {signature}\r\n")
}

impl Running {
    /// What comes back for these bytes until the connection is closed.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may hang up in the middle of it, which is as good.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
        let _ = read.expect("the connection is closed");
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        let answer = self.raw(&[head.as_bytes(), body].concat()).await;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap_or_else(|| panic!("no status: {answer}")), answer)
    }

    async fn refusals(&self) -> Vec<serde_json::Value> {
        let (status, answer) = self.ask("GET", "/api/v1/refusals", "", b"").await;
        assert_eq!(status, 200, "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let json: serde_json::Value = serde_json::from_str(body).unwrap();
        json["items"].as_array().unwrap().clone()
    }

    /// The notices that were handed on.
    fn told(&mut self) -> Vec<(OutcomeEvent, String, String)> {
        let mut told = Vec::new();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Tell(notice) = command {
                told.push((notice.event, notice.about, notice.reason));
            }
        }
        told
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off() {
    let running = running().await;
    let answer = running
        .raw(b"POST /webhooks/temps HTTP/1.1\r\nhost: 127.0.0.1\r\nx-temps-sig")
        .await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_body_that_comes_byte_by_byte_is_cut_off() {
    let running = running().await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let head = format!(
        "POST /webhooks/temps HTTP/1.1\r\nhost: 127.0.0.1\r\n{}content-length: 100000\r\n\r\n",
        signed(SECRET, START.as_secs(), BODY)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let trickle = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut start = [0; 12];
    tokio::time::timeout(SOON, reader.read_exact(&mut start))
        .await
        .expect("an answer")
        .unwrap();
    trickle.abort();
    assert_eq!(&start, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_length_that_lies_gains_nothing() {
    let running = running().await;
    let signed = signed(SECRET, START.as_secs(), BODY);
    let of = |framing: &str| {
        format!(
            "POST /webhooks/temps HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n{signed}{framing}\r\n\r\n{BODY}"
        )
    };
    for (framing, expected) in [
        ("content-length: 1073741824", "HTTP/1.1 413"),
        ("content-length: 10", "HTTP/1.1 401"),
        ("content-length: 10\r\ncontent-length: 11", "HTTP/1.1 400"),
        ("content-length: -1", "HTTP/1.1 400"),
        ("content-length: 99999999999999999999999", "HTTP/1.1 400"),
        ("transfer-encoding: chunked", "HTTP/1.1 400"),
    ] {
        let answer = running.raw(of(framing).as_bytes()).await;
        assert!(answer.starts_with(expected), "{framing}: {answer}");
    }
    // One that promises more than it sends is waited for, and not for long.
    let answer = running.raw(of("content-length: 5000").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn nothing_is_inflated() {
    let running = running().await;
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(&vec![0; 10_000_000]).await.unwrap();
    encoder.shutdown().await.unwrap();
    let bomb = encoder.into_inner();
    assert!(bomb.len() < 100_000, "it is a bomb");
    for encoding in ["gzip", "GZIP", "identity, gzip", "br", "deflate", "unknown"] {
        let headers = format!(
            "content-encoding: {encoding}\r\n{}",
            signed(SECRET, START.as_secs(), BODY)
        );
        assert_eq!(
            running.ask("POST", "/webhooks/temps", &headers, &bomb).await.0,
            415,
            "{encoding}"
        );
    }
}

#[tokio::test]
async fn a_secret_in_the_path_opens_its_platform_alone_and_is_shown_nowhere() {
    let running = running().await;
    let mut bodies = Vec::new();
    for (path, expected) in [
        (format!("/webhooks/ours/{PATH_SECRET}"), 202),
        (format!("/webhooks/ours/{PATH_SECRET}x"), 401),
        (format!("/webhooks/ours/{}", &PATH_SECRET[1..]), 401),
        ("/webhooks/ours/%20".to_owned(), 401),
        ("/webhooks/ours".to_owned(), 401),
        // Where nobody asked for it, there is no such address; nor below it.
        (format!("/webhooks/temps/{SECRET}"), 404),
        (format!("/webhooks/none/{PATH_SECRET}"), 404),
        (format!("/webhooks/ours/{PATH_SECRET}/more"), 404),
    ] {
        let (status, answer) = running.ask("POST", &path, "", BODY.as_bytes()).await;
        assert_eq!(status, expected, "{path}");
        assert!(!answer.contains(&PATH_SECRET[1..]), "{answer}");
        if status == 401 {
            bodies.push(answer.split_once("\r\n\r\n").unwrap().1.to_owned());
        }
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    let shown = format!("{:?}", running.refusals().await);
    assert!(
        shown.contains("fits none of the 1 secrets") && !shown.contains(&PATH_SECRET[1..]),
        "{shown}"
    );
    for path in ["/api/v1/deliveries", "/metrics", "/"] {
        let (_, page) = running.ask("GET", path, "", b"").await;
        assert!(!page.contains(&PATH_SECRET[1..]), "{page}");
    }
}

#[tokio::test]
async fn refusals_are_kept_with_their_reason_and_bounded() {
    let running = running().await;
    let late = signed(SECRET, START.as_secs() - 400, BODY);
    assert_eq!(
        running.ask("POST", "/webhooks/temps", &late, BODY.as_bytes()).await.0,
        401
    );
    for number in 0..60 {
        let forged = signed("whsec_another-secret", START.as_secs(), &number.to_string());
        running.ask("POST", "/webhooks/temps", &forged, b"forged").await;
        running.clock.advance(Duration::from_secs(2));
    }
    // A platform that is not configured has no place to be filled.
    running.ask("POST", "/webhooks/other", &late, BODY.as_bytes()).await;
    let kept = running.refusals().await;
    assert_eq!(kept.len(), 50);
    let newest = &kept[0];
    assert!(
        newest["reason"]
            .as_str()
            .unwrap()
            .contains("fits none of the 1 secrets"),
        "{newest}"
    );
    assert_eq!(
        (&newest["body_bytes"], newest.get("body")),
        (&6.into(), None),
        "{newest}"
    );
    assert!(
        newest["headers"]
            .as_array()
            .unwrap()
            .contains(&"x-temps-signature".into()),
        "{newest}"
    );
    // What was rightly signed is not pushed out by what anybody can send.
    let oldest = &kept[49];
    assert!(
        oldest["reason"].as_str().unwrap().contains("400 s in the past"),
        "{oldest}"
    );
    assert_eq!(
        oldest["findings"][0],
        "the signature holds by secret 1 of 1: only its time is too far from this clock's"
    );
    assert_eq!(oldest["body"], BODY);
    let shown = format!("{kept:?}");
    assert!(
        !shown.contains(SECRET) && !shown.contains(late.trim_end().rsplit(' ').next().unwrap()),
        "{shown}"
    );
}

#[tokio::test]
async fn a_late_delivery_is_told_of_once_an_hour_and_counted() {
    let mut running = running().await;
    for _ in 0..3 {
        let late = signed(SECRET, START.as_secs() - 400, BODY);
        running.ask("POST", "/webhooks/temps", &late, BODY.as_bytes()).await;
        let forged = signed("whsec_another-secret", START.as_secs() - 400, BODY);
        running.ask("POST", "/webhooks/temps", &forged, BODY.as_bytes()).await;
    }
    let told = running.told();
    assert_eq!(told.len(), 1, "{told:?}");
    let (event, about, reason) = &told[0];
    assert_eq!(
        (*event, about.as_str()),
        (OutcomeEvent::DeliveryMissed, "platform temps")
    );
    assert!(
        reason.contains("400 s in the past") && reason.contains("clocks may be wrong"),
        "{reason}"
    );
    let (_, metrics) = running.ask("GET", "/metrics", "", b"").await;
    assert!(
        metrics.contains("answer=\"late\"} 3\n") && metrics.contains("answer=\"unverified\"} 3\n"),
        "{metrics}"
    );
    running.clock.advance(Duration::from_secs(3_600));
    let late = signed(SECRET, START.as_secs(), BODY);
    running.ask("POST", "/webhooks/temps", &late, BODY.as_bytes()).await;
    assert_eq!(running.told().len(), 1);
}
