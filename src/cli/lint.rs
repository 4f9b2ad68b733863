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
                    eprintln!("{}", config.render(warning));
                }
                println!("{}: {}", file.display(), config.summary());
            }
            Err(()) => exit = Exit::Config,
        }
    }
    exit
}

/// Loads a config, or prints every problem in it.
pub(super) fn read(file: &Path) -> Result<config::Config, ()> {
    config::load(file, &SystemEnv).map_err(|problems| {
        eprintln!("{problems}");
    })
}
