//! `backstop verify`: why a delivery was or was not accepted.

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::Exit;
use super::args::VerifyArgs;
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::ingest::{self, SecretSet};
use crate::platform::File;

/// Verifies a captured delivery and says exactly what is wrong with it, if anything is.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let body = std::fs::read(&args.body).with_context(|| format!("reading {}", args.body.display()))?;
    let headers = headers(&args.headers)?;
    let secret = secret(&args.secret_env)?;
    let Some(file) = File::built_in(&args.platform) else {
        bail!("no built-in platform is called `{}`", args.platform)
    };
    let at = match &args.at {
        None => Clock::system().wall(),
        Some(text) => Timestamp::parse_rfc3339(text).with_context(|| format!("`{text}` is not an RFC 3339 moment"))?,
    };
    let secrets = SecretSet::Any(vec![secret]);
    Ok(match ingest::receive(&file, &secrets, &headers, &body, at) {
        Ok(verified) => {
            let event = verified
                .hearing
                .event_word
                .as_deref()
                .unwrap_or("an event without a name");
            println!("the signature holds: {event}");
            Exit::Ok
        }
        Err(refused) => {
            println!("refused: {refused}");
            Exit::Failed
        }
    })
}

/// The secret in an environment variable; never on the command line, where other processes can read it.
pub(super) fn secret(name: &str) -> anyhow::Result<SecretString> {
    match std::env::var(name) {
        Ok(value) if !value.trim().is_empty() => Ok(value.into()),
        _ => bail!("set the environment variable {name} to the secret"),
    }
}

fn headers(lines: &[String]) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            bail!("`{line}` is not `name: value`")
        };
        let name: HeaderName = name
            .trim()
            .parse()
            .with_context(|| format!("`{name}` is not a header name"))?;
        headers.append(
            name,
            HeaderValue::from_str(value.trim()).context("a header value has control characters")?,
        );
    }
    Ok(headers)
}
