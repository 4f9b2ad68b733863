//! The effective check: each value, and where it comes from.

use super::checks::over_defaults;
use super::{Config, Scope};
use crate::document::{Document, Key, Node, Problems, Source, Table, Value};
use crate::domain::CheckName;

/// One value of an effective check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// What it sets: `expect.json.status`.
    pub key: String,
    /// The value as it is written; a secret is its placeholder.
    pub value: String,
    /// Where it comes from.
    pub from: From,
}

/// Where an effective value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// `path:line` in a source.
    Place(String),
    /// It is what holds if nothing is said.
    BuiltIn,
}

/// What holds if nothing is said.
const BUILT_IN: &[(&str, &str)] = &[
    ("severity", "\"critical\""),
    ("timeout", "\"10s\""),
    ("follow", "true"),
    ("expect.status", "\"2xx\""),
];

impl Config {
    /// Every value of a check after defaults, step by step, in the order of the file; `None` if there is no such check.
    pub fn explain(&self, name: &CheckName) -> Option<Vec<Explained>> {
        let (scope, _) = self.find(name)?;
        let source = self.source_of(scope)?;
        let document = Document::parse(source, &mut Problems::new())?;
        explain(&mut document.table(), scope, name)
    }

    /// Every check, explained, with its file read once.
    pub(super) fn explain_all(&self) -> Vec<(CheckName, Vec<Explained>)> {
        let mut all = Vec::new();
        for scope in &self.scopes {
            let source = self.source_of(scope);
            let document = source.and_then(|source| Document::parse(source, &mut Problems::new()));
            let Some(mut root) = document.as_ref().map(Document::table) else {
                continue;
            };
            for check in &scope.checks {
                let name = &check.check.name;
                all.extend(explain(&mut root, scope, name).map(|values| (name.clone(), values)));
            }
        }
        all
    }

    fn source_of(&self, scope: &Scope) -> Option<&Source> {
        self.sources.iter().find(|source| source.path == scope.path)
    }
}

/// The check `name` of a file, whose table is `root`.
fn explain(root: &mut Table<'_>, scope: &Scope, name: &CheckName) -> Option<Vec<Explained>> {
    let mut problems = Problems::new();
    let mut explained = Vec::new();
    let (header, _) = name.as_str().split_once('[').unwrap_or((name.as_str(), ""));
    let own = root.child("check")?.child(header)?;
    let defaults = root.table("defaults", &mut problems);
    let table = over_defaults(own, defaults.as_ref(), scope.base.as_ref(), &mut problems);
    leaves(&table, &mut explained);
    for key in ["when", "base"].into_iter().filter(|key| !table.has(key)) {
        explained.extend(root.peek(key).map(|node| leaf(key.to_owned(), &node)));
    }
    for (key, value) in BUILT_IN {
        let said = |explained: &Explained| explained.key == *key || explained.key.starts_with(&format!("{key}."));
        if !explained.iter().any(said) {
            explained.push(Explained {
                key: (*key).to_owned(),
                value: (*value).to_owned(),
                from: From::BuiltIn,
            });
        }
    }
    Some(explained)
}

/// Every value in `table` that is not itself a table of settings.
pub(super) fn leaves(table: &Table<'_>, explained: &mut Vec<Explained>) {
    let mut left = entries("", table);
    while let Some((key, node)) = left.pop() {
        match node.value() {
            Value::Table(table) if !table.keys().is_empty() => left.extend(entries(&key, &table)),
            Value::Array(items) if ["step", "finally"].contains(&key.as_str()) => {
                // Counted as people count, as in results.
                let numbered = items.into_iter().enumerate().rev();
                left.extend(numbered.map(|(index, item)| (format!("{key} {}", index + 1), item)));
            }
            _ => explained.push(leaf(key, &node)),
        }
    }
}

/// The entries of `table` with their whole keys, last first.
fn entries<'a>(prefix: &str, table: &Table<'a>) -> Vec<(String, Node<'a>)> {
    let dot = if prefix.is_empty() { "" } else { "." };
    let named = |(key, node): (Key<'a>, Node<'a>)| (format!("{prefix}{dot}{}", key.name), node);
    table.entries().into_iter().rev().map(named).collect()
}

pub(super) fn leaf(key: String, node: &Node<'_>) -> Explained {
    Explained {
        key,
        value: node.place().text().to_owned(),
        from: From::Place(node.place().line_label()),
    }
}
