//! `backstop trust`: whether an app is ready for auto-rollback, and a person's word on its alarms.

use http::Method;
use serde_json::{Value, json};

use super::Exit;
use super::agent::Remote;
use super::args::{Format, TrustArgs, TrustCommand, TrustLabel};
use super::ask::segment;
use super::table::{plain, table};

/// Shows trust, or labels an alarm.
pub(super) async fn run(args: &TrustArgs) -> anyhow::Result<Exit> {
    match &args.command {
        None => {
            let answer = all(&Remote::new(&args.agent)?).await?;
            match args.agent.format {
                Format::Json => println!("{answer:#}"),
                Format::Text => print(&answer),
            }
        }
        Some(TrustCommand::Label { id, label, agent }) => {
            let word = match label {
                TrustLabel::Right => "right",
                TrustLabel::Wrong => "wrong",
            };
            let path = format!("/api/v1/runs/{}/label", segment(id));
            let body = json!({ "label": word });
            Remote::new(agent)?.change(Method::POST, &path, Some(&body)).await?;
            println!("{}: the alarm was {word}", plain(id));
        }
    }
    Ok(Exit::Ok)
}

/// Every page of it as one.
async fn all(remote: &Remote) -> anyhow::Result<Value> {
    let mut items = Vec::new();
    let mut query = "limit=50".to_owned();
    loop {
        let page = remote.get(&format!("/api/v1/trust?{query}")).await?;
        items.extend(page.get("items").and_then(Value::as_array).cloned().unwrap_or_default());
        let Some(next) = page.get("next").and_then(Value::as_str) else {
            return Ok(json!({ "items": items }));
        };
        let mut more = url::form_urlencoded::Serializer::new(String::new());
        more.append_pair("limit", "50").append_pair("after", next);
        query = more.finish();
    }
}

fn print(answer: &Value) {
    let apps = answer
        .get("items")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if apps.is_empty() {
        return println!("no app is known yet; one is from its first delivery on");
    }
    for app in apps {
        let text = |name: &str| plain(app.get(name).and_then(Value::as_str).unwrap_or("-"));
        let number = |name: &str| app.pointer(name).and_then(Value::as_f64).unwrap_or(0.0);
        println!("{} in {}: {}", text("app"), text("environment"), text("sentence"));
        println!(
            "  {} healthy, {} of {} false alarms (95 %: at most {:.1} %)",
            number("/healthy"),
            number("/false_alarms/count"),
            number("/false_alarms/of"),
            number("/false_alarms/high") * 100.0
        );
        let alarms = app
            .get("alarms")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        if !alarms.is_empty() {
            let cell = |alarm: &Value, name: &str| alarm.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
            let row = |alarm: &Value| {
                ["run", "deployment", "at", "action", "happened_in_words"]
                    .map(|name| cell(alarm, name))
                    .to_vec()
            };
            let rows: Vec<Vec<String>> = alarms.iter().map(row).collect();
            println!("{}", table(&["RUN", "DEPLOYMENT", "AT", "DONE", "HAPPENED"], &rows));
        }
        println!();
    }
}
