//! `backstop subscribe`: our webhook in every project that is covered.

use anyhow::{Context as _, bail};
use serde_json::json;

use super::args::{Format, SubscribeArgs};
use super::table::{plain, table};
use super::{Exit, lint};
use crate::clock::Clock;
use crate::domain::PlatformName;
use crate::http::{Client, Network};
use crate::platform::Subscribed;
use crate::runtime::{platforms, subscribe};

/// Makes what is missing; `Failed` unless everything is as it should be.
pub(super) async fn run(args: &SubscribeArgs) -> anyhow::Result<Exit> {
    let Ok(config) = lint::read(&args.config) else {
        return Ok(Exit::Config);
    };
    let Some(public_url) = &config.server.public_url else {
        bail!("where the platform is to deliver is not known: set `public_url` in [server]");
    };
    let wanted = |name: &PlatformName| args.platform.as_ref().is_none_or(|wanted| wanted == name.as_str());
    let names: Vec<PlatformName> = config.platforms.keys().filter(|name| wanted(name)).cloned().collect();
    if names.is_empty() {
        let known: Vec<&str> = config.platforms.keys().map(PlatformName::as_str).collect();
        bail!("the config has no such platform; it has: {}", known.join(", "));
    }
    let network = Network {
        allow: config.network_allow.clone(),
        plain_http: config.plain_http.clone(),
        ..Network::default()
    };
    let client = Client::new(network).context("setting up HTTP")?;
    let mut found = Vec::new();
    let made = platforms(&config, &client, &Clock::system());
    for name in names {
        let Some(platform) = made.get(&name) else {
            continue;
        };
        for one in subscribe(&config, &name, platform, public_url, args.dry_run).await {
            found.push((name.clone(), one));
        }
    }
    match args.format {
        Format::Json => println!("{:#}", as_json(&found, args.dry_run)),
        Format::Text => print(&found),
    }
    let good = found.iter().all(|(_, one)| one.is_good());
    Ok(if good { Exit::Ok } else { Exit::Failed })
}

fn as_json(found: &[(PlatformName, Subscribed)], dry_run: bool) -> serde_json::Value {
    let items = found.iter().map(|(platform, one)| {
        json!({
            "platform": platform.as_str(), "project": one.project, "webhook": one.done.as_str(),
            "arrives": one.arrives, "ok": one.is_good(), "detail": one.text,
        })
    });
    let items: Vec<serde_json::Value> = items.collect();
    json!({ "dry_run": dry_run, "ok": found.iter().all(|(_, one)| one.is_good()), "items": items })
}

fn print(found: &[(PlatformName, Subscribed)]) {
    let row = |(platform, one): &(PlatformName, Subscribed)| {
        let project = one.project.as_deref().unwrap_or("-");
        [platform.as_str(), project, one.done.as_str(), &plain(&one.text)]
            .map(str::to_owned)
            .to_vec()
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    println!("{}", table(&["PLATFORM", "PROJECT", "WEBHOOK", "DETAIL"], &rows));
}
