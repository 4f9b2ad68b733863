//! Secrets: from an environment variable, or from a file that `[secrets]` names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::Env;
use crate::document::{Node, Place, Problems, Table};
use crate::step::{JsonTemplate, Template, Values};

/// A secret shorter than this is guessed, or hidden in too many texts that hold its characters by chance.
const SECRET_CHARS_GOOD: usize = 8;

/// Looks secrets up, each once.
pub(super) struct Secrets<'e> {
    env: &'e dyn Env,
    /// What relative paths start from: the main file's directory.
    directory: PathBuf,
    files: BTreeMap<String, PathBuf>,
    known: BTreeMap<String, SecretString>,
}

impl<'e> Secrets<'e> {
    pub(super) fn new(env: &'e dyn Env, directory: &Path) -> Self {
        Self {
            env,
            directory: directory.to_owned(),
            files: BTreeMap::new(),
            known: BTreeMap::new(),
        }
    }

    /// Reads `[secrets]`: names, each with the file that holds it.
    pub(super) fn read_table(&mut self, root: &mut Table<'_>, problems: &mut Problems) {
        let Some(mut table) = root.table("secrets", problems) else {
            return;
        };
        for (key, node) in table.take_all() {
            let help =
                "write `NAME = { file = \"/run/secrets/name\" }`; without an entry the environment variable is read";
            if node.as_str().is_some() {
                // The line is not shown: what stands there may be the secret itself.
                problems.push_hidden(
                    node.place(),
                    format!("{} must be a table with `file`", node.label()),
                    help,
                );
                continue;
            }
            let Some(mut entry) = node.table(problems) else {
                continue;
            };
            if let Some(file) = entry
                .required("file", help, problems)
                .and_then(|file| file.string(problems))
            {
                self.files.insert(key.name.to_owned(), self.directory.join(file));
            }
            entry.finish(problems, &[("path", "file")]);
        }
    }

    /// The value of `{{ secret.NAME }}`; unset and empty are problems at `place`.
    pub(super) fn get(&mut self, name: &str, place: &Place<'_>, problems: &mut Problems) -> Option<SecretString> {
        if let Some(known) = self.known.get(name) {
            return Some(known.clone());
        }
        let (found, help) = match self.files.get(name) {
            Some(path) => {
                let text = self.env.read(path).map_err(|error| error.to_string());
                (text, format!("it is read from the file {}", path.display()))
            }
            None => {
                let text = self.env.var(name).ok_or_else(|| "it is not set".to_owned());
                let help = format!(
                    "set the environment variable `{name}`, or name a file: `[secrets]` with `{name} = {{ file = \"…\" }}`"
                );
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
            match self.get(name, &node.place(), problems) {
                Some(value) => values.insert(slot, value.expose_secret(), true),
                None => complete = false,
            }
        }
        let filled = JsonTemplate::Text(template).fill(&values).ok().filter(|_| complete)?;
        filled.as_str().map(str::to_owned)
    }
}
