//! `--watch`: tests again whenever the config changes, for writing checks.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::once;
use crate::cli::Exit;
use crate::cli::args::TestArgs;
use crate::config::Config;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Tests, waits for a change of any file that was read, and tests again, until Ctrl-C.
pub(super) async fn run(args: &TestArgs) -> anyhow::Result<Exit> {
    loop {
        let mut files = vec![args.config.clone()];
        let before = stamps(&files);
        let (files, before) = match super::super::lint::read(&args.config) {
            Ok(config) => {
                files.extend(sources(&config));
                let before = stamps(&files);
                once(args, config).await?;
                (files, before)
            }
            Err(()) => (files, before),
        };
        eprintln!("\nwaiting for a change of {}; Ctrl-C ends", args.config.display());
        let ended = tokio::select! {
            () = changed(&files, &before) => false,
            signal = tokio::signal::ctrl_c() => signal.is_ok(),
        };
        if ended {
            return Ok(Exit::Ok);
        }
    }
}

fn sources(config: &Config) -> impl Iterator<Item = PathBuf> {
    config.sources.iter().skip(1).map(|source| PathBuf::from(&source.path))
}

/// Of each file, and of the directory it is in, when it was last changed: a new file of `include` changes only the latter.
fn stamps(files: &[PathBuf]) -> Vec<Option<SystemTime>> {
    let stamp = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    files
        .iter()
        .flat_map(|file| [stamp(file), file.parent().and_then(stamp)])
        .collect()
}

async fn changed(files: &[PathBuf], before: &[Option<SystemTime>]) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = stamps(files);
        if now != before {
            // Whoever writes may not be done: wait until nothing has changed for one look.
            let mut last = now;
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let now = stamps(files);
                if now == last {
                    return;
                }
                last = now;
            }
        }
    }
}
