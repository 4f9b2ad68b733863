//! `backstop lint`: every problem in config files.

use std::path::Path;

use super::Exit;
use super::args::LintArgs;
use crate::config::{self, SystemEnv};

/// Names every problem and warning; `Config` if there is a problem in any file.
pub(super) fn run(args: &LintArgs) -> Exit {
    let mut exit = Exit::Ok;
    for file in &args.files {
        match read(file) {
            Ok(config) => {
                for warning in &config.warnings {
                    eprintln!("{warning}\n");
                }
                println!("{}: {}", file.display(), summary(&config));
            }
            Err(()) => exit = Exit::Config,
        }
    }
    exit
}

/// Loads a config, or prints every problem in it.
pub(super) fn read(file: &Path) -> Result<config::Config, ()> {
    config::load(file, &SystemEnv).map_err(|problems| {
        for problem in &problems {
            eprintln!("{problem}\n");
        }
        let s = if problems.len() == 1 { "" } else { "s" };
        eprintln!("{}: {} problem{s}", file.display(), problems.len());
    })
}

/// What a config is about, in one line.
fn summary(config: &config::Config) -> String {
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let parts = [
        count(config.checks().count(), "check"),
        count(config.platforms.len(), "platform"),
        count(config.policies.len(), "policy").replace("policys", "policies"),
        count(config.endpoints.len(), "outcome endpoint"),
        count(config.warnings.len(), "warning"),
    ];
    format!("good: {}", parts.join(", "))
}
