//! `[check.X]`: reads one file's checks, laid over its `[defaults]`.

use url::Url;

use super::read::Reader;
use super::settings::{REQUEST_KEYS, request_target};
use super::when::{When, read_when};
use crate::check::{SAMPLES_MAX, Script};
use crate::document::{Key, Node, Place, Problems, Table};
use crate::domain::{CheckName, Severity};
use crate::step::{Family, Step};

/// A list in `get` has at most this many addresses.
const TARGETS_MAX: usize = 200;
/// No more checks than this over all files.
pub(super) const CHECKS_MAX: usize = 5000;
/// First words of placeholders, which no check can be called.
pub(super) const NAMESPACES: [&str; 5] = ["deploy", "env", "run", "secret", "vars"];
const NAME_CHARS_MAX: usize = 64;
/// What a step takes from its check if it goes to another origin: nothing that may be a credential.
const SHARED_ELSEWHERE_KEYS: &[&str] = &[
    "timeout", "follow", "ip", "proxy", "http", "max_body", "charset", "expect", "warn",
];
/// What the steps of a check take from the check itself.
const SHARED_KEYS: &[&str] = &[
    "headers", "cookies", "bearer", "basic", "oauth2", "timeout", "follow", "connect", "ip", "proxy", "http", "tls",
    "max_body", "charset", "expect", "warn",
];
/// Defaults that a check of another origin does not get: they may be credentials of this one.
const CREDENTIAL_KEYS: &[&str] = &["bearer", "basic", "oauth2", "headers", "cookies", "tls"];
/// A check has at most so many steps.
const STEPS_MAX: usize = 50;

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
        "retries",
        "the budget of all checks is `[retry]`; a step that polls says `retry = \"20s\"`",
    ),
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
    ("steps", "step"),
    ("teardown", "finally"),
    ("after", "finally"),
    ("params", "query"),
    ("body_file", "file"),
    ("cookie", "cookies"),
    ("auth_basic", "basic"),
    ("oauth", "oauth2"),
    ("resolve", "connect"),
    ("follow_redirects", "follow"),
    (
        "insecure",
        "a certificate is always checked; trust your own authority with `tls.ca`",
    ),
    ("schema", "expect.schema"),
    ("assets", "expect.assets"),
    ("html", "expect.html"),
    ("name", "a check's name is in its header: `[check.NAME]`"),
];

/// A check as it is read, before the checks know of each other.
#[derive(Clone)]
pub(super) struct RawCheck<'a> {
    pub(super) name: String,
    /// What a list of addresses is called as a whole; `name` if it is one check.
    pub(super) group: &'a str,
    pub(super) place: Place<'a>,
    pub(super) table: Table<'a>,
    pub(super) title: Option<String>,
    pub(super) script: Script,
    pub(super) severity: Severity,
    pub(super) repeat: bool,
    pub(super) base: Option<Url>,
    pub(super) when: When,
    /// Checks it names in `needs` and `session`, besides those it takes values from.
    pub(super) needs: Vec<(Node<'a>, &'a str)>,
}

impl RawCheck<'_> {
    /// The same check, which dials addresses of one kind only.
    fn by(mut self, word: &str, family: Family) -> Self {
        self.name = format!("{}[{word}]", self.name);
        self.script.all_mut().for_each(|step| step.send.route.family = family);
        self
    }
}

impl Reader<'_> {
    /// Reads `[check.X]`, all of one file, in source order.
    pub(super) fn checks<'a>(&mut self, root: &mut Table<'a>, file_base: Option<&Url>) -> Vec<RawCheck<'a>> {
        let defaults = root.table("defaults", &mut self.problems);
        if let Some(defaults) = &defaults {
            for key in REQUEST_KEYS
                .iter()
                .chain(&["step", "finally"])
                .filter(|key| defaults.has_own(key))
            {
                let message = format!("`{key}` cannot have a default");
                self.problems
                    .push_help(defaults.key_place(key), message, "each check says itself what it sends");
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
        for (suffix, table) in self.variants(own) {
            let name = format!("{}{suffix}", key.name);
            let both = table.peek("ip").or_else(|| defaults?.peek("ip"));
            let both = both.is_some_and(|node| node.as_str() == Some("both"));
            let Some(check) = self.one_check(key, name, table, defaults, file_base) else {
                continue;
            };
            if both {
                checks.extend(
                    [("v4", Family::V4), ("v6", Family::V6)].map(|(word, family)| check.clone().by(word, family)),
                );
            } else {
                checks.push(check);
            }
        }
    }

    /// One table for each of what is written as a list: addresses, hosts to dial. Each with what its check is called behind
    /// the name.
    fn variants<'a>(&mut self, own: Table<'a>) -> Vec<(String, Table<'a>)> {
        let mut variants = vec![(String::new(), own)];
        for key in REQUEST_KEYS.iter().chain(&["connect"]) {
            let one = |(suffix, table): (String, Table<'a>)| self.listed(key, &suffix, table);
            variants = variants.into_iter().flat_map(one).collect();
        }
        variants
    }

    /// One table for each item of the list under `key`; the table itself if there is none.
    fn listed<'a>(&mut self, key: &str, suffix: &str, table: Table<'a>) -> Vec<(String, Table<'a>)> {
        let Some(items) = table.peek(key).and_then(|node| node.as_array()) else {
            return vec![(suffix.to_owned(), table)];
        };
        if items.is_empty() || items.len() > TARGETS_MAX {
            let message = format!(
                "`{key}` in {} must have from 1 to {TARGETS_MAX} addresses",
                table.label()
            );
            self.problems.push(table.key_place(key), message);
            return Vec::new();
        }
        let mut seen: Vec<&str> = Vec::new();
        let mut variants = Vec::new();
        for item in items {
            let Some(text) = item.string(&mut self.problems) else {
                continue;
            };
            if seen.contains(&text) {
                self.problems
                    .push(item.place(), format!("`{text}` is twice in {}", table.label()));
                continue;
            }
            seen.push(text);
            variants.push((format!("{suffix}[{text}]"), table.clone().with(key, item)));
        }
        variants
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
        let title = table.string("title", &mut self.problems).map(str::to_owned);
        let mut needs = table
            .take("needs")
            .and_then(|node| node.strings(&mut self.problems))
            .unwrap_or_default();
        let session = table.take("session");
        let session = session.and_then(|node| Some((node.clone(), node.string(&mut self.problems)?)));
        needs.extend(session.clone());
        let script = self.script(&mut table, session.map(|(_, name)| CheckName::new(name)), file_base);
        let place = key.place.clone();
        table.clone().finish(&mut self.problems, ALIASES);
        let script = script?;
        Some(RawCheck {
            name,
            group: key.name,
            place,
            table,
            title,
            severity,
            repeat: repeat.unwrap_or_else(|| script.sends_twice_safely()),
            script,
            base,
            when,
            needs,
        })
    }

    /// The steps of a check: `[[step]]`s, or the one that the check itself is.
    fn script(&mut self, table: &mut Table<'_>, session: Option<CheckName>, file_base: Option<&Url>) -> Option<Script> {
        let samples = self.samples(table);
        if table.has_own("step") {
            for key in REQUEST_KEYS {
                if !table.has_own(key) || table.take(key).is_none() {
                    continue;
                }
                let message = format!("`{key}` stands beside `step` in {}", table.label());
                let help = "what is sent stands in the steps; make it the first of them";
                self.problems.push_help(table.key_place(key), message, help);
            }
        }
        let steps = self.steps(table, "step", file_base);
        let finally = self.steps(table, "finally", file_base);
        let steps = match steps? {
            steps if steps.is_empty() && !table.has_own("step") => {
                vec![self.one_step(table)?]
            }
            steps => steps,
        };
        let mut steps = steps.into_iter();
        let script = Script {
            first: steps.next()?,
            rest: steps.collect(),
            finally: finally?,
            session,
            samples,
        };
        self.sampled(table, &script);
        Some(script)
    }

    /// The tables under `key`, each laid over what the check says for all of them.
    fn steps(&mut self, table: &mut Table<'_>, key: &'static str, file_base: Option<&Url>) -> Option<Vec<Step>> {
        let Some(node) = table.take(key) else {
            return Some(Vec::new());
        };
        let items = node.array(&mut self.problems)?;
        if items.is_empty() || items.len() > STEPS_MAX {
            let message = format!("{} must have from 1 to {STEPS_MAX} steps", node.label());
            self.problems.push(node.place(), message);
            return None;
        }
        // What all steps share is written in the check itself, and known there.
        for shared in SHARED_KEYS {
            table.take(shared);
        }
        let mut steps = Vec::new();
        let mut complete = true;
        for (number, item) in items.iter().enumerate() {
            let label = format!("{key} {} of {}", number + 1, table.label());
            let own = item.table(&mut self.problems)?.labelled(label);
            let foreign = request_target(&own).is_some_and(|node| is_foreign(&node, file_base));
            let mut own = own.sharing(table, if foreign { SHARED_ELSEWHERE_KEYS } else { SHARED_KEYS });
            match self.one_step(&mut own) {
                Some(step) => steps.push(step),
                None => complete = false,
            }
            own.finish(&mut self.problems, ALIASES);
        }
        complete.then_some(steps)
    }

    /// `samples`: how many requests one probe sends.
    fn samples(&mut self, table: &mut Table<'_>) -> Option<u16> {
        let node = table.take("samples")?;
        let number = node.integer(&mut self.problems)?;
        let samples = u16::try_from(number)
            .ok()
            .filter(|samples| (2..=SAMPLES_MAX).contains(samples));
        if samples.is_none() {
            let message = format!("{} must be from 2 to {SAMPLES_MAX}", node.label());
            self.problems.push(node.place(), message);
        }
        samples
    }

    /// What belongs to samples only, and what samples do not go with.
    fn sampled(&mut self, table: &Table<'_>, script: &Script) {
        let polls_unsafely = |step: &Step| step.poll.is_some() && !step.sends_twice_safely();
        if script.all().any(polls_unsafely) && !table.has("repeat") {
            let message = format!(
                "`retry` in {} sends what is not only read again and again",
                table.label()
            );
            let help = "say in the check that it is safe to send again: `repeat = true`";
            self.problems.push_help(table.place(), message, help);
        }
        let percentiles = |step: &Step| !step.expect.percentiles.is_empty() || !step.warn.percentiles.is_empty();
        if !script.rest.is_empty() && script.all().any(percentiles) {
            let message = format!(
                "percentiles of time are not judged in {}: it has several steps",
                table.label()
            );
            let help = "write a check of its own for the request that is meant, or `time = \"…\"` for each";
            self.problems.warn(table.place(), message, help);
        }
        let errors = |step: &Step| step.expect.errors_percent.is_some() || step.warn.errors_percent.is_some();
        if script.samples.is_none() && script.all().any(errors) {
            let place = table.key_place(if table.has("expect") { "expect" } else { "warn" });
            let message = format!("{} expects a share of errors, and has no samples", table.label());
            self.problems.push_help(place, message, "add `samples = 30`");
        }
        if script.samples.is_some() && (!script.rest.is_empty() || script.first.poll.is_some()) {
            let message = format!("`samples` in {} goes with one step that does not poll", table.label());
            self.problems.push_help(
                table.key_place("samples"),
                message,
                "write a check of its own for what is measured",
            );
        }
        if script.samples.is_some() && !script.sends_twice_safely() && !table.has("repeat") {
            let message = format!("`samples` in {} sends it again and again", table.label());
            let help = "say that it is safe to send again: `repeat = true`";
            self.problems.push_help(table.key_place("samples"), message, help);
        }
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
