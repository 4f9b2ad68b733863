//! Accepted deliveries per second: verified, deduplicated and durable before the answer.
//!
//! Compares, in turns within one run and with the same client, the agent's `POST /webhooks/temps` with its own
//! `GET /healthz`, and with the Express receiver that guides show (`benches/express`, if `npm install` was run there).
//! Prints each round and the median of the rounds' ratios.
//!
//! `cargo bench --bench deliveries`
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const ROUND: Duration = Duration::from_secs(4);
const ROUNDS: usize = 5;
const SECRET: &str = "whsec_benchmark-secret-of-some-length";

/// What one round measured.
struct Round {
    per_second: f64,
    p99_ms: f64,
}

/// Ends the process it started when it goes out of scope.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(run());
}

async fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_agent, agent_port) = start_agent(folder.path());
    let express = start_express();
    let numbers = Arc::new(AtomicU64::new(0));
    let (mut of_healthz, mut of_express, mut p99s) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=ROUNDS {
        let healthz = measure(agent_port, Arc::new(|_| get("/healthz"))).await;
        let signed = Arc::clone(&numbers);
        let accepted = measure(agent_port, Arc::new(move |_| delivery("/webhooks/temps", &signed))).await;
        print!(
            "round {number}: healthz {:.0}/s, accepted {:.0}/s (p99 {:.1} ms)",
            healthz.per_second, accepted.per_second, accepted.p99_ms
        );
        of_healthz.push(accepted.per_second / healthz.per_second);
        p99s.push(accepted.p99_ms);
        if let Some((_, port)) = &express {
            let signed = Arc::clone(&numbers);
            let receiver = measure(*port, Arc::new(move |_| delivery("/webhooks", &signed))).await;
            print!(", Express {:.0}/s", receiver.per_second);
            of_express.push(accepted.per_second / receiver.per_second);
        }
        println!();
    }
    println!(
        "accepted / healthz: {:.2} (median of {ROUNDS} rounds, {CONNECTIONS} connections)",
        median(&mut of_healthz)
    );
    println!("accepted p99: {:.1} ms", median(&mut p99s));
    if of_express.is_empty() {
        println!("accepted / Express: not measured; run `npm install` in benches/express");
    } else {
        println!("accepted / Express: {:.1}", median(&mut of_express));
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn start_agent(folder: &Path) -> (Server, u16) {
    let config = folder.join("checks.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nrate_limit = \"off\"\n[store]\nurl = \"sqlite://{}/bench.db\"\n\
         [platform.temps]\nkind = \"temps\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"{{{{ secret.TOKEN }}}}\"\n\
         secret = \"{{{{ secret.HOOK }}}}\"\n[check.home]\nget = \"/\"\n",
        folder.display()
    );
    std::fs::write(&config, text).expect("a config");
    let mut child = Command::new(env!("CARGO_BIN_EXE_backstop"))
        .args(["serve", "--config"])
        .arg(&config)
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

fn start_express() -> Option<(Server, u16)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/express");
    folder.join("node_modules/express").exists().then_some(())?;
    let mut child = Command::new("node")
        .arg("receiver.js")
        .current_dir(folder)
        .env("SECRET", SECRET)
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take()?).read_line(&mut line).ok()?;
    Some((Server(child), line.trim().parse().ok()?))
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// A signed delivery with an id of its own, of an event that starts no run: what is measured is accepting.
fn delivery(path: &str, numbers: &AtomicU64) -> Vec<u8> {
    let number = numbers.fetch_add(1, Ordering::Relaxed);
    let body = format!(
        r#"{{"event":"deploy.started","timestamp":"2026-03-12T14:22:01Z","delivery_id":"whk_{number:016}","deployment_id":"dep_{number}","app":"api-service","environment":"production","commit":{{"sha":"f4c8e2a","message":"Fix the cart","author":"a","branch":"main"}},"triggered_by":"git_push"}}"#
    );
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

type MakeRequest = Arc<dyn Fn(usize) -> Vec<u8> + Send + Sync>;

/// Sends requests over kept connections for one round, each connection one at a time.
async fn measure(port: u16, request: MakeRequest) -> Round {
    let started = Instant::now();
    let workers = (0..CONNECTIONS).map(|index| {
        let request = Arc::clone(&request);
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            let mut latencies = Vec::new();
            while started.elapsed() < ROUND {
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
async fn read_answer(stream: &mut TcpStream) -> u16 {
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
            return head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
        }
    }
}
