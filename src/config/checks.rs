//! `[check.X]`: reads one file's checks, laid over its `[defaults]`.

use url::Url;

use super::read::Reader;
use super::settings::{REQUEST_KEYS, request_target};
use super::when::{When, read_when};
use crate::document::{Key, Node, Place, Problems, Table};
use crate::domain::Severity;
use crate::step::{Step, read_step};

/// A list in `get` has at most this many addresses.
const TARGETS_MAX: usize = 200;
/// No more checks than this over all files.
pub(super) const CHECKS_MAX: usize = 5000;
/// First words of placeholders, which no check can be called.
pub(super) const NAMESPACES: [&str; 5] = ["deploy", "env", "run", "secret", "vars"];
const NAME_CHARS_MAX: usize = 64;
/// Defaults that a check of another origin does not get: they may be credentials of this one.
const CREDENTIAL_KEYS: &[&str] = &["bearer", "headers"];

/// Words from other tools and other places, and what to write here.
const ALIASES: &[(&str, &str)] = &[
    ("status", "expect.status"),
    ("status_code", "expect.status"),
    ("code", "expect.status"),
    ("time", "expect.time"),
    ("max_time", "expect.time"),
    ("max_latency", "expect.time"),
    ("response_time", "expect.time"),
    ("latency", "expect.time"),
    ("contains", "expect.body.contains"),
    ("assert", "expect"),
    ("asserts", "expect"),
    ("assertions", "expect"),
    ("conditions", "expect"),
    ("expected", "expect"),
    ("path", "get"),
    ("endpoint", "get"),
    ("uri", "get"),
    ("token", "bearer"),
    ("auth", "bearer"),
    ("header", "headers"),
    ("app", "when.app"),
    ("env", "when.env"),
    ("environment", "when.env"),
    ("depends_on", "needs"),
    (
        "body",
        "what is sent is `json` or `text`; what is expected is `expect.body`",
    ),
    (
        "retry",
        "the budget of all checks is `[retry]`; a check that polls is not available yet",
    ),
    ("retries", "the budget of all checks is `[retry]`"),
    ("interval", "the pace of all checks is `every` in `[retry]`"),
    ("every", "the pace of all checks is `every` in `[retry]`"),
    (
        "failure_threshold",
        "the budget of all checks is `failures` in `[retry]`",
    ),
    (
        "critical",
        "write `severity = \"critical\"`, \"degraded\" or \"dependency\"",
    ),
    (
        "required",
        "write `severity = \"degraded\"` for a check that must not roll back",
    ),
    (
        "step",
        "several steps in one check are not available yet: write one check for each and capture between them",
    ),
    (
        "steps",
        "several steps in one check are not available yet: write one check for each and capture between them",
    ),
    ("finally", "cleaning up after a check is not available yet"),
    (
        "session",
        "sharing cookies is not available yet: capture a token and send it as `bearer`",
    ),
    ("cookies", "cookies are not available yet; write `headers.cookie`"),
    (
        "basic",
        "basic authentication is not available yet; write `headers.authorization`",
    ),
    ("query", "write the query into the address: `get = \"/search?q=boots\"`"),
    ("form", "form bodies are not available yet; send `json` or `text`"),
    (
        "samples",
        "samples are not available yet: each probe is held to `expect.time`",
    ),
    ("title", "a check has no title: its name is what people see"),
    ("name", "a check's name is in its header: `[check.NAME]`"),
];

/// A check as it is read, before the checks know of each other.
pub(super) struct RawCheck<'a> {
    pub(super) name: String,
    /// What a list of addresses is called as a whole; `name` if it is one check.
    pub(super) group: &'a str,
    pub(super) place: Place<'a>,
    pub(super) table: Table<'a>,
    pub(super) step: Step,
    pub(super) severity: Severity,
    pub(super) repeat: bool,
    pub(super) base: Option<Url>,
    pub(super) when: When,
    /// Checks it names in `needs`, besides those it takes values from.
    pub(super) needs: Vec<(Node<'a>, &'a str)>,
}

impl Reader<'_> {
    /// Reads `[check.X]`, all of one file, in source order.
    pub(super) fn checks<'a>(&mut self, root: &mut Table<'a>, file_base: Option<&Url>) -> Vec<RawCheck<'a>> {
        let defaults = root.table("defaults", &mut self.problems);
        if let Some(defaults) = &defaults {
            for key in REQUEST_KEYS.iter().filter(|key| defaults.has_own(key)) {
                let message = format!("`{key}` cannot have a default");
                self.problems
                    .push_help(defaults.key_place(key), message, "each check names its own address");
            }
        }
        let Some(mut table) = root.table("check", &mut self.problems) else {
            return Vec::new();
        };
        let mut checks = Vec::new();
        for (key, node) in table.take_all() {
            let Some(entry) = node.table(&mut self.problems) else {
                continue;
            };
            if !self.name_is_good(&key, "a check") {
                continue;
            }
            let entry = entry.labelled(format!("check \"{}\"", key.name));
            self.check(&key, entry, defaults.as_ref(), file_base, &mut checks);
        }
        checks
    }

    /// Whether the name can stand in placeholders, reports and addresses of our own; a bad one is reported.
    pub(super) fn name_is_good(&mut self, key: &Key<'_>, what: &str) -> bool {
        let good_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if key.name.is_empty() || key.name.len() > NAME_CHARS_MAX || !key.name.chars().all(good_char) {
            let message = format!("`{}` cannot be the name of {what}", key.name);
            let help = format!("use letters, digits, `-` and `_`, at most {NAME_CHARS_MAX}");
            self.problems.push_help(key.place.clone(), message, help);
            return false;
        }
        true
    }

    fn check<'a>(
        &mut self,
        key: &Key<'a>,
        own: Table<'a>,
        defaults: Option<&Table<'a>>,
        file_base: Option<&Url>,
        checks: &mut Vec<RawCheck<'a>>,
    ) {
        if NAMESPACES.contains(&key.name) {
            let message = format!("`{}` cannot be the name of a check", key.name);
            let help = format!("`{{{{ {}.… }}}}` already means something else", key.name);
            self.problems.push_help(key.place.clone(), message, help);
        }
        let Some((method, items)) = listed_targets(&own) else {
            checks.extend(self.one_check(key, key.name.to_owned(), own, defaults, file_base));
            return;
        };
        if items.is_empty() || items.len() > TARGETS_MAX {
            let message = format!(
                "`{method}` in {} must have from 1 to {TARGETS_MAX} addresses",
                own.label()
            );
            self.problems.push(own.key_place(method), message);
            return;
        }
        let mut seen: Vec<&str> = Vec::new();
        for item in items {
            let Some(target) = item.string(&mut self.problems) else {
                continue;
            };
            if seen.contains(&target) {
                self.problems
                    .push(item.place(), format!("`{target}` is twice in {}", own.label()));
                continue;
            }
            seen.push(target);
            let name = format!("{}[{target}]", key.name);
            let table = own.clone().with(method, item);
            checks.extend(self.one_check(key, name, table, defaults, file_base));
        }
    }

    fn one_check<'a>(
        &mut self,
        key: &Key<'a>,
        name: String,
        own: Table<'a>,
        defaults: Option<&Table<'a>>,
        file_base: Option<&Url>,
    ) -> Option<RawCheck<'a>> {
        let mut table = over_defaults(own, defaults, file_base, &mut self.problems);
        let severities = [
            ("critical", Severity::Critical),
            ("degraded", Severity::Degraded),
            ("dependency", Severity::Dependency),
        ];
        let severity = self.choice(&mut table, "severity", &severities, Severity::Critical);
        let repeat = table.bool("repeat", &mut self.problems);
        let base = self.base(&mut table);
        let when = read_when(&mut table, &mut self.problems);
        let needs = table.take("needs").and_then(|node| node.strings(&mut self.problems));
        let step = read_step(&mut table, &mut self.problems);
        let place = key.place.clone();
        table.clone().finish(&mut self.problems, ALIASES);
        let step = step?;
        Some(RawCheck {
            name,
            group: key.name,
            place,
            table,
            severity,
            repeat: repeat.unwrap_or_else(|| step.sends_twice_safely()),
            step,
            base,
            when,
            needs: needs.unwrap_or_default(),
        })
    }
}

/// A check's table laid over the defaults of its file, unless it says `inherit = false`. A check of another origin than
/// the file's does not get what may be credentials.
pub(super) fn over_defaults<'a>(
    mut own: Table<'a>,
    defaults: Option<&Table<'a>>,
    file_base: Option<&Url>,
    problems: &mut Problems,
) -> Table<'a> {
    let inherit = own.bool("inherit", problems).unwrap_or(true);
    let Some(defaults) = defaults.filter(|_| inherit) else {
        return own;
    };
    let foreign = request_target(&own).is_some_and(|node| is_foreign(&node, file_base));
    own.over(defaults, if foreign { CREDENTIAL_KEYS } else { &[] })
}

/// The method and its addresses, if they are written as a list.
fn listed_targets<'a>(table: &Table<'a>) -> Option<(&'static str, Vec<Node<'a>>)> {
    let listed = |key: &&'static str| Some((*key, table.peek(key)?.as_array()?));
    REQUEST_KEYS.iter().find_map(listed)
}

/// Whether a target is a whole address on another origin than the file's base.
fn is_foreign(target: &Node<'_>, file_base: Option<&Url>) -> bool {
    let Some(url) = target.as_str().and_then(|text| Url::parse(text).ok()) else {
        // A path; or whole but with placeholders in its host, and then nobody knows whose it is.
        return target
            .as_str()
            .is_some_and(|text| text.contains("://") && !text.starts_with('/'));
    };
    file_base.is_none_or(|base| base.origin() != url.origin())
}
