//! One file's checks with what holds for them together: `when`, `base`, `[vars]` and `[env.X]`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;
use url::Url;

use super::read::Reader;
use super::when::{When, read_when};
use crate::check::Check;
use crate::document::{Node, Problems, Table, Value};
use crate::domain::{CheckName, Deployment, Glob};
use crate::step::{Template, read_headers};

/// One file of checks.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The file's path.
    pub path: String,
    /// For which deployments its checks are.
    pub when: When,
    /// Its base address, if it has one.
    pub base: Option<Url>,
    /// Its checks, in source order.
    pub checks: Vec<ScopedCheck>,
    /// Whether it is the main file, whose base address is the run's and not only its own checks'.
    pub(super) main: bool,
    pub(super) vars: Vars,
    pub(super) envs: Vec<EnvOverride>,
}

/// A check of a file.
#[derive(Clone, Debug)]
pub struct ScopedCheck {
    /// For which of the file's deployments it is.
    pub when: When,
    /// The check.
    pub check: Arc<Check>,
}

/// Whose address a request goes to, as far as the config tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The base address's, or the one of the platform.
    Base,
    /// A whole address that stands in the config.
    Configured,
    /// A whole address with placeholders in its host: whoever fills them in chooses it.
    Templated,
}

impl Origin {
    /// Where a step with this target goes.
    pub(super) fn of(target: &str) -> Self {
        let Some((scheme, rest)) = target.split_once("://") else {
            return Self::Base;
        };
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if scheme.contains('/') {
            Self::Base
        } else if scheme.contains("{{") || host.contains("{{") {
            Self::Templated
        } else {
            Self::Configured
        }
    }
}

/// Values for `{{ vars.X }}`.
pub(super) type Vars = BTreeMap<String, serde_json::Value>;

/// `[env.X]`: what differs in an environment.
#[derive(Clone, Debug)]
pub(super) struct EnvOverride {
    pub(super) env: Glob,
    pub(super) base: Option<Url>,
    pub(super) vars: Vars,
    /// Headers of each request to the base address.
    pub(super) headers: Vec<(HeaderName, Template)>,
}

impl Scope {
    /// The base address of this file for `deployment`: its `[env.X]`'s, else its own.
    pub(super) fn base_for(&self, deployment: &Deployment) -> Option<&Url> {
        let of_env = self.overrides(deployment).find_map(|env| env.base.as_ref());
        of_env.or(self.base.as_ref())
    }

    /// The checks that apply to `deployment`. `preview_named` says that a policy names its preview environment.
    pub(super) fn checks_for(
        &self,
        deployment: &Deployment,
        preview_named: bool,
    ) -> impl Iterator<Item = &ScopedCheck> {
        let in_file = self.when.matches(deployment);
        let file_names = !deployment.preview || preview_named || self.when.names_preview(deployment);
        self.checks.iter().filter(move |check| {
            in_file && check.when.matches(deployment) && (file_names || check.when.names_preview(deployment))
        })
    }

    /// The check as it is for `deployment`: with this file's base address, unless it has its own or the run's is meant, and
    /// with the headers of the environment.
    pub(super) fn check_at(&self, check: &ScopedCheck, deployment: &Deployment) -> Arc<Check> {
        let own_base = self.main || check.check.base.is_some();
        let base = self.base_for(deployment).filter(|_| !own_base);
        let headers: Vec<_> = self.overrides(deployment).flat_map(|env| &env.headers).collect();
        if base.is_none() && headers.is_empty() {
            return Arc::clone(&check.check);
        }
        let mut at = Check::clone(&check.check);
        at.base = base.cloned().or(at.base);
        for step in at.script.all_mut().filter(|step| !step.send.target.is_absolute()) {
            for (name, value) in &headers {
                // The check's own header holds, and then the first environment's.
                if !step.send.headers.iter().any(|(own, _)| own == name) {
                    step.send.headers.push((name.clone(), value.clone()));
                }
            }
        }
        Arc::new(at)
    }

    /// The check of this name.
    pub(super) fn find(&self, name: &CheckName) -> Option<&ScopedCheck> {
        self.checks.iter().find(|check| &check.check.name == name)
    }

    /// The file's `{{ vars.X }}` for `deployment`.
    pub(super) fn vars_for(&self, deployment: &Deployment) -> Vars {
        let mut vars = self.vars.clone();
        // The first override that matches wins, so it is written last.
        let overrides: Vec<&EnvOverride> = self.overrides(deployment).collect();
        for env in overrides.into_iter().rev() {
            vars.extend(env.vars.clone());
        }
        vars
    }

    /// Whether `{{ vars.NAME }}` is known in every environment.
    pub(super) fn has_var(&self, name: &str) -> bool {
        self.vars.contains_key(name) || self.envs.iter().any(|env| env.vars.contains_key(name))
    }

    fn overrides(&self, deployment: &Deployment) -> impl Iterator<Item = &EnvOverride> {
        self.envs.iter().filter(|env| env.env.matches(&deployment.environment))
    }
}

impl Reader<'_> {
    /// Reads what holds for one file; its checks are read later. `base` was read already.
    pub(super) fn scope(&mut self, root: &mut Table<'_>, base: Option<Url>, main: bool) -> Scope {
        let when = read_when(root, &mut self.problems);
        let vars = root.table("vars", &mut self.problems);
        Scope {
            path: root.source().path.clone(),
            when,
            base,
            checks: Vec::new(),
            main,
            vars: vars.map_or_else(Vars::new, |table| read_vars(table, &mut self.problems)),
            envs: self.envs(root),
        }
    }

    /// A placeholder in an environment's headers: a secret, since all else is known only later.
    fn env_slot(&mut self, slot: &str, entry: &Table<'_>) {
        let place = entry.key_place("headers");
        match slot.strip_prefix("secret.") {
            Some(name) => drop(self.secrets.get(name, &place, &mut self.problems)),
            None => {
                let message = format!("`{slot}` cannot stand in the headers of {}", entry.label());
                self.problems.push_help(place, message, "only `{{ secret.NAME }}` can");
            }
        }
    }

    fn envs(&mut self, root: &mut Table<'_>) -> Vec<EnvOverride> {
        let Some(mut table) = root.table("env", &mut self.problems) else {
            return Vec::new();
        };
        let mut envs = Vec::new();
        for (key, node) in table.take_all() {
            let Some(entry) = node.table(&mut self.problems) else {
                continue;
            };
            let mut entry = entry.labelled(format!("[env.{}]", key.name));
            let base = self.base(&mut entry);
            let vars = entry.table("vars", &mut self.problems);
            let vars = vars.map_or_else(Vars::new, |table| read_vars(table, &mut self.problems));
            let headers = read_headers(&mut entry, &mut self.problems).unwrap_or_default();
            for slot in headers.iter().flat_map(|(_, template)| template.slots()) {
                self.env_slot(slot, &entry);
            }
            entry.finish(&mut self.problems, &[("url", "base"), ("header", "headers")]);
            envs.push(EnvOverride {
                env: Glob::new(key.name),
                base,
                vars,
                headers,
            });
        }
        envs
    }
}

fn read_vars(mut table: Table<'_>, problems: &mut Problems) -> Vars {
    let mut vars = Vars::new();
    for (key, node) in table.take_all() {
        if is_plain(&node) {
            vars.insert(key.name.to_owned(), node.to_json());
        } else {
            let message = format!(
                "{} must be a string, a number or a boolean without placeholders",
                node.label()
            );
            problems.push(node.place(), message);
        }
    }
    vars
}

fn is_plain(node: &Node<'_>) -> bool {
    match node.value() {
        Value::String(text) => !text.contains("{{"),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => true,
        Value::Array(_) | Value::Table(_) => false,
    }
}
