//! `backstop lint`: every problem in config files.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::Exit;
use super::args::{Format, LintArgs};
use crate::config::{self, SystemEnv};
use crate::document::{Level, Problem};
use crate::store;

/// Names every problem and warning; `Config` if there is a problem in any file, or with `--strict` a warning.
pub(super) fn run(args: &LintArgs) -> Exit {
    let mut exit = Exit::Ok;
    let mut read: BTreeSet<String> = BTreeSet::new();
    let mut told: Vec<Problem> = Vec::new();
    for file in &args.files {
        // A file that another one includes is no config of its own.
        if read.contains(&file.display().to_string()) {
            continue;
        }
        let (good, found) = match config::load(file, &SystemEnv) {
            Ok(config) => {
                read.extend(config.sources.iter().map(|source| source.path.clone()));
                let found = warnings(&config);
                let good = summary(&config, found.len());
                (Some(good), found)
            }
            Err(found) => (None, found),
        };
        let grave = |problem: &&Problem| args.strict || problem.level == Level::Error;
        if good.is_none() || found.iter().any(|problem| grave(&problem)) {
            exit = Exit::Config;
        }
        let new: Vec<&Problem> = found.iter().filter(|problem| !told.contains(problem)).collect();
        match args.format {
            Format::Json => {
                for problem in new {
                    println!("{}", as_json(problem));
                }
            }
            Format::Text => {
                for problem in new {
                    eprintln!("{problem}\n");
                }
                match good {
                    Some(good) => println!("{}: {good}", file.display()),
                    None => eprintln!("{}: {}", file.display(), tally(&found)),
                }
            }
        }
        told.extend(found);
    }
    exit
}

/// Loads a config, or prints every problem in it.
pub(super) fn read(file: &Path) -> Result<config::Config, ()> {
    config::load(file, &SystemEnv).map_err(|problems| {
        for problem in &problems {
            eprintln!("{problem}\n");
        }
        eprintln!("{}: {}", file.display(), tally(&problems));
    })
}

/// What is doubtful in a config, also in view of what was deployed so far.
fn warnings(config: &config::Config) -> Vec<Problem> {
    let mut found = config.warnings.clone();
    if let Some(seen) = store::names_seen(&config.store_url) {
        found.extend(config.never_seen(&seen.apps, &seen.environments));
        found.sort_by_key(|problem| {
            let file = config.sources.iter().position(|source| source.path == problem.path);
            (file, problem.span.start, problem.span.end)
        });
    }
    found
}

fn as_json(problem: &Problem) -> serde_json::Value {
    json!({
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "end_column": problem.end_column(),
        "level": match problem.level {
            Level::Error => "error",
            Level::Warning => "warning",
        },
        "message": problem.message,
        "help": problem.help,
    })
}

/// `3 problems, 1 warning`.
fn tally(found: &[Problem]) -> String {
    let warnings = found.iter().filter(|problem| problem.level == Level::Warning).count();
    let problems = count(found.len() - warnings, "problem");
    if warnings == 0 {
        problems
    } else {
        format!("{problems}, {}", count(warnings, "warning"))
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// What a config is about, in one line.
fn summary(config: &config::Config, warnings: usize) -> String {
    let parts = [
        count(config.checks().count(), "check"),
        count(config.platforms.len(), "platform"),
        count(config.policies.len(), "policy").replace("policys", "policies"),
        count(config.endpoints.len(), "outcome endpoint"),
        count(warnings, "warning"),
    ];
    format!("good: {}", parts.join(", "))
}
