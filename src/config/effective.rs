//! The config as a whole: section by section, each value with where it comes from; and what two of them differ in.

use std::collections::BTreeMap;

use super::explain::{Explained, From, leaves};
use super::{Config, Limit};
use crate::document::{Document, Node, Problems, Table, Value};

/// A part of the config: `[server]`, `[outcome.ops]`, a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its name, as it is written: `outcome.ops`; of what stands above all tables it is empty.
    pub name: String,
    /// Its values.
    pub values: Vec<Explained>,
}

/// What another config has in a value's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The value's section and key: `outcome.ops.url`.
    pub key: String,
    /// What it was; `None` if it was not there.
    pub from: Option<String>,
    /// What it is; `None` if it is gone.
    pub to: Option<String>,
}

/// Tables whose entries are sections of their own.
const NAMED: &[&str] = &["platform", "control", "outcome"];
/// Tables that checks are made of, and are shown with them.
const OF_CHECKS: &[&str] = &["check", "defaults", "env"];
/// What is not shown unless it is a placeholder: it may be a credential, or an address that is as good as one.
const HIDDEN: &[&str] = &[
    "authorization",
    "basic",
    "bearer",
    "cookie",
    "discord",
    "headers",
    "heartbeat",
    "key",
    "oauth2",
    "otlp",
    "pagerduty",
    "password",
    "proxy",
    "secret",
    "slack",
    "teams",
    "token",
    "url",
];
/// What stands in such a value's place.
const HIDDEN_VALUE: &str = "(not shown)";

impl Config {
    /// Everything that is configured: what the main file says, what holds where it says nothing, and each check after
    /// defaults. Secrets are their placeholders, and what may be a secret is not shown.
    pub fn effective(&self) -> Vec<Section> {
        let mut sections = self.written();
        let top = sections.iter_mut().find(|section| section.name.is_empty());
        if let Some(top) = top {
            let said = top.values.iter().any(|value| value.key == "mode");
            if !said {
                top.values.push(built_in("mode", self.base_settings.mode.as_str()));
            }
        }
        for (name, defaults) in self.unsaid() {
            let index = sections.iter().position(|section| section.name == name);
            let index = index.unwrap_or_else(|| {
                sections.push(Section {
                    name: name.to_owned(),
                    values: Vec::new(),
                });
                sections.len() - 1
            });
            let Some(section) = sections.get_mut(index) else {
                continue;
            };
            for (key, value) in defaults {
                if !section.values.iter().any(|said| said.key == key) {
                    section.values.push(built_in(key, &value));
                }
            }
        }
        let checks = self.explain_all().into_iter();
        sections.extend(checks.map(|(name, values)| Section {
            name: format!("check.{name}"),
            values: values.into_iter().map(shown).collect(),
        }));
        sections
    }

    /// What `other` has in this one's place, sorted by key. What is not shown is not compared either.
    pub fn changes_to(&self, other: &Self) -> Vec<Change> {
        let flat = |config: &Self| -> BTreeMap<String, String> {
            let sections = config.effective().into_iter();
            let values = sections.flat_map(|section| {
                let name = section.name;
                section.values.into_iter().map(move |value| {
                    let dot = if name.is_empty() { "" } else { "." };
                    (format!("{name}{dot}{}", value.key), value.value)
                })
            });
            values.collect()
        };
        let (before, mut after) = (flat(self), flat(other));
        let mut changes = Vec::new();
        for (key, from) in before {
            let to = after.remove(&key);
            if to.as_ref() != Some(&from) {
                changes.push(Change {
                    key,
                    from: Some(from),
                    to,
                });
            }
        }
        changes.extend(after.into_iter().map(|(key, to)| Change {
            key,
            from: None,
            to: Some(to),
        }));
        changes.sort_by(|a, b| a.key.cmp(&b.key));
        changes
    }

    /// What the main file says, apart from the checks.
    fn written(&self) -> Vec<Section> {
        let mut problems = Problems::new();
        let document = self
            .sources
            .first()
            .and_then(|main| Document::parse(main, &mut problems));
        let Some(root) = document.as_ref().map(Document::table) else {
            return Vec::new();
        };
        let mut top = Vec::new();
        let mut sections = Vec::new();
        for (key, node) in root.entries() {
            let name = key.name;
            match node.value() {
                _ if OF_CHECKS.contains(&name) => {}
                Value::Table(table) if NAMED.contains(&name) => {
                    let named = table.entries().into_iter();
                    sections.extend(named.map(|(own, node)| section(format!("{name}.{}", own.name), &node)));
                }
                Value::Table(_) => sections.push(section(name.to_owned(), &node)),
                Value::Array(items) if name == "policy" => {
                    let numbered = items.iter().enumerate();
                    sections.extend(numbered.map(|(index, node)| section(format!("{name} {}", index + 1), node)));
                }
                _ => leaf_of(name, &node, &mut top),
            }
        }
        sections.insert(
            0,
            Section {
                name: String::new(),
                values: top,
            },
        );
        sections
    }

    /// The settings of the top level that hold where nothing is said.
    fn unsaid(&self) -> [(&'static str, Vec<(&'static str, String)>); 4] {
        let settings = &self.base_settings;
        let time = |duration| format!("\"{}\"", humantime::format_duration(duration));
        let limit = match settings.warmup.limit {
            Limit::Auto => "\"auto\"".to_owned(),
            Limit::Fixed(limit) => time(limit),
        };
        [
            ("warmup", vec![("for", limit)]),
            (
                "retry",
                vec![
                    ("every", time(settings.retry.every)),
                    ("failures", settings.retry.failures.to_string()),
                    ("passes", settings.retry.passes.to_string()),
                ],
            ),
            ("watch", vec![("for", time(settings.watch))]),
            (
                "rollback",
                vec![
                    ("max_per_hour", settings.rollback.max_per_hour.to_string()),
                    ("cooldown", time(settings.rollback.cooldown)),
                    ("act_within", time(settings.rollback.act_within)),
                ],
            ),
        ]
    }
}

fn section(name: String, node: &Node<'_>) -> Section {
    let mut values = Vec::new();
    match node.value() {
        Value::Table(table) => leaves_of(&table, &mut values),
        _ => leaf_of(&name, node, &mut values),
    }
    Section { name, values }
}

fn leaves_of(table: &Table<'_>, values: &mut Vec<Explained>) {
    let mut found = Vec::new();
    leaves(table, &mut found);
    values.extend(found.into_iter().map(shown));
}

fn leaf_of(key: &str, node: &Node<'_>, values: &mut Vec<Explained>) {
    values.push(shown(super::explain::leaf(key.to_owned(), node)));
}

fn built_in(key: &str, value: &str) -> Explained {
    Explained {
        key: key.to_owned(),
        value: value.to_owned(),
        from: From::BuiltIn,
    }
}

/// A value as it may be shown.
fn shown(mut value: Explained) -> Explained {
    let may_be_secret = value
        .key
        .split(['.', ' '])
        .any(|part| HIDDEN.contains(&part.trim_matches(['"', '\'']).to_ascii_lowercase().as_str()));
    if may_be_secret && !is_placeholder(&value.value) {
        HIDDEN_VALUE.clone_into(&mut value.value);
    }
    value
}

/// Whether the text is one placeholder of a secret and nothing beside it.
fn is_placeholder(value: &str) -> bool {
    let inner = value.trim_matches(['"', '\'']).trim();
    let inner = inner.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    inner.is_some_and(|inner| inner.trim().starts_with("secret.") && !inner.contains("{{"))
}
