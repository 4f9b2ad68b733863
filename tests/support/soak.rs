//! Many endpoints, some of them slow, failing, lying or gone: the real agent has messages for all of them at once, and what
//! is measured is when those that work have everything, and what that costs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop::http::{Client, Network, Trust};
use backstop::pretend::{Generation, Temps};
use backstop::step::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::Instant;

const TOKEN: &str = "token-of-the-soak-of-the-outbox";
/// Requests to the API at once.
const ASKING: usize = 16;
/// The longest that anything may take.
const LONG: Duration = Duration::from_secs(300);
/// Parts in which the messages come: after each the memory is looked at.
const PARTS: usize = 10;

/// How much there is of everything.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub endpoints: usize,
    /// Every so many endpoints one is bad.
    pub bad_every: usize,
    /// Messages to each endpoint, in ten parts.
    pub messages: usize,
}

/// What was seen.
#[derive(Clone, Debug)]
pub struct Figures {
    pub healthy: usize,
    pub bad: usize,
    /// Until every message was queued, all parts together.
    pub queued_s: f64,
    /// From then until every healthy endpoint had its part; the longest.
    pub rest_s: f64,
    /// Memory of the agent's own: before, and after each part. What is mapped from files is not counted.
    pub memory_kib: Vec<u64>,
}

/// How an endpoint answers.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Good,
    Silent,
    Failing,
    /// It says 200 and breaks off.
    Reset,
    /// It says 200 and a body that never ends.
    Endless,
    /// It says 200 and a byte a second.
    Dripping,
    Elsewhere,
    /// Its length is not what it says.
    WrongLength,
    Gone,
}

const BAD: [Manner; 8] = [
    Manner::Silent,
    Manner::Failing,
    Manner::Reset,
    Manner::Endless,
    Manner::Dripping,
    Manner::Elsewhere,
    Manner::WrongLength,
    Manner::Gone,
];

/// The ids that an endpoint was sent, and how it answers.
struct Endpoint {
    url: String,
    manner: Manner,
    ids: Arc<Mutex<BTreeSet<String>>>,
}

impl Endpoint {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let ids: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let kept = Arc::clone(&ids);
        if !matches!(manner, Manner::Gone) {
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(answer(stream, manner, Arc::clone(&kept)));
                }
            });
        }
        Self { url, manner, ids }
    }

    fn count(&self) -> usize {
        self.ids.lock().expect("lock").len()
    }
}

/// Takes one message and answers it; how the connection ends is part of the answer.
async fn answer(mut stream: TcpStream, manner: Manner, ids: Arc<Mutex<BTreeSet<String>>>) -> Option<()> {
    let mut read = Vec::new();
    let id = loop {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let value = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(name));
                line.map(str::trim).map(str::to_owned)
            };
            if body.len()
                >= value("content-length:")
                    .and_then(|length| length.parse().ok())
                    .unwrap_or(0)
            {
                // Others' troubles are told of too, if it takes long; they are not what is counted.
                let is_counted = body.contains("endpoint.test");
                break value("webhook-id:").filter(|_| is_counted);
            }
        }
    };
    let says = |text: &str| format!("HTTP/1.1 {text}\r\nconnection: close\r\n");
    let out = match manner {
        Manner::Good => {
            ids.lock().expect("lock").extend(id);
            says("204 No Content") + "\r\n"
        }
        Manner::Failing => says("503 Service Unavailable") + "content-length: 0\r\n\r\n",
        Manner::Elsewhere => says("302 Found") + "location: /elsewhere\r\ncontent-length: 0\r\n\r\n",
        Manner::Reset | Manner::WrongLength => says("200 OK") + "content-length: 1000\r\n\r\nok",
        Manner::Endless | Manner::Dripping => says("200 OK") + "content-length: 99999999999\r\n\r\n",
        Manner::Silent | Manner::Gone => String::new(),
    };
    stream.write_all(out.as_bytes()).await.ok()?;
    match manner {
        Manner::Silent => tokio::time::sleep(LONG).await,
        Manner::Reset => stream.set_zero_linger().ok()?,
        Manner::Endless => loop {
            stream.write_all(&[b'x'; 16 * 1024]).await.ok()?;
        },
        Manner::Dripping => loop {
            stream.write_all(b"x").await.ok()?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        },
        _ => stream.shutdown().await.ok()?,
    }
    Some(())
}

/// The agent; it is killed when dropped.
struct Agent {
    child: Child,
    url: String,
}

impl Agent {
    fn start(config: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_backstop"))
            .args(["serve", "--log-format", "json", "--config"])
            .arg(config)
            .env("SOAK_TOKEN", TOKEN)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let json: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            json["fields"]["listen"].as_str().map(str::to_owned)
        });
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let url = format!("http://{}", address.expect("it listens"));
        Self { child, url }
    }

    /// A line of what Linux says of its memory, in KiB.
    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Queues everything, and waits until every endpoint that works has its part.
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is measured")]
pub async fn soak(load: Load) -> Figures {
    let temps = Temps::start(Generation::G3, TOKEN).await.expect("temps");
    let mut endpoints = Vec::new();
    for number in 0..load.endpoints {
        let is_bad = number % load.bad_every == load.bad_every - 1;
        let manner = if is_bad {
            BAD[number / load.bad_every % BAD.len()]
        } else {
            Manner::Good
        };
        endpoints.push(Endpoint::start(manner).await);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("checks.toml");
    std::fs::write(&config, text(folder.path(), &temps.url(), &endpoints)).expect("a config");
    let agent = Agent::start(&config);
    let mut memory_kib = vec![agent.memory("RssAnon")];
    let healthy: Vec<&Endpoint> = endpoints.iter().filter(|e| matches!(e.manner, Manner::Good)).collect();
    let (mut queued_s, mut rest_s) = (0.0, 0.0_f64);
    let each = load.messages / PARTS;
    for part in 1..=PARTS {
        let began = Instant::now();
        queue(&agent.url, load.endpoints, each).await;
        queued_s += began.elapsed().as_secs_f64();
        let rest = Instant::now();
        arrived(&healthy, part * each).await;
        rest_s = rest_s.max(rest.elapsed().as_secs_f64());
        memory_kib.push(agent.memory("RssAnon"));
    }
    Figures {
        healthy: healthy.len(),
        bad: endpoints.len() - healthy.len(),
        queued_s,
        rest_s,
        memory_kib,
    }
}

/// Returns when each of the endpoints has so many messages; more it must not have.
async fn arrived(endpoints: &[&Endpoint], messages: usize) {
    let all = async {
        while endpoints.iter().any(|endpoint| endpoint.count() < messages) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let done = tokio::time::timeout(LONG, all).await;
    let missing = endpoints.iter().filter(|endpoint| endpoint.count() < messages).count();
    assert!(done.is_ok(), "{missing} healthy endpoints have not got everything");
    assert!(endpoints.iter().all(|endpoint| endpoint.count() == messages));
}

fn text(folder: &Path, temps: &impl std::fmt::Display, endpoints: &[Endpoint]) -> String {
    let store = folder.join("backstop.db");
    let mut text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
admin_token = "{{{{ secret.SOAK_TOKEN }}}}"
rate_limit = "off"
[store]
url = "sqlite://{store}"
[platform.temps]
kind = "temps"
url = "{temps}"
token = "{{{{ secret.SOAK_TOKEN }}}}"
secret = "a-secret-of-the-soak"
[check.home]
get = "/"
"#,
        store = store.display()
    );
    for (number, endpoint) in endpoints.iter().enumerate() {
        let secret = "whsec_c29hay1vZi10aGUtb3V0Ym94LXNlY3JldA==";
        write!(
            text,
            "[outcome.e{number}]\nurl = \"{}\"\nsecret = \"{secret}\"\n",
            endpoint.url
        )
        .expect("text");
    }
    text
}

/// Asks for so many messages to each endpoint, the endpoints in turn.
async fn queue(agent: &str, endpoints: usize, messages: usize) {
    let network = Network {
        per_host_max: ASKING,
        ..Network::default()
    };
    let (client, turns) = (
        Client::new(network).expect("a client"),
        Arc::new(Semaphore::new(ASKING)),
    );
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..endpoints * messages {
        let turn = Arc::clone(&turns).acquire_owned().await.expect("a turn");
        let url = format!("{agent}/api/v1/endpoints/e{}/test", number % endpoints);
        let bearer = HeaderValue::from_str(&format!("Bearer {TOKEN}")).expect("a header");
        let request = Request {
            headers: vec![
                (AUTHORIZATION, bearer),
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            ],
            ..Request::new(Method::POST, url.parse().expect("an address"), LONG)
        };
        let client = client.clone();
        asked.spawn(async move {
            let answer = client.send(&request, Trust::Configured).await.expect("an answer");
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            drop(turn);
        });
        while let Some(done) = asked.try_join_next() {
            done.expect("asked");
        }
    }
    while let Some(done) = asked.join_next().await {
        done.expect("asked");
    }
}
