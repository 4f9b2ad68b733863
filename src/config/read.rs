//! Small readers that several sections share.

use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

use super::files::CheckFiles;
use super::secrets::Secrets;
use crate::document::{Node, Problems, Table};
use crate::domain::Glob;
use crate::step::is_in_the_clear;

/// What every reader of a section needs.
pub(super) struct Reader<'e> {
    pub(super) secrets: Secrets<'e>,
    pub(super) files: CheckFiles<'e>,
    /// Hosts that credentials may be sent to without TLS.
    pub(super) plain_http: Vec<Glob>,
    pub(super) problems: Problems,
}

impl Reader<'_> {
    /// An `http` or `https` address without credentials in it, in which `{{ secret.X }}` may stand.
    pub(super) fn url(&mut self, node: &Node<'_>) -> Option<Url> {
        let text = self.secrets.text(node, &mut self.problems)?;
        let help = "write a whole address: `https://shop.example.com`";
        let url = match Url::parse(text.trim()) {
            Ok(url) => url,
            Err(error) => {
                let message = format!("{} is not an address: {error}", node.label());
                self.problems.push_help(node.place(), message, help);
                return None;
            }
        };
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            let message = format!("{} must start with `https://` or `http://`", node.label());
            self.problems.push_help(node.place(), message, help);
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            let message = format!("{} has a user or password in it", node.label());
            self.problems
                .push_hidden(node.place(), message, "send credentials with `bearer` or a header");
            return None;
        }
        Some(url)
    }

    /// Refuses `url`, to which `what` would be sent in the clear. Its place is shown only if it is no secret.
    pub(super) fn must_be_safe(&mut self, node: &Node<'_>, url: &Url, what: &str, secret: bool) {
        if !is_in_the_clear(url, &self.plain_http) {
            return;
        }
        let message = format!("{what} would be sent to this address in the clear");
        let help = "use `https://`; where nobody can listen on the way, name the host: `plain_http = [\"temps.internal\"]` in [network]";
        match secret {
            true => self.problems.push_hidden(node.place(), message, help),
            false => self.problems.push_help(node.place(), message, help),
        }
    }

    /// A base address: an origin, maybe with a path, without query and fragment.
    pub(super) fn base(&mut self, table: &mut Table<'_>) -> Option<Url> {
        let node = table.take("base")?;
        let url = self.url(&node)?;
        if url.query().is_some() || url.fragment().is_some() {
            let message = format!("{} has a query or fragment", node.label());
            self.problems
                .push_help(node.place(), message, "a base address ends before `?` and `#`");
            return None;
        }
        Some(url)
    }

    /// A whole number within `bounds`, else `default`.
    pub(super) fn count(
        &mut self,
        table: &mut Table<'_>,
        key: &'static str,
        bounds: RangeInclusive<u32>,
        default: u32,
    ) -> u32 {
        let Some(node) = table.take(key) else {
            return default;
        };
        let Some(number) = node.integer(&mut self.problems) else {
            return default;
        };
        match u32::try_from(number).ok().filter(|number| bounds.contains(number)) {
            Some(number) => number,
            None => {
                let message = format!("{} must be from {} to {}", node.label(), bounds.start(), bounds.end());
                self.problems.push(node.place(), message);
                default
            }
        }
    }

    /// A duration within `bounds`, else `default`.
    pub(super) fn duration(
        &mut self,
        table: &mut Table<'_>,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let node = table.take(key);
        node.and_then(|node| self.duration_of(&node, bounds)).unwrap_or(default)
    }

    /// The duration that `node` holds, if it is within `bounds`.
    pub(super) fn duration_of(&mut self, node: &Node<'_>, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let duration = node.duration(&mut self.problems)?;
        if bounds.contains(&duration) {
            return Some(duration);
        }
        let [from, to] = [bounds.start(), bounds.end()].map(|bound| humantime::format_duration(*bound).to_string());
        let message = format!("{} must be from {from} to {to}", node.label());
        self.problems.push(node.place(), message);
        None
    }

    /// One of the words of `choices`, else `default`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        table: &mut Table<'_>,
        key: &'static str,
        choices: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(node) = table.take(key) else {
            return default;
        };
        let Some(word) = node.string(&mut self.problems) else {
            return default;
        };
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == word) {
            return *choice;
        }
        let words: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let message = format!("{} is \"{word}\"", node.label());
        self.problems
            .push_help(node.place(), message, format!("it can be {}", words.join(", ")));
        default
    }
}
