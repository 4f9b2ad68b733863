//! What placeholders refer to: values that exist, and checks that run before.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::{NAMESPACES, RawCheck};
use super::read::Reader;
use super::scope::Scope;
use super::secrets::Asker;
use super::values::DEPLOY_VALUES;
use crate::document::{Node, Place, Table, Value, closest};
use crate::domain::CheckName;
use crate::step::{Step, Template};

/// Which placeholders a step may use.
pub(super) enum Slots<'s, 'a> {
    /// All of them: it is a check of this file.
    Check(&'s Scope, &'s RawCheck<'a>),
    /// What is known before any check: it is a warm-up of this file.
    WarmUp(&'s Scope),
    /// What has nothing to do with a deployment: it is a control.
    Control(&'s Scope),
}

impl Slots<'_, '_> {
    fn scope(&self) -> &Scope {
        match self {
            Self::Check(scope, _) | Self::WarmUp(scope) | Self::Control(scope) => scope,
        }
    }
}

/// All checks of all files by name, for what they take from each other.
pub(super) struct Captures {
    /// By check, what it captures.
    by_check: BTreeMap<String, Vec<String>>,
    /// Lists of addresses: several checks, of which none is meant by the name.
    groups: BTreeSet<String>,
}

impl Captures {
    pub(super) fn of<'c, 'a: 'c>(checks: impl Iterator<Item = &'c RawCheck<'a>>) -> Self {
        let mut captures = Self {
            by_check: BTreeMap::new(),
            groups: BTreeSet::new(),
        };
        for check in checks {
            let kept = check.script.steps().flat_map(|step| &step.capture);
            let names = kept.map(|capture| capture.name.clone()).collect();
            captures.by_check.insert(check.name.clone(), names);
            if check.name != check.group {
                captures.groups.insert(check.group.to_owned());
            }
        }
        captures
    }
}

impl Reader<'_> {
    /// Checks every placeholder of `step`, and returns the checks that it takes values from.
    pub(super) fn slots(
        &mut self,
        step: &Step,
        table: &Table<'_>,
        slots: &Slots<'_, '_>,
        captures: &Captures,
    ) -> Vec<CheckName> {
        self.step_slots(step, table, slots, captures, &BTreeSet::new())
    }

    /// The same for all steps of a check, each of which knows what the ones before it capture.
    pub(super) fn script_slots(
        &mut self,
        check: &RawCheck<'_>,
        slots: &Slots<'_, '_>,
        captures: &Captures,
    ) -> Vec<CheckName> {
        let mut needs = Vec::new();
        let mut known = BTreeSet::new();
        for step in check.script.all() {
            needs.extend(self.step_slots(step, &check.table, slots, captures, &known));
            known.extend(step.capture.iter().map(|capture| capture.name.clone()));
        }
        needs
    }

    /// `known` are the values that the steps before this one capture.
    fn step_slots(
        &mut self,
        step: &Step,
        table: &Table<'_>,
        slots: &Slots<'_, '_>,
        captures: &Captures,
        known: &BTreeSet<String>,
    ) -> Vec<CheckName> {
        let mut needs = BTreeSet::new();
        let included = !slots.scope().main;
        self.secrets
            .asked_by(if included { Asker::Included } else { Asker::Main });
        let names: BTreeSet<String> = step.slots().into_iter().collect();
        for name in names.difference(known) {
            let place = place_of(table, name).unwrap_or_else(|| table.place());
            let Some((space, value)) = name.split_once('.') else {
                self.bare_slot(name, &place, slots, captures);
                continue;
            };
            match space {
                "deploy" => self.known_slot(name, &place, slots),
                "secret" => drop(self.secrets.get(value, &place, &mut self.problems)),
                "vars" => self.var_slot(value, &place, slots.scope()),
                "run" => self.known_slot(name, &place, slots),
                "env" => {
                    let help = format!("write `{{{{ secret.{value} }}}}`: it reads the environment variable `{value}`");
                    self.problems
                        .push_help(place, format!("there is no placeholder `{name}`"), help);
                }
                check => {
                    if self.capture_slot(check, value, &place, slots, captures) {
                        needs.insert(check.to_owned());
                    }
                }
            }
        }
        needs.into_iter().map(CheckName::new).collect()
    }

    /// Reads `needs` of a check to the checks that exist.
    pub(super) fn explicit_needs(&mut self, check: &RawCheck<'_>, captures: &Captures) -> Vec<CheckName> {
        let mut needs = Vec::new();
        for (node, name) in &check.needs {
            if *name == check.name {
                self.problems
                    .push(node.place(), format!("check \"{name}\" cannot need itself"));
            } else if captures.by_check.contains_key(*name) {
                needs.push(CheckName::new(*name));
            } else {
                self.unknown_check(name, &node.place(), captures);
            }
        }
        needs
    }

    /// Reports the checks that need each other in a circle, each circle once.
    pub(super) fn cycles<'c, 'a: 'c>(
        &mut self,
        checks: impl Iterator<Item = &'c RawCheck<'a>>,
        needs: &'c BTreeMap<String, Vec<CheckName>>,
    ) {
        let mut done: BTreeSet<&'c str> = BTreeSet::new();
        for check in checks {
            let mut path: Vec<&str> = Vec::new();
            let mut next = Some(check.name.as_str());
            // Depth first by hand: a chain of thousands of checks must not use up the stack.
            let mut left: Vec<(usize, &str)> = Vec::new();
            while let Some(name) = next {
                if let Some(at) = path.iter().position(|seen| *seen == name) {
                    let circle: Vec<&str> = path.iter().skip(at).copied().chain([name]).collect();
                    let message = format!("checks need each other in a circle: {}", circle.join(" → "));
                    self.problems
                        .push_help(check.place.clone(), message, "one of them must do without the other");
                } else if !done.contains(name) {
                    path.push(name);
                    let below = needs.get(name).map(Vec::as_slice).unwrap_or_default();
                    left.extend(below.iter().map(|need| (path.len(), need.as_str())));
                }
                next = left.pop().map(|(depth, name)| {
                    done.extend(path.drain(depth..));
                    name
                });
            }
            done.extend(path);
        }
    }

    fn bare_slot(&mut self, name: &str, place: &Place<'_>, slots: &Slots<'_, '_>, captures: &Captures) {
        if let Slots::Check(_, check) = slots
            && check
                .script
                .all()
                .flat_map(|step| &step.capture)
                .any(|capture| capture.name == name)
        {
            let several = check.script.all().count() > 1;
            let message = if several {
                format!("`{name}` is used before it is captured")
            } else {
                format!("`{name}` is captured from the answer of this same request")
            };
            let help = "a value can be sent only after the answer that it is captured from";
            self.problems.push_help(place.clone(), message, help);
            return;
        }
        let message = format!("there is no placeholder `{name}`");
        let owner = captures
            .by_check
            .iter()
            .find(|(_, names)| names.iter().any(|own| own == name));
        let help = match owner {
            Some((check, _)) => {
                format!("a value of another check is written with its name: `{{{{ {check}.{name} }}}}`")
            }
            None => "known are `deploy.X`, `secret.X`, `vars.X`, `run.id` and `check.capture`".to_owned(),
        };
        self.problems.push_help(place.clone(), message, help);
    }

    /// `deploy.X` and `run.id`.
    fn known_slot(&mut self, name: &str, place: &Place<'_>, slots: &Slots<'_, '_>) {
        if matches!(slots, Slots::Control(_)) {
            let message = format!("`{name}` cannot stand in a control");
            let help = "a control is not part of any deployment; `secret.X` and `vars.X` can stand here";
            self.problems.push_help(place.clone(), message, help);
        } else if name != "run.id" && !DEPLOY_VALUES.contains(&name) {
            let known = DEPLOY_VALUES.iter().copied().chain(["run.id"]);
            let help = closest(name, known.clone()).map_or_else(
                || format!("known are {}", known.collect::<Vec<_>>().join(", ")),
                |word| format!("did you mean `{word}`?"),
            );
            self.problems
                .push_help(place.clone(), format!("there is no placeholder `{name}`"), help);
        }
    }

    fn var_slot(&mut self, name: &str, place: &Place<'_>, scope: &Scope) {
        if !scope.has_var(name) {
            let known = scope.vars.keys().map(String::as_str);
            let help = closest(name, known).map_or_else(
                || format!("add it to this file: `[vars]` with `{name} = \"…\"`"),
                |word| format!("did you mean `vars.{word}`?"),
            );
            self.problems.push_help(
                place.clone(),
                format!("there is no variable `{name}` in this file"),
                help,
            );
        }
    }

    /// `check.capture`; whether both exist.
    fn capture_slot(
        &mut self,
        check: &str,
        value: &str,
        place: &Place<'_>,
        slots: &Slots<'_, '_>,
        captures: &Captures,
    ) -> bool {
        let Slots::Check(_, user) = slots else {
            let message = format!("`{check}.{value}` cannot stand here: no check has run yet");
            self.problems.push_help(
                place.clone(),
                message,
                "known here are `deploy.X`, `secret.X`, `vars.X` and `run.id`",
            );
            return false;
        };
        if user.name == check {
            let help = "a value can be sent only by a check after the one that captures it";
            self.problems
                .push_help(place.clone(), format!("check \"{check}\" cannot need itself"), help);
            return false;
        }
        let Some(names) = captures.by_check.get(check) else {
            self.unknown_check(check, place, captures);
            return false;
        };
        if names.iter().any(|name| name == value) {
            return true;
        }
        let help = match closest(value, names.iter().map(String::as_str)) {
            Some(word) => format!("did you mean `{check}.{word}`?"),
            None => format!("add it there: `capture.{value} = {{ json = \"$.{value}\" }}`"),
        };
        self.problems
            .push_help(place.clone(), format!("check \"{check}\" captures no `{value}`"), help);
        false
    }

    fn unknown_check(&mut self, name: &str, place: &Place<'_>, captures: &Captures) {
        if captures.groups.contains(name) {
            let message = format!("\"{name}\" is a list of several checks");
            self.problems.push_help(
                place.clone(),
                message,
                "write the one that is meant as a check of its own",
            );
            return;
        }
        let known = captures.by_check.keys().map(String::as_str).chain(NAMESPACES);
        let message = format!("there is no check \"{name}\"");
        match closest(name, known) {
            Some(word) => self
                .problems
                .push_help(place.clone(), message, format!("did you mean `{word}`?")),
            None => self.problems.push(place.clone(), message),
        }
    }
}

/// Where the placeholder `slot` stands first in `table`.
fn place_of<'a>(table: &Table<'a>, slot: &str) -> Option<Place<'a>> {
    let mut places: Vec<Place<'a>> = Vec::new();
    let mut left: Vec<Node<'a>> = table.entries().into_iter().map(|(_, node)| node).collect();
    while let Some(node) = left.pop() {
        match node.value() {
            Value::String(text) => {
                let used = Template::parse(text).is_ok_and(|template| template.slots().any(|name| name == slot));
                places.extend(used.then(|| narrowed(&node.place(), slot)));
            }
            Value::Array(items) => left.extend(items),
            Value::Table(table) => left.extend(table.entries().into_iter().map(|(_, node)| node)),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
        }
    }
    places.into_iter().min_by_key(|place| place.span().start)
}

/// The placeholder itself within the text that it stands in; the whole text if it is written with escapes.
fn narrowed<'a>(place: &Place<'a>, slot: &str) -> Place<'a> {
    let text = place.text();
    let spans = text.match_indices("{{").filter_map(|(start, _)| {
        let inner = text.get(start + 2..)?.split_once("}}")?.0;
        (inner.trim_matches(' ') == slot).then_some(start..start + inner.len() + 4)
    });
    let found = spans.into_iter().next();
    found.map_or_else(
        || place.clone(),
        |span| {
            let from = place.span().start;
            place.source().place(from + span.start..from + span.end)
        },
    )
}
