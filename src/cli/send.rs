//! `backstop send`: a signed event to a receiver, to try it in seconds.

use anyhow::Context;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method};
use secrecy::ExposeSecret;
use serde_json::json;

use super::Exit;
use super::args::SendArgs;
use super::verify::{recipe, secret};
use crate::clock::{Clock, Ids};
use crate::http::{Client, Network, Trust};
use crate::signature::{self, Letter, Signed};
use crate::step::Request;

/// Signs and sends one event; `Ok` if the receiver answered 2xx.
pub(super) async fn run(args: &SendArgs) -> anyhow::Result<Exit> {
    let (clock, secret) = (Clock::system(), secret(&args.secret_env)?);
    let body = match &args.body {
        Some(file) => std::fs::read(file).with_context(|| format!("reading {}", file.display()))?,
        None => sample(args, &clock).into_bytes(),
    };
    let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    headers.extend(signed(args, secret.expose_secret(), &clock, &body)?);
    let request = Request {
        headers,
        body: Some(body),
        body_bytes_max: 64 * 1024,
        cut_body: true,
        ..Request::new(Method::POST, args.to.clone(), std::time::Duration::from_secs(30))
    };
    let sent = Client::new(Network::default())?.send(&request, Trust::Configured).await;
    let response = sent.map_err(|failure| anyhow::anyhow!("{}: {}", args.to, failure.detail))?;
    println!("{} answered {}", args.to, response.status);
    let said = super::table::plain(&String::from_utf8_lossy(&response.body));
    if !said.trim().is_empty() {
        println!("{said}");
    }
    Ok(if (200..300).contains(&response.status) {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

/// What the signature is made of.
fn signed(args: &SendArgs, secret: &str, clock: &Clock, body: &[u8]) -> anyhow::Result<Signed> {
    let now = clock.wall();
    if let Some(name) = &args.recipe {
        let url = args.to.as_str().parse().context("the address")?;
        let letter = Letter {
            method: "POST",
            url: &url,
            id: &Ids::default().next("msg", now),
            timestamp_s: now.as_secs(),
            body,
        };
        let signed = signature::sign(&recipe(name)?, secret, &letter);
        return signed.with_context(|| format!("the secret does not sign by the recipe `{name}`"));
    }
    let signature = signature::sign_timestamped(secret, now.as_secs(), body);
    let timestamp = HeaderValue::from(now.as_secs());
    Ok(vec![
        (HeaderName::from_static("x-webhook-timestamp"), timestamp),
        (
            HeaderName::from_static("x-webhook-signature"),
            HeaderValue::from_str(&signature).context("a header value")?,
        ),
    ])
}

/// A delivery as the Temps guide documents it, with an id of its own.
fn sample(args: &SendArgs, clock: &Clock) -> String {
    let now = clock.wall();
    json!({
        "event": args.event,
        "timestamp": now.to_string(),
        "delivery_id": Ids::default().next("whk", now),
        "deployment_id": args.deployment,
        "app": args.app,
        "environment": "production",
        "commit": { "sha": "f4c8e2a", "message": "A sample", "author": "backstop send", "branch": "main" },
        "triggered_by": "manual",
    })
    .to_string()
}
