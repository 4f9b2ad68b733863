//! `[outcome.X]` and `[control.X]`: whom we tell, and what tells us that we are online.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::Control;
use super::read::Reader;
use super::settings::request_target;
use super::when::read_globs;
use crate::document::{Node, Table, closest};
use crate::domain::{EndpointName, Glob, OutcomeEvent};
use crate::outcome::{Address, Endpoint, Format, When};

/// The keys that hold an endpoint's address, and what they say of its format.
const FORMATS: [(&str, Format); 3] = [
    ("url", Format::Plain),
    ("slack", Format::Slack),
    ("discord", Format::Discord),
];

/// Formats that people will look for.
const FORMATS_LATER: [&str; 7] = [
    "teams",
    "pagerduty",
    "opsgenie",
    "telegram",
    "email",
    "ntfy",
    "cdevents",
];

impl Reader<'_> {
    /// Reads `[outcome.X]`, all of them.
    pub(super) fn endpoints(&mut self, root: &mut Table<'_>) -> Vec<Endpoint> {
        let Some(mut table) = root.table("outcome", &mut self.problems) else {
            return Vec::new();
        };
        let mut endpoints = Vec::new();
        for (key, node) in table.take_all() {
            if !self.name_is_good(&key, "an outcome") {
                continue;
            }
            if let Some(entry) = node.table(&mut self.problems) {
                let entry = entry.labelled(format!("[outcome.{}]", key.name));
                endpoints.extend(self.endpoint(key.name, entry));
            }
        }
        endpoints
    }

    /// Reads `[control.X]`, all of them.
    pub(super) fn controls(&mut self, root: &mut Table<'_>) -> Vec<Control> {
        let Some(mut table) = root.table("control", &mut self.problems) else {
            return Vec::new();
        };
        let mut controls = Vec::new();
        for (key, node) in table.take_all() {
            let Some(entry) = node.table(&mut self.problems) else {
                continue;
            };
            let mut entry = entry.labelled(format!("[control.{}]", key.name));
            let step = self.lone_step(&mut entry);
            let request = request_target(&entry);
            if let Some(node) = request
                && !node
                    .as_str()
                    .is_some_and(|text| text.starts_with("https://") || text.starts_with("http://"))
            {
                let help =
                    "a control is not part of the app: write a whole address, `get = \"https://status.example.com/\"`";
                self.problems
                    .push_help(node.place(), format!("{} is not a whole address", node.label()), help);
            }
            entry.finish(&mut self.problems, &[("url", "get"), ("status", "expect.status")]);
            let name = key.name.to_owned();
            controls.extend(step.map(|step| Control { name, step }));
        }
        controls
    }

    fn endpoint(&mut self, name: &str, mut table: Table<'_>) -> Option<Endpoint> {
        let address = self.endpoint_address(&mut table);
        let secret = table.take("secret");
        let secret = secret.and_then(|node| self.signing_secret(&node));
        let events = table.take("events");
        let events = events.map_or_else(Vec::new, |node| self.events(&node));
        let when = self.endpoint_when(&mut table);
        let approve = table.bool("approve", &mut self.problems).unwrap_or(false);
        if let (Some((Format::Plain, _)), false) = (&address, table.has("secret")) {
            let help = "add `secret = \"{{ secret.NAME }}\"`, so that the receiver can tell our messages from others";
            self.problems.warn(
                table.place(),
                format!("messages of {} are not signed", table.label()),
                help,
            );
        }
        table.finish(
            &mut self.problems,
            &[
                ("event", "events"),
                ("filter", "when"),
                ("app", "when.app"),
                ("env", "when.env"),
            ],
        );
        let (format, url) = address?;
        let name = EndpointName::new(name);
        Some(Endpoint {
            name,
            format,
            url,
            secret,
            events,
            when,
            approve,
        })
    }

    /// A secret to sign with; one that says `whsec_` must be what it says, or its receiver could not verify.
    fn signing_secret(&mut self, node: &Node<'_>) -> Option<SecretString> {
        let secret = self.secrets.secret(node, &mut self.problems)?;
        let encoded = secret.expose_secret().strip_prefix("whsec_");
        if encoded.is_some_and(|key| BASE64_STANDARD.decode(key).is_ok_and(|key| !key.is_empty())) || encoded.is_none()
        {
            return Some(secret);
        }
        let help = "generate one anew: `whsec_` and the base64 of 24 to 64 random bytes";
        let message = format!("{} starts with `whsec_`, and no base64 follows", node.label());
        self.problems.push_hidden(node.place(), message, help);
        None
    }

    fn endpoint_address(&mut self, table: &mut Table<'_>) -> Option<(Format, Address)> {
        for key in FORMATS_LATER {
            if table.take(key).is_some() {
                let message = format!("`{key}` is not available yet as a receiver of outcomes");
                self.problems
                    .push_help(table.key_place(key), message, "use `url`, `slack` or `discord`");
                return None;
            }
        }
        let mut given = Vec::new();
        for (key, format) in FORMATS {
            given.extend(table.take(key).map(|node| (key, format, node)));
        }
        let [(_, format, node)] = given.as_slice() else {
            let help = "write one of `url`, `slack` and `discord`";
            match given.get(1) {
                Some((key, _, _)) => {
                    let message = format!("{} has more than one address", table.label());
                    self.problems.push_help(table.key_place(key), message, help);
                }
                None => self
                    .problems
                    .push_missing(table.place(), format!("{} has no address", table.label()), help),
            }
            return None;
        };
        // The address of a chat's webhook is the credential itself.
        let text = match format {
            Format::Plain => self.secrets.text(node, &mut self.problems)?,
            Format::Slack | Format::Discord => {
                let secret = self.secrets.secret(node, &mut self.problems)?;
                secret.expose_secret().to_owned()
            }
        };
        match Address::parse(&text) {
            Ok(address) => {
                let what = match format {
                    Format::Plain => "what is told",
                    Format::Slack | Format::Discord => "the address, which is a secret,",
                };
                self.must_be_safe(node, address.expose(), what, true);
                Some((*format, address))
            }
            Err(error) => {
                self.problems.push_hidden(
                    node.place(),
                    error.to_string(),
                    "check the address, or the secret it comes from",
                );
                None
            }
        }
    }

    fn events(&mut self, node: &Node<'_>) -> Vec<String> {
        let mut events = Vec::new();
        for (item, text) in node.strings(&mut self.problems).unwrap_or_default() {
            let glob = Glob::new(text);
            let words = || OutcomeEvent::ALL.iter().map(|event| event.as_str());
            if words().any(|word| glob.matches(word)) {
                events.push(text.to_owned());
            } else {
                let help = closest(text, words()).map_or_else(
                    || format!("events are {}", words().collect::<Vec<_>>().join(", ")),
                    |word| format!("did you mean `{word}`?"),
                );
                self.problems
                    .push_help(item.place(), format!("no event is called `{text}`"), help);
            }
        }
        if events.is_empty() && node.as_array().is_some_and(|items| items.is_empty()) {
            self.problems.push_help(
                node.place(),
                format!("{} is empty", node.label()),
                "leave it out to mean all",
            );
        }
        events
    }

    fn endpoint_when(&mut self, table: &mut Table<'_>) -> When {
        let Some(mut when) = table.table("when", &mut self.problems) else {
            return When::default();
        };
        let mut names = |key: &'static str| {
            let node = when.take(key);
            let globs = node.map_or_else(Vec::new, |node| read_globs(&node, &mut self.problems));
            globs.iter().map(|glob| glob.as_str().to_owned()).collect()
        };
        let read = When {
            app: names("app"),
            env: names("env"),
        };
        when.finish(&mut self.problems, &[("environment", "env"), ("project", "app")]);
        read
    }
}
