//! Receivers that take an outcome in several requests: the steps of a file, performed one after the other.
//!
//! A message is a JSON object whose members the steps may use; what one step reads of its answer, the next may use too. Any
//! step may be performed again: a file looks before it makes something.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use secrecy::ExposeSecret as _;
use serde_json::Value as Json;

use super::attempt::{Attempted, sent};
use super::endpoint::{Endpoint, Format};
use super::redact;
use crate::document::{Document, Node, Problems, Source, Table};
use crate::domain::Timestamp;
use crate::http::Client;
use crate::step::{self, NoFiles, Path, Request, Step, Values, read_step};

/// Most of a step's answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// One step of a file.
#[derive(Debug)]
struct Call {
    step: Step,
    /// Left out if this value is known already.
    unless: Option<String>,
    /// Values that the answer may hold.
    read: Vec<(String, Path)>,
}

/// The steps of a format.
#[derive(Debug)]
pub(super) struct Steps(Vec<Call>);

/// The file of each format that takes several requests, or what is wrong with it.
static FILES: LazyLock<[(Format, Result<Steps, String>); 1]> = LazyLock::new(|| {
    let github = Source::new("github.toml", include_str!("files/github.toml"));
    [(Format::GitHub, Steps::read(&github))]
});

/// The steps of `format`; `None` if it takes one request.
pub(super) fn of(format: Format) -> Option<&'static Result<Steps, String>> {
    FILES.iter().find(|(known, _)| *known == format).map(|(_, steps)| steps)
}

impl Steps {
    fn read(source: &Source) -> Result<Self, String> {
        let mut problems = Problems::default();
        let document = Document::parse(source, &mut problems);
        let calls = document.map(|document| calls(document.table(), &mut problems));
        match calls {
            Some(calls) if !problems.has_errors() => Ok(Self(calls)),
            _ => {
                let said = problems.into_vec().into_iter().map(|problem| problem.to_string());
                Err(said.collect::<Vec<_>>().join("; "))
            }
        }
    }

    /// Performs them for the message `body`. The first that is not answered with 2xx is what came of the attempt; else
    /// the last.
    pub(super) async fn perform(
        &self,
        client: &Client,
        endpoint: &Endpoint,
        body: &[u8],
        wall: Timestamp,
    ) -> Attempted {
        let Ok(told) = serde_json::from_slice::<BTreeMap<String, Json>>(body) else {
            return Attempted::unsent("the message is no JSON object".to_owned());
        };
        let mut values = Values::new();
        for (name, value) in told {
            values.insert(name, value, false);
        }
        if let Some(token) = &endpoint.credential {
            values.insert("token", token.expose_secret(), true);
        }
        let redactor = redact::redactor(endpoint);
        let mut last = Attempted::unsent("there was nothing to send".to_owned());
        for call in &self.0 {
            if call.unless.as_ref().is_some_and(|name| values.get(name).is_some()) {
                continue;
            }
            let request = match step::render(&call.step, Some(endpoint.url.expose()), &values) {
                Ok(request) => request,
                Err(error) => return Attempted::unsent(format!("{}: {error}", call.step.label())),
            };
            let request = Request {
                body_bytes_max: ANSWER_BYTES_MAX,
                ..request
            };
            let (attempted, response) = sent(client, &request, &redactor, wall).await;
            let is_taken = attempted.status.is_some_and(|status| (200..300).contains(&status));
            last = attempted;
            let Some(response) = response.filter(|_| is_taken) else {
                break;
            };
            let json: Json = serde_json::from_slice(&response.body).unwrap_or_default();
            for (name, path) in &call.read {
                if let Some(found) = path.find(&json).into_iter().find(|found| !found.is_null()) {
                    values.insert(name.clone(), found.clone(), false);
                }
            }
        }
        last
    }
}

fn calls(mut root: Table<'_>, problems: &mut Problems) -> Vec<Call> {
    let defaults = root.table("defaults", problems);
    let nodes = root.array("step", problems).unwrap_or_default();
    let mut calls = Vec::new();
    for node in nodes {
        let Some(table) = node.table(problems) else {
            continue;
        };
        let table = table.labelled("[[step]]".to_owned());
        calls.extend(call(table, defaults.as_ref(), problems));
    }
    root.finish(problems, &[]);
    calls
}

fn call<'a>(table: Table<'a>, defaults: Option<&Table<'a>>, problems: &mut Problems) -> Option<Call> {
    let mut table = match defaults {
        Some(defaults) => table.over(defaults, &[]),
        None => table,
    };
    let unless = table.take("unless");
    let unless = unless.and_then(|node| node.string(problems).map(str::to_owned));
    let mut read = Vec::new();
    if let Some(mut names) = table.table("read", problems) {
        for (key, node) in names.take_all() {
            read.extend(path(&node, problems).map(|path| (key.name.to_owned(), path)));
        }
    }
    let step = read_step(&mut table, &NoFiles, problems);
    table.finish(problems, &[]);
    Some(Call {
        step: step?,
        unless,
        read,
    })
}

fn path(node: &Node<'_>, problems: &mut Problems) -> Option<Path> {
    match Path::parse(node.string(problems)?) {
        Ok(path) => Some(path),
        Err(error) => {
            problems.push(node.place(), error.to_string());
            None
        }
    }
}
