//! The commands that talk to a running agent: runs, deliveries, pause, resume, cancel, health.

use http::Method;
use serde_json::{Value, json};

use super::Exit;
use super::agent::Remote;
use super::args::{
    AgentArgs, AppArgs, DeliveriesArgs, DeliveriesCommand, Format, PauseArgs, RunArgs, RunsArgs, RunsCommand,
};
use super::table::{plain, table};

/// Rows listed.
const ROWS: usize = 50;

/// `backstop health`.
pub(super) async fn health(args: &AgentArgs) -> anyhow::Result<Exit> {
    let status = Remote::new(args)?.status("/readyz").await?;
    println!(
        "{}",
        if status == 200 {
            "ready".to_owned()
        } else {
            format!("not ready: /readyz answered {status}")
        }
    );
    Ok(if status == 200 { Exit::Ok } else { Exit::Failed })
}

/// `backstop runs`.
pub(super) async fn runs(args: &RunsArgs) -> anyhow::Result<Exit> {
    match &args.command {
        None => {
            let wanted = &args.wanted;
            let asked = [
                ("app", &wanted.app),
                ("environment", &wanted.env),
                ("verdict", &wanted.verdict),
                ("action", &wanted.action),
                ("since", &wanted.since),
                ("until", &wanted.until),
                ("before", &wanted.before),
            ];
            let answer = Remote::new(&args.agent)?.get(&list("runs", &asked)).await?;
            let columns = [
                ("RUN", "id"),
                ("APP", "app"),
                ("ENVIRONMENT", "environment"),
                ("DEPLOYMENT", "deployment"),
                ("STARTED", "started_at"),
                ("PHASE", "phase"),
                ("VERDICT", "verdict"),
                ("ACTION", "action"),
            ];
            print_list(
                &answer,
                &columns,
                args.agent.format,
                match asked.iter().all(|(_, word)| word.is_none()) {
                    true => "no runs yet; one begins when a deployment goes live",
                    false => "none",
                },
            );
        }
        Some(RunsCommand::Start { app, env, drill, agent }) => {
            let body = json!({ "app": app, "environment": env, "drill": drill });
            let answer = Remote::new(agent)?
                .change(Method::POST, "/api/v1/runs", Some(&body))
                .await?;
            let field = |name: &str| plain(answer.get(name).and_then(Value::as_str).unwrap_or("-"));
            println!(
                "{} judges {}; `backstop runs show {0}` shows how",
                field("run"),
                field("deployment")
            );
        }
        Some(RunsCommand::Show { id, agent }) => {
            let remote = Remote::new(agent)?;
            let answer = remote.get(&format!("/api/v1/runs/{}", segment(id))).await?;
            match agent.format {
                Format::Json => println!("{answer:#}"),
                Format::Text => {
                    print_run(answer.get("run").unwrap_or(&answer), answer.get("trace_id"));
                    print_story(&remote, id, answer.get("journal")).await?;
                }
            }
        }
    }
    Ok(Exit::Ok)
}

fn print_run(run: &Value, trace: Option<&Value>) {
    let field = |name: &str| plain(run.get(name).and_then(Value::as_str).unwrap_or("-"));
    println!(
        "{}  {} in {}, deployment {}",
        field("id"),
        field("app"),
        field("environment"),
        field("deployment")
    );
    println!(
        "phase {}, verdict {}, action {}",
        field("phase"),
        field("verdict"),
        field("action")
    );
    if let Some(trace) = trace.and_then(Value::as_str) {
        println!("trace {}", plain(trace));
    }
    println!("{}\n", field("reason"));
}

/// The story's entries; `first` is its first page, if that was read already.
pub(super) async fn story(remote: &Remote, id: &str, first: Option<&Value>) -> anyhow::Result<Vec<Value>> {
    let after = async |after: &str| {
        remote
            .get(&format!("/api/v1/runs/{id}/journal?after={after}&limit=200"))
            .await
    };
    let mut page = match first {
        Some(first) => first.clone(),
        None => after("0").await?,
    };
    let mut found = Vec::new();
    loop {
        found.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
        match page.get("next").and_then(Value::as_str) {
            Some(next) => page = after(next).await?,
            None => return Ok(found),
        }
    }
}

async fn print_story(remote: &Remote, id: &str, first: Option<&Value>) -> anyhow::Result<()> {
    let entries = story(remote, &segment(id), first).await?;
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| cells(entry, &["at", "kind", "text"]))
        .collect();
    println!("{}", table(&["AT", "KIND", "WHAT"], &rows));
    Ok(())
}

/// `backstop deliveries --refused`.
async fn refused(args: &DeliveriesArgs) -> anyhow::Result<()> {
    let answer = Remote::new(&args.agent)?.get("/api/v1/refusals").await?;
    let items = answer.get("items").and_then(Value::as_array);
    if args.agent.format == Format::Json || items.is_none_or(Vec::is_empty) {
        print_list(
            &answer,
            &[],
            args.agent.format,
            "nothing was refused since the agent started",
        );
        return Ok(());
    }
    for item in items.into_iter().flatten() {
        let field = |name: &str| plain(item.get(name).and_then(Value::as_str).unwrap_or("-"));
        let list = |name: &str| -> Vec<String> {
            let entries = item.get(name).and_then(Value::as_array).into_iter().flatten();
            entries.filter_map(Value::as_str).map(plain).collect()
        };
        println!("{}  {} from {}", field("at"), field("platform"), field("peer"));
        println!("  {}", field("reason"));
        for finding in list("findings") {
            println!("  - {finding}");
        }
        println!("  headers: {}\n", list("headers").join(", "));
    }
    Ok(())
}

/// `backstop deliveries`: what was received and what was sent, or one of them where what is asked is only known of that.
async fn both_ways(args: &DeliveriesArgs) -> anyhow::Result<()> {
    let (remote, wanted) = (Remote::new(&args.agent)?, &args.wanted);
    let common = [
        ("event", &wanted.event),
        ("since", &wanted.since),
        ("until", &wanted.until),
        ("before", &wanted.before),
    ];
    let of_received = [("platform", &wanted.platform), ("app", &wanted.app)];
    let of_sent = [
        ("endpoint", &wanted.endpoint),
        ("state", &wanted.state),
        ("run", &wanted.run),
    ];
    let is_asked = |asked: &[(&str, &Option<String>)]| asked.iter().any(|(_, word)| word.is_some());
    let (mut received, mut sent) = (!is_asked(&of_sent), !is_asked(&of_received));
    if let Some(place) = &wanted.before {
        received &= place.starts_with("dlv_");
        sent &= !place.starts_with("dlv_");
    }
    let is_all = !is_asked(&common) && received && sent;
    let empty = |all: &'static str| if is_all { all } else { "none" };
    if received {
        let asked = [&of_received[..], &common].concat();
        let answer = remote.get(&list("deliveries", &asked)).await?;
        let columns = [
            ("RECEIVED", "id"),
            ("AT", "received_at"),
            ("PLATFORM", "platform"),
            ("EVENT", "event"),
            ("APP", "app"),
            ("RUN", "run"),
            ("NOTE", "note"),
        ];
        let nothing = empty("nothing received yet; `backstop send` tries the receiver");
        print_list(&answer, &columns, args.agent.format, nothing);
    }
    if sent {
        let asked = [&of_sent[..], &common].concat();
        let answer = remote.get(&list("messages", &asked)).await?;
        let columns = [
            ("MESSAGE", "id"),
            ("CREATED", "created_at"),
            ("ENDPOINT", "endpoint"),
            ("EVENT", "event"),
            ("STATE", "state"),
            ("ATTEMPTS", "attempts"),
        ];
        print_list(&answer, &columns, args.agent.format, empty("nothing sent yet"));
    }
    Ok(())
}

/// The address of a list, by what was asked.
fn list(what: &str, asked: &[(&str, &Option<String>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &ROWS.to_string());
    let said = asked.iter().filter_map(|(name, word)| Some((*name, word.as_deref()?)));
    query.extend_pairs(said);
    format!("/api/v1/{what}?{}", query.finish())
}

/// `backstop deliveries`.
pub(super) async fn deliveries(args: &DeliveriesArgs) -> anyhow::Result<Exit> {
    match &args.command {
        None if args.refused => refused(args).await?,
        None => both_ways(args).await?,
        Some(DeliveriesCommand::Show { id, agent }) => {
            let kind = if id.starts_with("whk_") {
                "messages"
            } else {
                "deliveries"
            };
            let answer = Remote::new(agent)?
                .get(&format!("/api/v1/{kind}/{}", segment(id)))
                .await?;
            println!("{answer:#}");
        }
        Some(DeliveriesCommand::Replay(args)) => super::outcomes::replay(args).await?,
    }
    Ok(Exit::Ok)
}

/// `backstop pause`.
pub(super) async fn pause(args: &PauseArgs) -> anyhow::Result<Exit> {
    let body = json!({ "app": args.app, "for": humantime::format_duration(args.for_).to_string() });
    let answer = Remote::new(&args.agent)?
        .change(Method::POST, "/api/v1/pauses", Some(&body))
        .await?;
    let until = answer.get("until").and_then(Value::as_str).unwrap_or("its end");
    println!("rollbacks of {} are withheld until {until}", plain(&args.app));
    Ok(Exit::Ok)
}

/// `backstop resume`.
pub(super) async fn resume(args: &AppArgs) -> anyhow::Result<Exit> {
    let path = format!("/api/v1/pauses/{}", segment(&args.app));
    Remote::new(&args.agent)?.change(Method::DELETE, &path, None).await?;
    println!("the pause of {} is over", plain(&args.app));
    Ok(Exit::Ok)
}

/// `backstop cancel`.
pub(super) async fn cancel(args: &RunArgs) -> anyhow::Result<Exit> {
    let path = format!("/api/v1/runs/{}/cancel", segment(&args.id));
    Remote::new(&args.agent)?.change(Method::POST, &path, None).await?;
    println!("{} is cancelled", plain(&args.id));
    Ok(Exit::Ok)
}

/// `backstop approve`.
pub(super) async fn approve(args: &RunArgs) -> anyhow::Result<Exit> {
    let path = format!("/api/v1/runs/{}/approve", segment(&args.id));
    Remote::new(&args.agent)?.change(Method::POST, &path, None).await?;
    println!(
        "approved; `backstop runs show {}` shows what comes of it",
        plain(&args.id)
    );
    Ok(Exit::Ok)
}

/// `backstop rollback`.
pub(super) async fn rollback(args: &RunArgs) -> anyhow::Result<Exit> {
    let path = format!("/api/v1/runs/{}/rollback", segment(&args.id));
    Remote::new(&args.agent)?.change(Method::POST, &path, None).await?;
    println!(
        "ordered; `backstop runs show {}` shows what comes of it",
        plain(&args.id)
    );
    Ok(Exit::Ok)
}

pub(super) fn print_list(answer: &Value, columns: &[(&str, &str)], format: Format, empty: &str) {
    if format == Format::Json {
        return println!("{answer:#}");
    }
    let items = answer
        .get("items")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if items.is_empty() {
        println!("{empty}");
        return say_onward(answer);
    }
    let names: Vec<&str> = columns.iter().map(|(_, name)| *name).collect();
    let rows: Vec<Vec<String>> = items.iter().map(|item| cells(item, &names)).collect();
    let head: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    println!("{}", table(&head, &rows));
    say_onward(answer);
}

/// Says how to go on where there are older rows.
fn say_onward(answer: &Value) {
    let Some(next) = answer.get("next").and_then(Value::as_str) else {
        return;
    };
    if let Some(looked) = answer.get("looked").and_then(Value::as_u64) {
        print!("{looked} were looked through for this; ");
    }
    println!("older ones: --before {}", plain(next));
}

fn cells(item: &Value, names: &[&str]) -> Vec<String> {
    let cell = |name: &&str| match item.get(*name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    names.iter().map(cell).collect()
}

/// One path segment of an id that a person typed.
pub(super) fn segment(id: &str) -> String {
    let mut url = url::Url::parse("http://agent/").unwrap_or_else(|_| unreachable!("a constant URL parses"));
    if let Ok(mut path) = url.path_segments_mut() {
        path.push(id);
    }
    url.path().trim_start_matches('/').to_owned()
}
