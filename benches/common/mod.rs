//! What the benchmarks of the running agent share: starting it, sending it signed deliveries, measuring what it answers.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What deliveries are signed with.
pub const SECRET: &str = "whsec_benchmark-secret-of-some-length";
/// Connections that send at once.
pub const CONNECTIONS: usize = 64;

/// Ends the process it started when it goes out of scope.
pub struct Server(pub Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What one round measured.
pub struct Round {
    pub per_second: f64,
    pub p99_ms: f64,
}

/// The value in the middle.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Starts the agent with a config of this text in `folder`; where it listens.
pub fn start(folder: &Path, config: &str) -> (Server, u16) {
    let file = folder.join("checks.toml");
    std::fs::write(&file, config).expect("a config");
    let mut child = Command::new(env!("CARGO_BIN_EXE_backstop"))
        .args(["serve", "--config"])
        .arg(&file)
        .env("TOKEN", "tk_bench")
        .env("HOOK", SECRET)
        .env("BACKSTOP_LOG_FORMAT", "json")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the agent starts");
    let log = BufReader::new(child.stderr.take().expect("its log"));
    let mut lines = log.lines();
    let port = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| listening_port(&line))
        .expect("it listens");
    std::thread::spawn(move || lines.for_each(drop));
    (Server(child), port)
}

fn listening_port(line: &str) -> Option<u16> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line.get("fields")
        .unwrap_or(&line)
        .get("listen")?
        .as_str()?
        .rsplit(':')
        .next()?
        .parse()
        .ok()
}

/// What a connection sends next.
pub type MakeRequest = Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

/// Sends requests over kept connections for one round, each connection one at a time, spread over `ports`.
pub async fn measure(ports: &[u16], round: Duration, request: MakeRequest) -> Round {
    let started = Instant::now();
    let workers = (0..CONNECTIONS).map(|index| {
        let port = ports[index % ports.len()];
        let request = Arc::clone(&request);
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            let mut latencies = Vec::new();
            while started.elapsed() < round {
                let bytes = request(index);
                let sent = Instant::now();
                stream.write_all(&bytes).await.expect("written");
                let status = read_answer(&mut stream).await;
                assert!((200..300).contains(&status), "answered {status}");
                latencies.push(sent.elapsed());
            }
            latencies
        })
    });
    let mut latencies = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        latencies.extend(worker.await.expect("a worker"));
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    let p99 = latencies[latencies.len() * 99 / 100];
    Round {
        per_second: latencies.len() as f64 / elapsed.as_secs_f64(),
        p99_ms: p99.as_secs_f64() * 1_000.0,
    }
}

/// Reads one answer with a content length; returns its status.
pub async fn read_answer(stream: &mut TcpStream) -> u16 {
    read_whole_answer(stream).await.0
}

/// Reads one answer with a content length; returns its status and its body.
pub async fn read_whole_answer(stream: &mut TcpStream) -> (u16, Vec<u8>) {
    let mut buffer = Vec::with_capacity(1_024);
    loop {
        let mut chunk = [0; 2_048];
        let read = stream.read(&mut chunk).await.expect("an answer");
        assert!(read > 0, "the server closed the connection");
        buffer.extend_from_slice(&chunk[..read]);
        let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|l| l.strip_prefix("content-length:"))
            .map_or(0, |l| l.trim().parse().unwrap_or(0));
        if buffer.len() >= end + 4 + length {
            let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
            return (status, buffer.split_off(end + 4));
        }
    }
}

/// A signed `POST` of `body`.
pub fn signed(path: &str, body: &str) -> Vec<u8> {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let signature = backstop::signature::sign_timestamped(SECRET, i64::try_from(now).expect("fits"), body.as_bytes());
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-webhook-timestamp: {now}\r\n\
         x-webhook-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A delivery with an id of its own, of an event that starts no run: what is measured is accepting.
pub fn delivery(path: &str, number: u64) -> Vec<u8> {
    signed(
        path,
        &format!(
            r#"{{"event":"deploy.started","timestamp":"2026-03-12T14:22:01Z","delivery_id":"whk_{number:016}","deployment_id":"dep_{number}","app":"api-service","environment":"production","commit":{{"sha":"f4c8e2a","message":"Fix the cart","author":"a","branch":"main"}},"triggered_by":"git_push"}}"#
        ),
    )
}

/// A `GET`.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}
