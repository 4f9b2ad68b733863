//! `[platform.X]`: who deploys, how we talk to it, and what signs its deliveries.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Env;
use super::read::Reader;
use crate::document::{Node, Source, Table};
use crate::domain::PlatformName;
use crate::ingest::SecretSet;
use crate::platform::File;

/// How often a platform's own list of deployments is read unless it is said.
const RECONCILE_EVERY_DEFAULT: Duration = Duration::from_secs(5 * 60);

/// Requests to a platform's API a minute unless it is said: two a second, which a small server does not feel.
const REQUESTS_DEFAULT: NonZeroU32 = NonZeroU32::MIN.saturating_add(119);
const REQUESTS_HELP: &str = "how often its API may be asked: `requests = \"120/m\"` or `\"2/s\"`";

/// One platform as configured.
#[derive(Debug)]
pub struct PlatformConfig {
    /// How to read its deliveries and call its API.
    pub kind: File,
    /// Its API's address.
    pub url: Url,
    /// What its API asks for.
    pub token: SecretString,
    /// What may have signed its deliveries.
    pub secrets: SecretSet,
    /// How often its own list of deployments is read, for those that no delivery told of; 1 s to 1 h.
    pub reconcile_every: Duration,
    /// Requests to its API a minute at most; only a rollback may borrow from the next minute.
    pub requests_per_minute: NonZeroU32,
    /// Whether the agent makes its own webhook in each project that is covered.
    pub subscribe: bool,
}

/// Where platform files come from, and those that were read.
pub(super) struct PlatformFiles<'e> {
    pub(super) env: &'e dyn Env,
    pub(super) directory: &'e Path,
    pub(super) sources: Vec<Source>,
}

impl Reader<'_> {
    /// Reads `[platform.X]`, all of them.
    pub(super) fn platforms(
        &mut self,
        root: &mut Table<'_>,
        files: &mut PlatformFiles<'_>,
    ) -> BTreeMap<PlatformName, PlatformConfig> {
        let mut platforms = BTreeMap::new();
        let Some(mut table) = root.table("platform", &mut self.problems) else {
            return platforms;
        };
        for (key, node) in table.take_all() {
            if !self.name_is_good(&key, "a platform") {
                continue;
            }
            let Some(entry) = node.table(&mut self.problems) else {
                continue;
            };
            let entry = entry.labelled(format!("[platform.{}]", key.name));
            if let Some(platform) = self.platform(key.name, entry, files) {
                platforms.insert(PlatformName::new(key.name), platform);
            }
        }
        platforms
    }

    fn platform(&mut self, name: &str, mut table: Table<'_>, files: &mut PlatformFiles<'_>) -> Option<PlatformConfig> {
        let kind = self.kind(name, &mut table, files);
        let help = "the address of its API: `url = \"https://temps.example.com\"`";
        let url = table.required("url", help, &mut self.problems);
        let url = url.and_then(|node| Some((node.clone(), self.url(&node)?)));
        if let Some((node, url)) = &url {
            self.must_be_safe(node, url, "the token", false);
        }
        let help = "what its API asks for: `token = \"{{ secret.TEMPS_API_TOKEN }}\"`";
        let token = table.required("token", help, &mut self.problems);
        let token = token.and_then(|node| self.secrets.secret(&node, &mut self.problems));
        let help = "what signs its deliveries: `secret = \"{{ secret.TEMPS_WEBHOOK_SECRET }}\"`";
        let secret = table.required("secret", help, &mut self.problems);
        let secrets = secret.clone().and_then(|node| self.secret_set(&node));
        if let (Some(kind), Some(node), Some(secrets)) = (&kind, &secret, &secrets) {
            self.secrets_open(kind, node, secrets);
        }
        let bounds = Duration::from_secs(1)..=Duration::from_secs(60 * 60);
        let reconcile_every = self.duration(&mut table, "reconcile_every", bounds, RECONCILE_EVERY_DEFAULT);
        let requests_per_minute = table.take("requests");
        let requests_per_minute = requests_per_minute.and_then(|node| self.per_minute(&node, REQUESTS_HELP));
        let subscribe = table.bool("subscribe", &mut self.problems).unwrap_or(false);
        let aliases = [
            ("rate_limit", "requests"),
            ("type", "kind"),
            ("file", "kind"),
            ("api_url", "url"),
            ("base", "url"),
            ("api_token", "token"),
            ("api_key", "token"),
            ("webhook_secret", "secret"),
            ("secrets", "secret"),
        ];
        table.finish(&mut self.problems, &aliases);
        Some(PlatformConfig {
            kind: kind?,
            url: url?.1,
            token: token?,
            secrets: secrets?,
            reconcile_every,
            requests_per_minute: requests_per_minute.unwrap_or(REQUESTS_DEFAULT),
            subscribe,
        })
    }

    fn kind(&mut self, name: &str, table: &mut Table<'_>, files: &mut PlatformFiles<'_>) -> Option<File> {
        const HELP: &str = "write `kind = \"temps\"`, or the path of a platform file: `kind = \"platforms/ours.toml\"`";
        let Some(node) = table.take("kind") else {
            let built_in = File::built_in(name);
            if built_in.is_none() {
                self.problems
                    .push_missing(table.place(), format!("{} has no `kind`", table.label()), HELP);
            }
            return built_in;
        };
        let text = node.string(&mut self.problems)?;
        if let Some(built_in) = File::built_in(text) {
            return Some(built_in);
        }
        if !text.contains(['/', '.']) {
            let message = format!("there is no built-in platform `{text}`");
            self.problems.push_help(node.place(), message, HELP);
            return None;
        }
        let path = files.directory.join(text);
        let source = match files.env.read(&path) {
            Ok(text) => Source::new(path.display().to_string(), text),
            Err(error) => {
                let message = format!("cannot read the platform file {}: {error}", path.display());
                self.problems.push_help(node.place(), message, HELP);
                return None;
            }
        };
        let read = File::read(&source);
        files.sources.push(source);
        read.map_err(|problems| self.problems.extend(problems)).ok()
    }

    /// Each secret must be a key of how the platform signs; otherwise it would open nothing, or to anybody.
    fn secrets_open(&mut self, kind: &File, node: &Node<'_>, secrets: &SecretSet) {
        let faults = secrets.all().into_iter().zip(secrets.names());
        let faults: Vec<_> = faults
            .filter_map(|((_, secret), name)| Some((name, kind.secret_fault(secret.expose_secret())?)))
            .collect();
        for (name, fault) in faults {
            let message = format!("{}, {name}, can open no delivery: {fault}", node.label());
            let help = "take it from the platform's settings as it is shown there, whole";
            self.problems.push_hidden(node.place(), message, help);
        }
    }

    fn secret_set(&mut self, node: &Node<'_>) -> Option<SecretSet> {
        let Some(mut table) = node.as_table() else {
            return self.secret_list(node).map(SecretSet::Any);
        };
        let mut per_app = BTreeMap::new();
        for (app, node) in table.take_all() {
            per_app.insert(app.name.to_owned(), self.secret_list(&node)?);
        }
        if per_app.is_empty() {
            self.problems
                .push(node.place(), format!("{} names no app", node.label()));
            return None;
        }
        Some(SecretSet::PerApp(per_app))
    }

    /// One secret, or those of a rotation.
    pub(super) fn secret_list(&mut self, node: &Node<'_>) -> Option<Vec<SecretString>> {
        let Some(items) = node.as_array() else {
            return Some(vec![self.secrets.secret(node, &mut self.problems)?]);
        };
        if items.is_empty() {
            self.problems
                .push(node.place(), format!("{} has no secret in it", node.label()));
            return None;
        }
        let read: Vec<_> = items
            .iter()
            .map(|item| self.secrets.secret(item, &mut self.problems))
            .collect();
        read.into_iter().collect()
    }
}
