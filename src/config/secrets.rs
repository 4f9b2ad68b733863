//! Secrets: from an environment variable, or from where `[secrets]` says; and who may have which.
//!
//! Whoever may write an included file may send what its checks may use anywhere. So such a file has only what the main
//! file lists for it, and what the agent itself needs is in no check at all, unless the main file lists it once more
//! under another name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::Env;
use crate::document::{Node, Place, Problems, Table};
use crate::step::{JsonTemplate, Template, Values};

/// A secret shorter than this is guessed, or hidden in too many texts that hold its characters by chance.
const SECRET_CHARS_GOOD: usize = 8;

const ENTRY_HELP: &str = "write `NAME = { file = \"/run/secrets/name\" }` or `NAME = { env = \"OTHER_NAME\" }`; without an entry the environment variable NAME is read";

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Origin {
    /// The environment variable of this name.
    Variable(String),
    /// This file.
    File(PathBuf),
}

/// Who asks for a secret, which decides what it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// The agent, for itself. What it has, nobody else gets under the same name.
    Agent,
    /// The main file, for what it sends to apps: any other secret.
    Main,
    /// An included file, for its checks: what the main file lists.
    Included,
}

/// Looks secrets up, each once.
pub(super) struct Secrets<'e> {
    env: &'e dyn Env,
    /// What relative paths start from: the main file's directory.
    directory: PathBuf,
    listed: BTreeMap<String, Origin>,
    known: BTreeMap<String, SecretString>,
    /// The agent's own, each with the setting that names it first.
    agents: BTreeMap<String, String>,
    asker: Asker,
}

impl<'e> Secrets<'e> {
    pub(super) fn new(env: &'e dyn Env, directory: &Path) -> Self {
        Self {
            env,
            directory: directory.to_owned(),
            listed: BTreeMap::new(),
            known: BTreeMap::new(),
            agents: BTreeMap::new(),
            asker: Asker::Main,
        }
    }

    /// Who asks from now on. The agent asks first, so that what is its own is known before anybody else asks.
    pub(super) fn asked_by(&mut self, asker: Asker) {
        self.asker = asker;
    }

    /// Reads `[secrets]`: names, each with where its value is.
    pub(super) fn read_table(&mut self, root: &mut Table<'_>, problems: &mut Problems) {
        let Some(mut table) = root.table("secrets", problems) else {
            return;
        };
        for (key, node) in table.take_all() {
            if node.as_str().is_some() {
                // The line is not shown: what stands there may be the secret itself.
                let message = format!("{} must be a table with `file` or `env`", node.label());
                problems.push_hidden(node.place(), message, ENTRY_HELP);
                continue;
            }
            let Some(mut entry) = node.table(problems) else {
                continue;
            };
            let words = ["file", "env", "path", "variable", "var"];
            if let Some(key) = entry.keys().into_iter().find(|key| !words.contains(&key.name)) {
                // Not shown either: it may be the value.
                let message = format!("unknown key `{}` in {}", key.name, entry.label());
                problems.push_hidden(key.place, message, ENTRY_HELP);
                continue;
            }
            if let Some(origin) = self.origin(&mut entry, problems) {
                self.listed.insert(key.name.to_owned(), origin);
            }
            entry.finish(problems, &[("path", "file"), ("variable", "env"), ("var", "env")]);
        }
    }

    fn origin(&self, entry: &mut Table<'_>, problems: &mut Problems) -> Option<Origin> {
        match (entry.take("file"), entry.take("env")) {
            (Some(file), None) => Some(Origin::File(self.directory.join(file.string(problems)?))),
            (None, Some(env)) => {
                let name = env.string(problems)?;
                let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                if !good {
                    // Not shown, because it may be the secret itself.
                    let message = format!("{} is not the name of an environment variable", env.label());
                    problems.push_hidden(env.place(), message, ENTRY_HELP);
                }
                good.then(|| Origin::Variable(name.to_owned()))
            }
            (Some(_), Some(_)) => {
                let message = format!("{} has both `file` and `env`", entry.label());
                problems.push_help(entry.place(), message, "a secret has one value: keep one of the two");
                None
            }
            (None, None) => {
                let message = format!("{} has neither `file` nor `env`", entry.label());
                problems.push_missing(entry.place(), message, ENTRY_HELP);
                None
            }
        }
    }

    /// Where the value of `name` comes from: what is not listed is an environment variable.
    fn origin_of(&self, name: &str) -> Origin {
        let listed = self.listed.get(name).cloned();
        listed.unwrap_or_else(|| Origin::Variable(name.to_owned()))
    }

    /// Whether who asks now may have `name`; if not, that is a problem at `place`.
    fn may_have(&self, name: &str, place: &Place<'_>, problems: &mut Problems) -> bool {
        if self.asker == Asker::Agent {
            return true;
        }
        if self.asker == Asker::Included && !self.listed.contains_key(name) && !self.agents.contains_key(name) {
            let message = format!("secret `{name}` is not listed in the main file, and this file is included");
            let help =
                format!("list it there, if its checks may have it: `[secrets]` with `{name} = {{ env = \"{name}\" }}`");
            problems.push_help(place.clone(), message, help);
            return false;
        }
        // The same value under a name that nobody listed is no permission.
        let unlisted = !self.listed.contains_key(name);
        let is_agents = |(own, _): &(&String, &String)| {
            *own == name || (unlisted && self.origin_of(own) == Origin::Variable(name.to_owned()))
        };
        let Some((own, setting)) = self.agents.iter().find(is_agents) else {
            return true;
        };
        let message = format!("secret `{name}` is the agent's own, from {setting}: it is never sent to an app");
        let given = match self.origin_of(own) {
            Origin::Variable(name) => format!("{{ env = \"{name}\" }}"),
            Origin::File(path) => format!("{{ file = \"{}\" }}", path.display()),
        };
        let help = format!(
            "use another secret; if it must be this one, give it another name on purpose: `[secrets]` with `FOR_CHECKS = {given}`"
        );
        problems.push_help(place.clone(), message, help);
        false
    }

    /// The value of `{{ secret.NAME }}`; unset and empty are problems at `place`.
    pub(super) fn get(&mut self, name: &str, place: &Place<'_>, problems: &mut Problems) -> Option<SecretString> {
        if !self.may_have(name, place, problems) {
            return None;
        }
        if let Some(known) = self.known.get(name) {
            return Some(known.clone());
        }
        let (found, help) = match self.origin_of(name) {
            Origin::File(path) => {
                let text = self.env.read(&path).map_err(|error| error.to_string());
                (text, format!("it is read from the file {}", path.display()))
            }
            Origin::Variable(variable) => {
                let text = self.env.var(&variable).ok_or_else(|| "it is not set".to_owned());
                let help = if self.listed.contains_key(name) {
                    format!("it is read from the environment variable `{variable}`: set it")
                } else {
                    format!(
                        "set the environment variable `{name}`, or name a file: `[secrets]` with `{name} = {{ file = \"…\" }}`"
                    )
                };
                (text, help)
            }
        };
        let value = match found {
            Ok(text) => text.trim_end_matches(['\r', '\n']).to_owned(),
            Err(error) => {
                problems.push_help(place.clone(), format!("secret `{name}` has no value: {error}"), help);
                return None;
            }
        };
        if value.trim().is_empty() {
            problems.push_help(place.clone(), format!("secret `{name}` is empty"), help);
            return None;
        }
        if value.chars().count() < SECRET_CHARS_GOOD {
            let message = format!("secret `{name}` has fewer than {SECRET_CHARS_GOOD} characters");
            problems.warn(
                place.clone(),
                message,
                "use a longer one: a short secret can be guessed",
            );
        }
        let value = SecretString::from(value);
        self.known.insert(name.to_owned(), value.clone());
        Some(value)
    }

    /// The text of a file beside the main one.
    pub(super) fn read_beside(&self, path: &str) -> Result<String, String> {
        let path = self.directory.join(path);
        self.env
            .read(&path)
            .map_err(|error| format!("the file {} cannot be read: {error}", path.display()))
    }

    /// Reads a text in which `{{ secret.X }}` may stand, for a setting that is not itself a secret.
    pub(super) fn text(&mut self, node: &Node<'_>, problems: &mut Problems) -> Option<String> {
        let text = node.string(problems)?;
        self.expand(text, node, problems)
    }

    /// Reads a setting that is a secret; one written into the file itself gets a warning.
    pub(super) fn secret(&mut self, node: &Node<'_>, problems: &mut Problems) -> Option<SecretString> {
        let text = node.string(problems)?;
        if text.trim().is_empty() {
            problems.push(node.place(), format!("{} is empty", node.label()));
            return None;
        }
        if !text.contains("{{") {
            problems.warn_hidden(
                node.place(),
                format!("{} is written into the file", node.label()),
                "keep it out of the file: `\"{{ secret.NAME }}\"` reads the environment variable NAME",
            );
        }
        self.expand(text, node, problems).map(SecretString::from)
    }

    /// The values that steps refer to.
    pub(super) fn into_known(self) -> BTreeMap<String, SecretString> {
        self.known
    }

    fn expand(&mut self, text: &str, node: &Node<'_>, problems: &mut Problems) -> Option<String> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                problems.push_hidden(
                    node.place(),
                    format!("{}: {error}", node.label()),
                    "write `{{ secret.NAME }}`",
                );
                return None;
            }
        };
        let mut values = Values::new();
        let mut complete = true;
        for slot in template.slots() {
            let Some(name) = slot.strip_prefix("secret.") else {
                let message = format!("`{slot}` cannot stand in {}", node.label());
                problems.push_help(
                    node.place(),
                    message,
                    "only `{{ secret.NAME }}` can: it is read when the file is",
                );
                return None;
            };
            if self.asker == Asker::Agent {
                let setting = node.label().to_owned();
                self.agents.entry(name.to_owned()).or_insert(setting);
            }
            match self.get(name, &node.place(), problems) {
                Some(value) => values.insert(slot, value.expose_secret(), true),
                None => complete = false,
            }
        }
        let filled = JsonTemplate::Text(template).fill(&values).ok().filter(|_| complete)?;
        filled.as_str().map(str::to_owned)
    }
}
