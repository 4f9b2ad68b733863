//! `backstop verify`: why a delivery was or was not accepted.

use anyhow::{Context, bail};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::Exit;
use super::args::VerifyArgs;
use super::table::plain;
use crate::clock::Clock;
use crate::document::Source;
use crate::domain::Timestamp;
use crate::platform::File;
use crate::signature::{self, Named, Received, Recipe};

/// Verifies a captured delivery and says exactly what is wrong with it, if anything is.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let body = std::fs::read(&args.body).with_context(|| format!("reading {}", args.body.display()))?;
    let headers = headers(&args.headers)?;
    let secrets: Vec<SecretString> = args
        .secret_env
        .iter()
        .map(|name| secret(name))
        .collect::<Result<_, _>>()?;
    let named: Vec<Named<'_>> = args.secret_env.iter().map(String::as_str).zip(&secrets).collect();
    let at = match &args.at {
        None => Clock::system().wall(),
        Some(text) => Timestamp::parse_rfc3339(text).with_context(|| format!("`{text}` is not an RFC 3339 moment"))?,
    };
    let file = args.recipe.is_none().then(|| platform(&args.platform)).transpose()?;
    let recipes = match (&args.recipe, &file) {
        (Some(name), _) => vec![recipe(name)?],
        (None, file) => file.as_ref().map_or_else(Vec::new, |file| file.recipes().to_vec()),
    };
    let received = Received {
        method: args.method.as_str(),
        url: args.url.as_ref(),
        headers: &headers,
        path_secret: None,
        body: &body,
    };
    match signature::verify(&recipes, &received, &secrets, at) {
        Ok(by) => {
            let event = file.and_then(|file| file.hear(&serde_json::from_slice(&body).ok()?).event_word);
            let event = event.map(|event| format!(": {}", plain(&event))).unwrap_or_default();
            println!("the signature holds{event}");
            println!(
                "by the secret in {} and the recipe `{}`",
                args.secret_env[by.secret_index], by.recipe
            );
            Ok(Exit::Ok)
        }
        Err(refusal) => {
            println!("refused: {}", plain(&refusal.to_string()));
            for finding in signature::explain(&recipes, &received, &named, at, &refusal, true).findings {
                println!("- {}", plain(&finding));
            }
            Ok(Exit::Failed)
        }
    }
}

/// The built-in recipe of this name.
pub(super) fn recipe(name: &str) -> anyhow::Result<Recipe> {
    signature::built_in(name).with_context(|| {
        let known: Vec<_> = signature::built_in_recipes()
            .into_iter()
            .map(|recipe| recipe.name)
            .collect();
        format!("there is no recipe `{name}`; there are {}", known.join(", "))
    })
}

/// A platform by its built-in name, or by the path of its file.
fn platform(name: &str) -> anyhow::Result<File> {
    if let Some(file) = File::built_in(name) {
        return Ok(file);
    }
    let text = std::fs::read_to_string(name)
        .with_context(|| format!("`{name}` is neither a built-in platform nor a file that can be read"))?;
    File::read(&Source::new(name, text)).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", problems.join("\n"))
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
