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

#[path = "common/mod.rs"]
mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::{CONNECTIONS, SECRET, Server, delivery, get, measure, median};

const ROUND: Duration = Duration::from_secs(4);
const ROUNDS: usize = 5;

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
        let healthz = measure(&[agent_port], ROUND, Arc::new(|_| get("/healthz"))).await;
        let signed = Arc::clone(&numbers);
        let accepted = measure(
            &[agent_port],
            ROUND,
            Arc::new(move |_| delivery("/webhooks/temps", signed.fetch_add(1, Ordering::Relaxed))),
        )
        .await;
        print!(
            "round {number}: healthz {:.0}/s, accepted {:.0}/s (p99 {:.1} ms)",
            healthz.per_second, accepted.per_second, accepted.p99_ms
        );
        of_healthz.push(accepted.per_second / healthz.per_second);
        p99s.push(accepted.p99_ms);
        if let Some((_, port)) = &express {
            let signed = Arc::clone(&numbers);
            let receiver = measure(
                &[*port],
                ROUND,
                Arc::new(move |_| delivery("/webhooks", signed.fetch_add(1, Ordering::Relaxed))),
            )
            .await;
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

fn start_agent(folder: &Path) -> (Server, u16) {
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nrate_limit = \"off\"\n[store]\nurl = \"sqlite://{}/bench.db\"\n\
         [platform.temps]\nkind = \"temps\"\nurl = \"http://127.0.0.1:9\"\ntoken = \"{{{{ secret.TOKEN }}}}\"\n\
         secret = \"{{{{ secret.HOOK }}}}\"\n[check.home]\nget = \"/\"\n",
        folder.display()
    );
    common::start(folder, &text)
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
