//! `backstop outcomes` and `backstop deliveries replay`: the endpoints, and what they are sent again.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::Exit;
use super::agent::Remote;
use super::args::{AgentArgs, Format, OutcomesArgs, OutcomesCommand, ReplayArgs};
use super::ask::{print_list, segment};
use super::table::plain;

/// How long a test message may take to be attempted: longer than an endpoint may take to answer.
const TEST_MAX: Duration = Duration::from_secs(30);
/// How often its attempts are asked for.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// `backstop outcomes`.
pub(super) async fn run(args: &OutcomesArgs) -> anyhow::Result<Exit> {
    match &args.command {
        None => list(&args.agent).await,
        Some(OutcomesCommand::Test { name, agent }) => test(name, agent).await,
        Some(OutcomesCommand::Enable { name, agent }) => switch(name, "enable", agent).await,
        Some(OutcomesCommand::Disable { name, agent }) => switch(name, "disable", agent).await,
    }
}

/// Switches an endpoint on or off.
async fn switch(name: &str, how: &str, agent: &AgentArgs) -> anyhow::Result<Exit> {
    let path = format!("/api/v1/endpoints/{}/{how}", segment(name));
    let answer = Remote::new(agent)?.change(Method::POST, &path, None).await?;
    let status = answer.get("status").and_then(Value::as_str).unwrap_or("switched");
    println!("{} is {}", plain(name), plain(status));
    Ok(Exit::Ok)
}

async fn list(agent: &AgentArgs) -> anyhow::Result<Exit> {
    let mut answer = Remote::new(agent)?.get("/api/v1/endpoints").await?;
    if agent.format == Format::Text {
        for item in answer
            .get_mut("items")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            item["health"] = health(item).into();
        }
    }
    let columns = [
        ("ENDPOINT", "name"),
        ("FORMAT", "format"),
        ("HOST", "host"),
        ("DELIVERED", "delivered"),
        ("WAITING", "queued"),
        ("GIVEN UP", "dead"),
        ("HEALTH", "health"),
    ];
    print_list(&answer, &columns, agent.format, "the config has no [outcome.NAME]");
    Ok(Exit::Ok)
}

/// How an endpoint fares, in words.
fn health(item: &Value) -> String {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let failures = item.get("failures").and_then(Value::as_u64).unwrap_or(0);
    let is_configured = item.get("configured").and_then(Value::as_bool).unwrap_or(false);
    match (text("off_reason"), text("failing_since")) {
        _ if !is_configured => "not in the config any more".to_owned(),
        (Some(reason), _) => format!("off: {reason}"),
        (None, Some(since)) if failures > 0 => format!("{failures} failed in a row since {since}"),
        _ => "good".to_owned(),
    }
}

/// Sends a test message and waits for what the endpoint answers.
async fn test(name: &str, agent: &AgentArgs) -> anyhow::Result<Exit> {
    let remote = Remote::new(agent)?;
    let path = format!("/api/v1/endpoints/{}/test", segment(name));
    let queued = remote.change(Method::POST, &path, None).await?;
    let id = queued.get("message").and_then(Value::as_str).unwrap_or_default();
    let path = format!("/api/v1/messages/{}", segment(id));
    let attempted = async {
        loop {
            let message = remote.get(&path).await?;
            let log = message.get("attempt_log").and_then(Value::as_array);
            if let Some(attempt) = log.and_then(|log| log.last()) {
                return anyhow::Ok((message["state"] == "delivered", attempt.clone()));
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    };
    let Ok(found) = tokio::time::timeout(TEST_MAX, attempted).await else {
        println!(
            "{} waits: the endpoint is switched off, or busy; `backstop outcomes` shows it",
            plain(id)
        );
        return Ok(Exit::Failed);
    };
    let (delivered, attempt) = found?;
    if agent.format == Format::Json {
        println!(
            "{:#}",
            json!({"message": id, "delivered": delivered, "attempt": attempt})
        );
    } else {
        println!("{}", said(name, delivered, &attempt));
    }
    Ok(if delivered { Exit::Ok } else { Exit::Failed })
}

fn said(name: &str, delivered: bool, attempt: &Value) -> String {
    let text = |key: &str| plain(attempt.get(key).and_then(Value::as_str).unwrap_or_default());
    let ms = attempt.get("latency_ms").and_then(Value::as_u64).unwrap_or(0);
    let answer = match attempt.get("status").and_then(Value::as_u64) {
        Some(status) => format!("answered {status} in {ms} ms"),
        None => format!("did not answer: {}", text("error")),
    };
    let tail = if delivered {
        "; it has the test"
    } else {
        ", expected 2xx"
    };
    let response = text("response");
    let body = if response.is_empty() || delivered {
        String::new()
    } else {
        format!("\n{response}")
    };
    format!("{} at {} {answer}{tail}{body}", plain(name), text("host"))
}

/// `backstop deliveries replay`.
pub(super) async fn replay(args: &ReplayArgs) -> anyhow::Result<()> {
    let duration = |duration: Option<Duration>| duration.map(|d| humantime::format_duration(d).to_string());
    let body = if args.ids.is_empty() {
        json!({
            "endpoint": args.endpoint, "failed": args.failed, "since": duration(args.since), "until": duration(args.until),
        })
    } else {
        json!({"ids": args.ids})
    };
    let remote = Remote::new(&args.agent)?;
    let answer = remote
        .change(Method::POST, "/api/v1/messages/replay", Some(&body))
        .await?;
    if args.agent.format == Format::Json {
        println!("{answer:#}");
        return Ok(());
    }
    let queued = answer.get("queued").and_then(Value::as_u64).unwrap_or(0);
    match args.ids.as_slice() {
        [id] => println!("{} is queued again", plain(id)),
        _ => println!("{queued} messages are queued again"),
    }
    if answer.get("more").and_then(Value::as_bool) == Some(true) {
        println!("more are left; ask again");
    }
    Ok(())
}
