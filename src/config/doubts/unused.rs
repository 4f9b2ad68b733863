//! What is written and used by nothing, and what the checks as a whole do not look at.

use std::collections::BTreeSet;

use super::Whole;
use crate::config::assemble::FileChecks;
use crate::config::checks::RawCheck;
use crate::config::read::Reader;
use crate::config::settings::request_target;
use crate::document::{Document, Node, Table, Value};
use crate::step::{IDENTITY_SLOTS, Template};

/// Where a check has more requests than its own, each with expectations and captures.
const STEP_KEYS: [&str; 2] = ["step", "finally"];

impl Reader<'_> {
    /// Warns where nothing tells the new version from the old one, which goes on answering for a while.
    pub(super) fn identity(&mut self, whole: &Whole<'_, '_>, files: &[FileChecks<'_>]) {
        let Some(first) = files.iter().flat_map(|file| &file.checks).next() else {
            return;
        };
        let of_policies = whole.main.peek("policy").and_then(|node| node.as_array());
        let policies = of_policies.unwrap_or_default();
        let warm_ups = policies.iter().filter_map(|policy| policy.as_table()?.child("warmup"));
        let mut warm_ups = warm_ups.chain(whole.main.child("warmup"));
        let mut checks = files.iter().flat_map(|file| &file.checks);
        let known = warm_ups.any(|table| expects_identity(&table))
            || checks.any(|check| requests(&check.table).iter().any(expects_identity));
        if known || whole.platforms.is_empty() {
            return;
        }
        let place = if whole.main.has("warmup") {
            whole.main.key_place("warmup")
        } else {
            first.place.clone()
        };
        let message = "nothing here tells the new version from the old one";
        let help = "while the old version still answers, it is judged in place of the new one; add to [warmup]:\n\
                    get = \"/version\"\n\
                    expect.json.commit = \"{{ deploy.commit }}\"";
        self.problems.warn(place, message, help);
    }

    /// Warns where no check looks behind the home page.
    pub(super) fn only_home(&mut self, whole: &Whole<'_, '_>, files: &[FileChecks<'_>]) {
        let mut checks = files.iter().flat_map(|file| &file.checks).peekable();
        let Some(first) = checks.peek().map(|check| check.place.clone()) else {
            return;
        };
        if !whole.platforms.is_empty() && checks.all(is_home) {
            let help = "a home page often stands while what is behind it does not: check what people come for, too";
            self.problems.warn(first, "only the home page is checked", help);
        }
    }

    /// Warns of secrets, variables and captured values that nothing names.
    pub(super) fn unused(&mut self, whole: &Whole<'_, '_>, files: &[FileChecks<'_>]) {
        let included: Vec<Table<'_>> = whole.included.iter().map(Document::table).collect();
        let roots: Vec<&Table<'_>> = std::iter::once(whole.main).chain(&included).collect();
        let named: Vec<BTreeSet<String>> = roots.iter().map(|root| placeholders(root)).collect();
        let everywhere: BTreeSet<&str> = named.iter().flatten().map(String::as_str).collect();
        for key in whole.main.child("secrets").iter().flat_map(Table::keys) {
            if !everywhere.contains(format!("secret.{}", key.name).as_str()) {
                let message = format!("nothing uses the secret `{}`", key.name);
                let help = format!("take it out, or name it: `{{{{ secret.{} }}}}`", key.name);
                self.problems.warn(key.place, message, help);
            }
        }
        for (root, named) in roots.iter().zip(&named) {
            self.unused_vars(root, named);
        }
        for check in files.iter().flat_map(|file| &file.checks) {
            self.unused_captures(check, &everywhere);
        }
    }

    fn unused_vars(&mut self, root: &Table<'_>, named: &BTreeSet<String>) {
        let envs = root.child("env").map(|envs| envs.entries()).unwrap_or_default();
        let in_envs = envs.iter().filter_map(|(_, node)| node.as_table()?.child("vars"));
        let mut seen = BTreeSet::new();
        for table in root.child("vars").into_iter().chain(in_envs) {
            for key in table.keys() {
                if !named.contains(&format!("vars.{}", key.name)) && seen.insert(key.name) {
                    let message = format!("nothing in this file uses the variable `{}`", key.name);
                    let help = format!("take it out, or name it: `{{{{ vars.{} }}}}`", key.name);
                    self.problems.warn(key.place, message, help);
                }
            }
        }
    }

    fn unused_captures(&mut self, check: &RawCheck<'_>, everywhere: &BTreeSet<&str>) {
        let within = placeholders(&check.table);
        for request in requests(&check.table) {
            // What stands in `[defaults]` is for all checks, of which some may not need it.
            let Some(captures) = request.child("capture").filter(|_| request.has_own("capture")) else {
                continue;
            };
            for key in captures.keys().into_iter().filter(|key| captures.has_own(key.name)) {
                let elsewhere = format!("{}.{}", check.name, key.name);
                if within.contains(key.name) || everywhere.contains(elsewhere.as_str()) {
                    continue;
                }
                let message = format!("nothing uses `{}`, which check \"{}\" captures", key.name, check.group);
                let help = if check.name == check.group {
                    format!(
                        "name it, `{{{{ {elsewhere} }}}}`, or take it out; that a value is there is what `expect` can say"
                    )
                } else {
                    "it is captured by each check of the list, and none of them can be named: take it out".to_owned()
                };
                self.problems.warn(key.place, message, help);
            }
        }
    }
}

/// The tables of a check that each describe a request: its own, and those of its steps.
fn requests<'a>(check: &Table<'a>) -> Vec<Table<'a>> {
    let steps = STEP_KEYS.iter().filter_map(|key| check.peek(key)?.as_array());
    let steps = steps.flatten().filter_map(|node| node.as_table());
    std::iter::once(check.clone()).chain(steps).collect()
}

fn expects_identity(request: &Table<'_>) -> bool {
    let expected = request
        .child("expect")
        .map(|table| placeholders(&table))
        .unwrap_or_default();
    IDENTITY_SLOTS.iter().any(|slot| expected.contains(*slot))
}

/// Whether a check asks for nothing but `/`.
fn is_home(check: &RawCheck<'_>) -> bool {
    let Some(target) = request_target(&check.table).and_then(|node| node.as_str()) else {
        return false;
    };
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => target.trim_start_matches('/'),
    };
    path.is_empty() || path.starts_with(['?', '#'])
}

/// Every placeholder that stands in a text of `table`, however deep.
fn placeholders(table: &Table<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left: Vec<Node<'_>> = table.entries().into_iter().map(|(_, node)| node).collect();
    while let Some(node) = left.pop() {
        match node.value() {
            Value::String(text) if text.contains("{{") => {
                let template = Template::parse(text);
                found.extend(template.iter().flat_map(Template::slots).map(str::to_owned));
            }
            Value::Array(items) => left.extend(items),
            Value::Table(table) => left.extend(table.entries().into_iter().map(|(_, node)| node)),
            _ => {}
        }
    }
    found
}
