//! Whom checks reach: apps that no check may roll back, and checks that reach every app.

use std::collections::{BTreeMap, BTreeSet};

use super::Whole;
use crate::config::assemble::FileChecks;
use crate::config::checks::RawCheck;
use crate::config::read::Reader;
use crate::config::when::{Names, When};
use crate::domain::{Glob, Mode, Severity};
use crate::ingest::SecretSet;

/// No more pairs of app and environment are looked at.
const PAIRS_MAX: usize = 10_000;

impl Reader<'_> {
    /// Warns where no critical check may be sent again: one answer alone rolls nothing back.
    pub(super) fn alone(&mut self, whole: &Whole<'_, '_>, files: &[FileChecks<'_>]) {
        const HELP: &str = "add a check that reads, or `repeat = true` if it is safe to send again";
        let all = files.iter().flat_map(|file| &file.checks);
        let critical: Vec<&RawCheck<'_>> = all.filter(|check| check.severity == Severity::Critical).collect();
        if let Some(first) = unrepeated(&critical) {
            let message = match critical.as_slice() {
                [only] => format!(
                    "the only critical check, \"{}\", cannot roll back on its own",
                    only.name
                ),
                _ => format!("none of the critical checks, {}, can roll back", listed(&critical)),
            };
            self.problems.warn(first.place.clone(), message, HELP);
            return;
        }
        // Several apps with the same checks are one warning.
        let mut found: BTreeMap<Vec<&str>, (String, Vec<&RawCheck<'_>>)> = BTreeMap::new();
        for (app, env) in audiences(whole, files).into_iter().take(PAIRS_MAX) {
            let reached = reached(files, app, env);
            if unrepeated(&reached).is_some() {
                let names = reached.iter().map(|check| check.name.as_str()).collect();
                let who = if env.is_empty() {
                    format!("\"{app}\"")
                } else {
                    format!("\"{app}\" in \"{env}\"")
                };
                found.entry(names).or_insert((who, reached));
            }
        }
        for (who, checks) in found.into_values() {
            let message = match checks.as_slice() {
                [only] => format!(
                    "the only critical check of {who}, \"{}\", cannot roll back on its own",
                    only.name
                ),
                _ => format!(
                    "none of the critical checks of {who}, {}, can roll back",
                    listed(&checks)
                ),
            };
            if let Some(first) = checks.first() {
                self.problems.warn(first.place.clone(), message, HELP);
            }
        }
    }

    /// Warns of checks that are for every app where that is likely not meant: there are several, or all may be rolled
    /// back.
    pub(super) fn for_everybody(&mut self, whole: &Whole<'_, '_>, files: &[FileChecks<'_>]) {
        let for_all = |file: &FileChecks<'_>| {
            file.scope.when.is_any()
                && file
                    .checks
                    .iter()
                    .any(|check| check.when.is_any() && check.base.is_none())
        };
        let several = whole.platforms.len() > 1 || known_apps(whole, files).len() > 1;
        for file in files.iter().filter(|file| !file.scope.main && several && for_all(file)) {
            if let Some(check) = file.checks.iter().find(|check| check.when.is_any()) {
                let message = "no `when` says which app the checks of this file are for: every app gets them";
                let help =
                    "write it at the top of the file: `when.app = \"shop\"`; if all are meant, `when.app = \"*\"`";
                self.problems.warn(check.place.source().start(), message, help);
            }
        }
        let acts = whole.settings.mode == Mode::AutoRollback;
        if files.first().is_some_and(|main| acts && for_all(main)) {
            let message = "every app may be rolled back, and no `when` says which app the checks of this file are for";
            let help = "write it at the top of the file, `when.app = \"shop\"`, or turn it on app by app: `[[policy]]` with `when.app` and this `mode`";
            self.problems.warn(whole.main.key_place("mode"), message, help);
        }
    }
}

/// The first of `checks` if none of them may be sent again.
fn unrepeated<'c, 'a>(checks: &[&'c RawCheck<'a>]) -> Option<&'c RawCheck<'a>> {
    let none = checks.iter().all(|check| !check.repeat);
    checks.first().copied().filter(|_| none)
}

fn listed(checks: &[&RawCheck<'_>]) -> String {
    let names: Vec<String> = checks.iter().map(|check| format!("\"{}\"", check.name)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// The critical checks that may apply to `app` in `env`; branches and platforms are taken to match.
fn reached<'f, 'a>(files: &'f [FileChecks<'a>], app: &str, env: &str) -> Vec<&'f RawCheck<'a>> {
    let holds = |when: &When| when.app.matches(app) && (env.is_empty() || when.env.matches(env));
    let in_file = files.iter().filter(|file| holds(&file.scope.when));
    in_file
        .flat_map(|file| &file.checks)
        .filter(|check| check.severity == Severity::Critical && holds(&check.when))
        .collect()
}

/// The apps that a `when` names, each in each environment that one names; the environment is empty if none is named.
fn audiences<'w>(whole: &'w Whole<'_, '_>, files: &'w [FileChecks<'_>]) -> Vec<(&'w str, &'w str)> {
    let whens: Vec<&When> = whens(whole, files).collect();
    let named = |names: fn(&When) -> &Names| -> BTreeSet<&'w str> {
        whens.iter().flat_map(|when| exact(&names(when).any)).collect()
    };
    let apps = named(|when| &when.app);
    let mut envs = named(|when| &when.env);
    if envs.is_empty() {
        envs.insert("");
    }
    let pairs = apps.iter().flat_map(|app| envs.iter().map(|env| (*app, *env)));
    pairs.collect()
}

/// The apps that the config names.
fn known_apps<'w>(whole: &'w Whole<'_, '_>, files: &'w [FileChecks<'_>]) -> BTreeSet<&'w str> {
    let by_when = whens(whole, files).flat_map(|when| exact(&when.app.any));
    let by_secret = whole.platforms.values().flat_map(|platform| match &platform.secrets {
        SecretSet::PerApp(apps) => apps.keys().map(String::as_str).collect(),
        SecretSet::Any(_) => Vec::new(),
    });
    by_when.chain(by_secret).collect()
}

fn whens<'w>(whole: &'w Whole<'_, '_>, files: &'w [FileChecks<'_>]) -> impl Iterator<Item = &'w When> {
    let of_files = files.iter().map(|file| &file.scope.when);
    let of_checks = files.iter().flat_map(|file| &file.checks).map(|check| &check.when);
    let of_policies = whole.policies.iter().map(|policy| &policy.when);
    of_files.chain(of_checks).chain(of_policies)
}

fn exact(globs: &[Glob]) -> impl Iterator<Item = &str> {
    globs.iter().filter(|glob| glob.is_exact()).map(Glob::as_str)
}
