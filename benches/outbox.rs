//! The outbox under load: 200 endpoints of which every tenth is slow, failing, lying or gone, and 10,000 outcomes.
//!
//! `cargo bench --bench outbox`; `cargo bench --bench outbox -- 500` sends so many to each endpoint, to see where memory levels off.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark measures and prints"
)]

#[path = "../tests/support/soak.rs"]
mod load;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let asked = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let load = load::Load {
        endpoints: 200,
        bad_every: 10,
        messages: asked.unwrap_or(50),
    };
    let seen = runtime.block_on(load::soak(load));
    let mib = |kib: u64| kib as f64 / 1_024.0;
    println!(
        "{} healthy endpoints, {} bad ones, {} messages to each",
        seen.healthy, seen.bad, load.messages
    );
    println!("queued over the API in {:.1} s, in ten parts", seen.queued_s);
    println!(
        "then until the healthy ones had all of a part, at most {:.1} s",
        seen.rest_s
    );
    let memory: Vec<String> = seen.memory_kib.iter().map(|kib| format!("{:.1}", mib(*kib))).collect();
    println!("memory before, and after each part: {} MiB", memory.join(", "));
}
