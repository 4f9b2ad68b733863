//! `[outcome.X]` and `[control.X]`: whom we tell, and what tells us that we are online.

use http::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use super::Control;
use super::read::Reader;
use super::settings::request_target;
use super::when::read_globs;
use crate::document::{Node, Table, closest};
use crate::domain::{EndpointName, Glob, OutcomeEvent};
use crate::outcome::{
    self, Address, CONTENT_TYPE_DEFAULT, Endpoint, Format, GITHUB_ADDRESS, Layout, PAGERDUTY_ADDRESS, Rate, When,
};

/// The formats whose address, or what stands in for it, has a key of its own.
const FORMATS: [Format; 7] = [
    Format::Plain,
    Format::CdEvents,
    Format::Slack,
    Format::Discord,
    Format::Teams,
    Format::PagerDuty,
    Format::GitHub,
];

/// What to write in their place.
const ADDRESS_HELP: &str = "write one of `url`, `cdevents`, `slack`, `discord`, `teams`, `pagerduty` and `github`";

/// Formats that people will look for; each can be had by a template.
const FORMATS_LATER: [&str; 4] = ["opsgenie", "telegram", "email", "ntfy"];

/// Attempts under way at once to one endpoint.
const CONCURRENCY_MAX: u32 = 64;
/// Secrets that sign at once.
const SECRETS_MAX: usize = 4;
/// Headers of the config's own.
const HEADERS_MAX: usize = 20;
/// Bytes of a key's name.
const KEY_ID_BYTES_MAX: usize = 100;
/// What a key is called unless told.
const KEY_ID_DEFAULT: &str = "backstop";

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
        let layout = self.layout(&mut table);
        let secret = table.take("secret");
        let secrets = secret.and_then(|node| self.signing_secrets(&node)).unwrap_or_default();
        let key_id = self.key_id(&mut table, &secrets);
        let headers = self.endpoint_headers(&mut table);
        let events = table.take("events");
        let events = events.map_or_else(Vec::new, |node| self.events(&node));
        let when = self.endpoint_when(&mut table);
        let approve = table.bool("approve", &mut self.problems).unwrap_or(false);
        let concurrency = table.take("concurrency");
        let concurrency = concurrency.and_then(|node| self.concurrency(&node));
        let rate = table.take("rate");
        let rate = rate.and_then(|node| self.rate(&node));
        if let (Some((Format::Plain, _, _)), false) = (&address, table.has("secret"))
            && headers.is_empty()
            && layout.is_none()
        {
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
                ("rate_limit", "rate"),
                ("header", "headers"),
                ("body", "template"),
            ],
        );
        let (format, url, credential) = address?;
        let (format, layout) = match (format, layout) {
            (Format::Plain, Some(layout)) => (Format::Template, Some(layout?)),
            (format, _) => (format, None),
        };
        let plain = Endpoint::new(EndpointName::new(name), format, url);
        Some(Endpoint {
            secrets,
            key_id,
            credential,
            headers,
            layout,
            events,
            when,
            approve,
            concurrency: concurrency.unwrap_or(plain.concurrency),
            rate: rate.unwrap_or(plain.rate),
            ..plain
        })
    }

    /// Secrets to sign with, the newest first; one that says `whsec_` or `whsk_` must be what it says, or its receiver could not
    /// verify.
    fn signing_secrets(&mut self, node: &Node<'_>) -> Option<Vec<SecretString>> {
        let secrets = self.secret_list(node)?;
        if secrets.len() > SECRETS_MAX {
            let message = format!("{} has more than {SECRETS_MAX} secrets", node.label());
            let help = "while a secret is rotated there are two: the new one first, then the old one";
            self.problems.push_hidden(node.place(), message, help);
            return None;
        }
        let wrong = secrets.iter().map(|secret| secret.expose_secret());
        let wrong = wrong.into_iter().find(|secret| !outcome::can_sign(secret));
        let Some(wrong) = wrong else {
            return Some(secrets);
        };
        let (prefix, help) = if wrong.starts_with("whsk_") {
            let help = "a signing key is `whsk_` and the base64 of the 32 bytes of an Ed25519 private key and the 32 of its public key";
            ("whsk_", help)
        } else {
            let help = "generate one anew: `whsec_` and the base64 of 24 to 64 random bytes";
            ("whsec_", help)
        };
        let message = if prefix == "whsec_" {
            format!("{} starts with `whsec_`, and no base64 follows", node.label())
        } else {
            format!("{} starts with `whsk_`, and no key pair follows", node.label())
        };
        self.problems.push_hidden(node.place(), message, help);
        None
    }

    /// Under which name of the key requests are signed by RFC 9421, if they are.
    fn key_id(&mut self, table: &mut Table<'_>, secrets: &[SecretString]) -> Option<String> {
        let wanted = table.bool("rfc9421", &mut self.problems).unwrap_or(false);
        let node = table.take("key_id");
        let name = node.as_ref().and_then(|node| node.string(&mut self.problems));
        let is_good = |name: &str| {
            let visible = name.bytes().all(|b| b.is_ascii_graphic() && !b"\"\\".contains(&b));
            visible && (1..=KEY_ID_BYTES_MAX).contains(&name.len())
        };
        if let (Some(node), Some(name)) = (&node, name)
            && !is_good(name)
        {
            let help = "it has 1 to 100 visible ASCII characters, without quotes, backslashes and blanks";
            self.problems
                .push_help(node.place(), format!("{} cannot name a key", node.label()), help);
        }
        if !wanted {
            return None;
        }
        let can_sign = |secret: &SecretString| outcome::can_sign_requests(secret.expose_secret());
        // One that cannot be read is a problem already.
        if !table.has("secret") || (!secrets.is_empty() && !secrets.iter().any(can_sign)) {
            let message = format!("{} has `rfc9421` and no secret for it", table.label());
            let help = "add `secret = \"{{ secret.NAME }}\"`; a `whsk_…` key does not do for it";
            self.problems.push_help(table.key_place("rfc9421"), message, help);
        }
        Some(name.unwrap_or(KEY_ID_DEFAULT).to_owned())
    }

    /// Headers of the config's own, such as `Authorization`.
    fn endpoint_headers(&mut self, table: &mut Table<'_>) -> Vec<(HeaderName, HeaderValue)> {
        let Some(mut entries) = table.table("headers", &mut self.problems) else {
            return Vec::new();
        };
        let mut headers = Vec::new();
        for (key, node) in entries.take_all() {
            let name = HeaderName::try_from(key.name)
                .ok()
                .filter(|name| !is_ours(name.as_str()));
            let Some(name) = name.filter(|_| headers.len() < HEADERS_MAX) else {
                let message = format!("`{}` cannot be a header of a message", key.name);
                let help = "`Authorization` and the like can, up to 20 of them; what signs and describes the message is set by itself";
                self.problems.push_help(key.place, message, help);
                continue;
            };
            let Some(text) = self.secrets.text(&node, &mut self.problems) else {
                continue;
            };
            match HeaderValue::from_str(&text) {
                Ok(mut value) => {
                    value.set_sensitive(true);
                    headers.push((name, value));
                }
                Err(_) => self.problems.push_hidden(
                    node.place(),
                    format!("{} has characters that a header cannot carry", node.label()),
                    "check the secret it comes from",
                ),
            }
        }
        headers
    }

    /// `template`, with `content_type`: `None` without one, `Some(None)` if it cannot be used.
    fn layout(&mut self, table: &mut Table<'_>) -> Option<Option<Layout>> {
        let content_type = table.take("content_type");
        let content_type = content_type.and_then(|node| self.content_type(&node));
        let node = table.take("template")?;
        if !table.has("url") {
            let message = format!("{} has a template and no `url`", table.label());
            self.problems
                .push_help(node.place(), message, "a template says what is sent to a `url`");
            return Some(None);
        }
        let Some(text) = node.string(&mut self.problems) else {
            return Some(None);
        };
        // A path has no braces; a template without any says nothing of the outcome.
        let read = if text.contains(['{', '\n']) {
            Ok(text.to_owned())
        } else {
            self.secrets.read_beside(text)
        };
        let content_type = content_type.as_deref().unwrap_or(CONTENT_TYPE_DEFAULT);
        let parsed = read.and_then(|text| Layout::parse(&text, content_type).map_err(|error| error.to_string()));
        match parsed {
            Ok(layout) => Some(Some(layout)),
            Err(error) => {
                let names: Vec<String> = Layout::names().collect();
                let help = format!(
                    "a file's path, or the text itself; in it may stand {}",
                    names.join(", ")
                );
                self.problems
                    .push_help(node.place(), format!("{}: {error}", node.label()), help);
                Some(None)
            }
        }
    }

    fn content_type(&mut self, node: &Node<'_>) -> Option<String> {
        let text = node.string(&mut self.problems)?;
        if text.contains('/') && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Some(text.to_owned());
        }
        let help = "write a media type: `content_type = \"application/json\"`";
        self.problems
            .push_help(node.place(), format!("{} is no media type", node.label()), help);
        None
    }

    fn concurrency(&mut self, node: &Node<'_>) -> Option<usize> {
        let number = node.integer(&mut self.problems)?;
        match u32::try_from(number).ok().filter(|n| (1..=CONCURRENCY_MAX).contains(n)) {
            Some(number) => usize::try_from(number).ok(),
            None => {
                let help = "as many as the receiver can take at once";
                let message = format!("{} is from 1 to {CONCURRENCY_MAX}", node.label());
                self.problems.push_help(node.place(), message, help);
                None
            }
        }
    }

    fn rate(&mut self, node: &Node<'_>) -> Option<Option<Rate>> {
        let text = node.string(&mut self.problems)?;
        if text == "off" {
            return Some(None);
        }
        let rate = Rate::parse(text);
        if rate.is_none() {
            let help = "write so many in a time, `\"10/s\"`, `\"60/m\"` or `\"100/h\"`, or `\"off\"` for no limit";
            self.problems
                .push_help(node.place(), format!("{} is not a rate", node.label()), help);
        }
        rate.map(Some)
    }

    fn endpoint_address(&mut self, table: &mut Table<'_>) -> Option<(Format, Address, Option<SecretString>)> {
        for key in FORMATS_LATER {
            if table.take(key).is_some() {
                let message = format!("`{key}` is not available yet as a receiver of outcomes");
                let help = "say what it is sent with `url` and `template`, or use one of the formats there are: `url`, `cdevents`, `slack`, `discord`, `teams`, `pagerduty`, `github`";
                self.problems.push_help(table.key_place(key), message, help);
                return None;
            }
        }
        let mut given = Vec::new();
        for format in FORMATS {
            given.extend(table.take(format.key()).map(|node| (format, node)));
        }
        // PagerDuty's address is known; one that is given stands for a region.
        if let [(Format::Plain, url), (Format::PagerDuty, key)] = given.as_slice() {
            let credential = self.secrets.secret(key, &mut self.problems)?;
            let text = self.secrets.text(url, &mut self.problems)?;
            return Some((Format::PagerDuty, self.parsed_address(url, &text)?, Some(credential)));
        }
        // GitHub's is known too; one that is given stands for a server of one's own.
        if let [(Format::GitHub, repository)] | [(Format::Plain, _), (Format::GitHub, repository)] = given.as_slice() {
            let server = given.first().filter(|(format, _)| *format == Format::Plain);
            let help = "add `token = \"{{ secret.NAME }}\"`, which may write deployments of that repository";
            let token = table.required("token", help, &mut self.problems);
            return self.github(token, server.map(|(_, node)| node), repository);
        }
        if let Some(token) = table.take("token") {
            let help = "only `github` takes one; for others, `headers.Authorization = \"Bearer {{ secret.NAME }}\"`";
            let message = format!("{} goes with nothing", token.label());
            self.problems.push_hidden(token.place(), message, help);
        }
        let [(format, node)] = given.as_slice() else {
            match given.get(1) {
                Some((format, _)) => {
                    let message = format!("{} has more than one address", table.label());
                    self.problems
                        .push_help(table.key_place(format.key()), message, ADDRESS_HELP);
                }
                None => {
                    self.problems
                        .push_missing(table.place(), format!("{} has no address", table.label()), ADDRESS_HELP)
                }
            }
            return None;
        };
        if *format == Format::PagerDuty {
            let credential = self.secrets.secret(node, &mut self.problems)?;
            let address = self.parsed_address(node, PAGERDUTY_ADDRESS)?;
            return Some((*format, address, Some(credential)));
        }
        // The address of a chat's webhook is the credential itself.
        let text = if format.has_secret_address() {
            let secret = self.secrets.secret(node, &mut self.problems)?;
            secret.expose_secret().to_owned()
        } else {
            self.secrets.text(node, &mut self.problems)?
        };
        let address = self.parsed_address(node, &text)?;
        let what = if format.has_secret_address() {
            "the address, which is a secret,"
        } else {
            "what is told"
        };
        self.must_be_safe(node, address.expose(), what, true);
        Some((*format, address, None))
    }

    /// A repository's address, and the token for it.
    fn github(
        &mut self,
        token: Option<Node<'_>>,
        server: Option<&Node<'_>>,
        repository: &Node<'_>,
    ) -> Option<(Format, Address, Option<SecretString>)> {
        let token = token.and_then(|node| self.secrets.secret(&node, &mut self.problems));
        let name = repository.string(&mut self.problems)?;
        let is_good = |part: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty() && part.bytes().all(plain) && !part.bytes().all(|byte| byte == b'.')
        };
        let parts = name.split_once('/');
        if !parts.is_some_and(|(owner, name)| is_good(owner) && is_good(name)) {
            let help = "write its owner and its name: `github = \"acme/shop\"`";
            let message = format!("{} names no repository", repository.label());
            self.problems.push_help(repository.place(), message, help);
            return None;
        }
        let base = match server {
            Some(node) => self.secrets.text(node, &mut self.problems)?,
            None => GITHUB_ADDRESS.to_owned(),
        };
        let node = server.unwrap_or(repository);
        let address = self.parsed_address(node, &format!("{}/repos/{name}", base.trim_end_matches('/')))?;
        self.must_be_safe(node, address.expose(), "the token", true);
        Some((Format::GitHub, address, Some(token?)))
    }

    fn parsed_address(&mut self, node: &Node<'_>, text: &str) -> Option<Address> {
        let parsed = Address::parse(text);
        parsed
            .map_err(|error| {
                let help = "check the address, or the secret it comes from";
                self.problems.push_hidden(node.place(), error.to_string(), help);
            })
            .ok()
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

/// Headers that say what a message is and who sent it.
fn is_ours(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "content-type",
        "content-length",
        "content-digest",
        "content-encoding",
        "host",
        "signature",
        "signature-input",
        "transfer-encoding",
    ];
    NAMES.contains(&name) || name.starts_with("webhook-") || name.starts_with("x-webhook-")
}
