//! Names in a `when` that no deployment has ever had.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::document::{Document, Node, Problem, Problems, Table, closest};

/// So many known names are shown at most.
const SHOWN_MAX: usize = 5;

impl Config {
    /// Warnings of exact names of apps and environments in any `when` that are not among those that were `seen`, in
    /// source order. Of what nothing was seen yet, nothing is said.
    pub fn never_seen(&self, apps: &BTreeSet<String>, environments: &BTreeSet<String>) -> Vec<Problem> {
        let mut problems = Problems::new();
        let of_checks = |path: &str| self.scopes.iter().any(|scope| scope.path == path);
        for source in self.sources.iter().filter(|source| of_checks(&source.path)) {
            // It was read before without an error.
            let Some(document) = Document::parse(source, &mut problems) else {
                continue;
            };
            for when in whens(&document.table()) {
                unseen(&when, "app", apps, &mut problems);
                unseen(&when, "env", environments, &mut problems);
            }
        }
        problems.into_vec()
    }
}

/// Every `when` of a file.
fn whens<'a>(root: &Table<'a>) -> Vec<Table<'a>> {
    let named = ["check", "outcome"].into_iter().filter_map(|key| root.child(key));
    let named = named.flat_map(|table| table.entries()).map(|(_, node)| node);
    let policies = root.peek("policy").and_then(|node| node.as_array());
    let below = named.chain(policies.unwrap_or_default());
    let tables = below.filter_map(|node| node.as_table()).chain(root.child("defaults"));
    let tables = std::iter::once(root.clone()).chain(tables);
    tables.filter_map(|table| table.child("when")).collect()
}

fn unseen(when: &Table<'_>, key: &str, seen: &BTreeSet<String>, problems: &mut Problems) {
    if seen.is_empty() {
        return;
    }
    let Some(node) = when.peek(key) else { return };
    let names = node.as_table().and_then(|table| table.peek("not")).unwrap_or(node);
    let items: Vec<Node<'_>> = names.as_array().unwrap_or_else(|| vec![names]);
    for item in items {
        let Some(name) = item
            .as_str()
            .filter(|name| !name.contains('*') && !seen.contains(*name))
        else {
            continue;
        };
        let what = if key == "app" { "app" } else { "environment" };
        let help = match closest(name, seen.iter().map(String::as_str)) {
            Some(word) => format!("did you mean `{word}`?"),
            None => {
                let shown: Vec<&str> = seen.iter().take(SHOWN_MAX).map(String::as_str).collect();
                let more = if seen.len() > SHOWN_MAX { ", …" } else { "" };
                format!(
                    "seen were {}{more}; for one that is yet to come this is right",
                    shown.join(", ")
                )
            }
        };
        problems.warn(
            item.place(),
            format!("no deployment was seen of an {what} called `{name}`"),
            help,
        );
    }
}
