//! How long `backstop test` takes for 50 checks of a server that takes 200 ms for each answer, with default settings, and
//! how long it takes to read and validate 1,000 checks.
//!
//! `cargo bench --bench checks`

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark")]

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use backstop::config::{FixedEnv, load};

type Outcome<T> = Result<T, Box<dyn Error>>;

const CHECKS: usize = 50;
const ANSWER_AFTER: Duration = Duration::from_millis(200);
const VALIDATED: usize = 1_000;
const ROUNDS: usize = 9;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let address = runtime.block_on(async {
        let answer = || async {
            tokio::time::sleep(ANSWER_AFTER).await;
            "ok"
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        Ok::<_, std::io::Error>(address)
    })?;
    let scratch = tempfile::tempdir()?;
    let config = scratch.path().join("checks.toml");
    std::fs::write(&config, checks(CHECKS))?;
    let took = median(ROUNDS, || test(&config, &address.to_string()))?;
    println!(
        "backstop test, {CHECKS} checks, {} ms for each answer: {} ms, {:.2} times one answer",
        ANSWER_AFTER.as_millis(),
        took.as_millis(),
        took.as_secs_f64() / ANSWER_AFTER.as_secs_f64()
    );

    let env = FixedEnv::default().file("checks.toml", checks(VALIDATED));
    let took = median(ROUNDS, || {
        let started = Instant::now();
        let read = load(Path::new("checks.toml"), &env).map_err(|_| "the checks are not valid")?;
        assert_eq!(read.checks().count(), VALIDATED);
        Ok(started.elapsed())
    })?;
    println!(
        "reading and validating {VALIDATED} checks: {:.1} ms",
        took.as_secs_f64() * 1e3
    );
    Ok(())
}

/// The binary, from its start to its end.
fn test(config: &Path, address: &str) -> Outcome<Duration> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backstop"));
    command
        .args(["test", "--url", &format!("http://{address}"), "--config"])
        .arg(config);
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).status()?;
    let took = started.elapsed();
    if status.success() {
        Ok(took)
    } else {
        Err("a check did not pass".into())
    }
}

/// Checks as people write them.
fn checks(count: usize) -> String {
    let one = |number: usize| {
        format!(
            "[check.page-{number}]\nget = \"/pages/{number}\"\ntimeout = \"5s\"\nexpect.body.lacks = [\"Traceback\"]\n\n"
        )
    };
    (0..count).map(one).collect()
}

fn median(rounds: usize, mut measure: impl FnMut() -> Outcome<Duration>) -> Outcome<Duration> {
    let mut took = (0..rounds).map(|_| measure()).collect::<Outcome<Vec<_>>>()?;
    took.sort();
    took.get(rounds / 2).copied().ok_or_else(|| "no rounds".into())
}
