//! How long pages and lists of the API take, and how heavy they are, with 100,000 runs in the store.
//!
//! A SQLite file is filled (`fill.rs`), the agent is started on it, and each address is asked over one kept connection, one request
//! at a time. Prints median, p99 and bytes of each, and at last the slowest and the heaviest.
//!
//! `cargo bench --profile simulation --bench pages`, or with another number of runs: `… -- 20000`
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "the other benchmarks use the rest")]
mod common;
mod fill;

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use fill::Filled;

const RUNS: u64 = 100_000;
/// Requests of one address, or until the time is over.
const REQUESTS: usize = 200;
const TIME_MAX: Duration = Duration::from_secs(4);

/// What one address took.
struct Taken {
    median_ms: f64,
    p99_ms: f64,
    bytes: usize,
    /// Without a plot.
    bytes_plain: usize,
}

fn main() {
    let runs = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(RUNS);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(run(runs));
}

async fn run(runs: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.db");
    let begun = Instant::now();
    let filled = fill::fill(&path, runs).await;
    let size = std::fs::metadata(&path).map_or(0, |file| file.len()) / 1_000_000;
    println!(
        "{runs} runs in {size} MB, filled in {:.0} s",
        begun.elapsed().as_secs_f64()
    );
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite://{}\"\nkeep = \"365d\"\nmax_size = \"100GB\"\n\
         [platform.temps]\nkind = \"temps\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"{{{{ secret.TOKEN }}}}\"\n\
         secret = \"{{{{ secret.HOOK }}}}\"\n[check.home]\nget = \"/\"\n\
         [outcome.ops]\nslack = \"https://127.0.0.1:9/ops\"\n",
        path.display()
    );
    let (_agent, port) = common::start(folder.path(), &config);
    // What an agent does once at its start is not a page's.
    tokio::time::sleep(Duration::from_secs(2)).await;
    println!(
        "{:<76} {:>9} {:>9} {:>9} {:>9}",
        "", "median ms", "p99 ms", "bytes", "no plot"
    );
    let (mut slowest, mut heaviest) = ((0.0, String::new()), (0, String::new()));
    for address in addresses(&filled) {
        let taken = ask_often(port, &address).await;
        println!(
            "{address:<76} {:>9.2} {:>9.2} {:>9} {:>9}",
            taken.median_ms, taken.p99_ms, taken.bytes, taken.bytes_plain
        );
        if taken.p99_ms > slowest.0 {
            slowest = (taken.p99_ms, address.clone());
        }
        if !address.starts_with("/api/") && taken.bytes_plain > heaviest.0 {
            heaviest = (taken.bytes_plain, address);
        }
    }
    println!("slowest p99: {:.2} ms, {}", slowest.0, slowest.1);
    println!("heaviest page: {} bytes without its plot, {}", heaviest.0, heaviest.1);
}

/// Pages: each, and each list's first page by filters that fit often, seldom and never.
const PAGES: &[&str] = &[
    "/",
    "/?app=app-07",
    "/?environment=staging",
    "/?verdict=unhealthy",
    "/?action=rolled+back",
    "/?app=app-07&verdict=degraded",
    "/?environment=staging&verdict=inconclusive",
    "/?environment=nowhere&verdict=healthy",
    "/?since=2h",
    "/?until=70d&app=app-07",
    "/apps",
    "/apps?after=temps/20/1",
    "/deliveries",
    "/deliveries?app=app-07",
    "/deliveries?app=nobody",
    "/deliveries?platform=other",
    "/deliveries?event=deploy.failed&since=60d",
    "/messages",
    "/messages?endpoint=ops",
    "/messages?endpoint=ops&state=dead",
    "/messages?state=queued",
    "/messages?state=dead",
    "/messages?event=rollback.failed",
    "/messages?endpoint=chat&event=rollback.failed",
    "/endpoints",
    "/pauses",
    "/config",
    "/config?check=home",
    "/trust",
    "/trust?app=app-07",
];

/// Lists of the API that have no page of their own, or more on one.
const LISTS: &[&str] = &[
    "runs",
    "runs?limit=200",
    "apps",
    "endpoints",
    "pauses",
    "trust",
    "trust?app=app-07",
    "refusals",
];

/// Every page, every list of the API; of each list its first page, by filters that fit often, seldom and never, and its end.
fn addresses(filled: &Filled) -> Vec<String> {
    let Filled {
        run,
        long_run,
        delivery,
        message,
        message_place,
        ..
    } = filled;
    let mut found: Vec<String> = PAGES.iter().map(|&page| page.to_owned()).collect();
    found.extend([
        format!("/?before={run}"),
        format!("/?before={run}&environment=staging&verdict=unhealthy"),
        format!("/runs/{run}"),
        format!("/runs/{long_run}"),
        format!("/deliveries?before={delivery}"),
        format!("/deliveries/{delivery}"),
        format!("/messages?run={run}"),
        format!("/messages?before={message_place}"),
        format!("/messages/{message}"),
    ]);
    let of_api: Vec<String> = found
        .iter()
        .filter_map(|address| {
            let list = ["deliveries", "messages"]
                .iter()
                .any(|list| address.starts_with(&format!("/{list}")));
            match address.strip_prefix("/?") {
                Some(query) => Some(format!("/api/v1/runs?{query}")),
                None => list.then(|| format!("/api/v1{address}")),
            }
        })
        .collect();
    found.extend(of_api);
    found.extend(LISTS.iter().map(|list| format!("/api/v1/{list}")));
    found.extend([
        format!("/api/v1/runs/{run}"),
        format!("/api/v1/runs/{long_run}/journal"),
    ]);
    found
}

async fn ask_often(port: u16, address: &str) -> Taken {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let request = common::get(address);
    let (mut times, mut body) = (Vec::new(), Vec::new());
    // The first answers fill the database's cache; who looks at a page has mostly just looked at one.
    for _ in 0..3 {
        body = ask(&mut stream, &request, address).await;
    }
    let begun = Instant::now();
    while times.len() < REQUESTS && begun.elapsed() < TIME_MAX {
        let asked = Instant::now();
        ask(&mut stream, &request, address).await;
        times.push(asked.elapsed().as_secs_f64() * 1_000.0);
    }
    let text = String::from_utf8_lossy(&body);
    let plots: usize = text
        .split("<svg")
        .skip(1)
        .filter_map(|rest| rest.split("</svg>").next())
        .map(str::len)
        .sum();
    let median_ms = common::median(&mut times);
    Taken {
        median_ms,
        p99_ms: times[times.len() * 99 / 100],
        bytes: body.len(),
        bytes_plain: body.len() - plots,
    }
}

/// One request; the answer's body.
async fn ask(stream: &mut TcpStream, request: &[u8], address: &str) -> Vec<u8> {
    stream.write_all(request).await.expect("written");
    let mut answer = Vec::with_capacity(64 * 1_024);
    loop {
        assert!(
            stream.read_buf(&mut answer).await.expect("an answer") > 0,
            "{address}: closed"
        );
        let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 200 "), "{address}: {head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|length| length.trim().parse().ok()).expect("a length");
        if answer.len() >= end + 4 + length {
            return answer.split_off(end + 4);
        }
    }
}
