//! The config, read again when it changes on disk or when somebody asks: a good one comes into force, a bad one is refused
//! and told of, and the one before stays.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::protection::{CONFIG, Protection};
use crate::config::{Config, ConfigFile, Level, Problem};
use crate::store::Store;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Reads the config again.
pub(super) struct Reloader {
    pub(super) file: ConfigFile,
    pub(super) config: Arc<ArcSwap<Config>>,
    pub(super) store: Store,
    pub(super) protection: Protection,
    /// Somebody asks for it.
    pub(super) asked: Arc<Notify>,
    /// Told when another config is in force.
    pub(super) changed: watch::Sender<()>,
    pub(super) stop: CancellationToken,
}

/// What was read last, so that the same is told once.
#[derive(Debug, PartialEq, Eq)]
enum Last {
    Good,
    Refused(Vec<Problem>),
}

impl Reloader {
    /// Looks until stopped.
    pub(super) async fn run(self) {
        // What an agent before this one was told of is over: it started with a good one.
        let mut told = self.protection.restored(CONFIG, "the config is good").await.is_ok();
        let mut last = Last::Good;
        loop {
            let asked = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.asked.notified() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let read = self.read().await;
            let now = match &read {
                Ok(_) => Last::Good,
                Err(problems) => Last::Refused(problems.clone()),
            };
            if now == last && told && !asked && !self.is_news(&read) {
                continue;
            }
            told = match read {
                Ok(config) => self.take(config, asked).await,
                Err(problems) => self.refuse(&problems).await,
            };
            last = now;
        }
    }

    async fn read(&self) -> Result<Config, Vec<Problem>> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || file.read()).await;
        // It panicked, or the runtime ends; then nothing is read, and the next look tells.
        read.unwrap_or_else(|_| Err(Vec::new()))
    }

    fn is_news(&self, read: &Result<Config, Vec<Problem>>) -> bool {
        read.as_ref().is_ok_and(|config| !config.is_same(&self.config.load()))
    }

    /// Puts a config in force. A run keeps the checks it began with, so its text is kept before any run begins with it.
    async fn take(&self, config: Config, asked: bool) -> bool {
        let before = self.config.load_full();
        if config.is_same(&before) {
            if asked {
                tracing::info!("the config was read again: nothing has changed");
            }
            return self.tell_good().await;
        }
        if let Err(error) = self.store.save_config(&config.hash, &config.snapshot()).await {
            tracing::warn!(error = %error, "the new config could not be kept, so the one before stays in force; trying again");
            return false;
        }
        for setting in before.needs_restart(&config) {
            tracing::warn!(setting, "this setting is read at start only: restart for its new value");
        }
        for warning in &config.warnings {
            tracing::warn!("{}", warning.message);
        }
        let checks = config.checks().count();
        self.config.store(Arc::new(config));
        // Nobody listens if the agent stops.
        let _ = self.changed.send(());
        tracing::info!(checks, "a new config is in force");
        self.tell_good().await
    }

    async fn tell_good(&self) -> bool {
        let told = self.protection.restored(CONFIG, "the config is good again").await;
        told.inspect_err(|error| tracing::warn!(error = %error, "it could not be told; trying again"))
            .is_ok()
    }

    /// Keeps the one before, and says why.
    async fn refuse(&self, problems: &[Problem]) -> bool {
        let errors: Vec<&Problem> = problems
            .iter()
            .filter(|problem| problem.level == Level::Error)
            .collect();
        for problem in &errors {
            tracing::error!(file = problem.path, line = problem.line, "{}", problem.message);
        }
        let Some(first) = errors.first() else { return true };
        let reason = format!(
            "{} is refused, and the config before it stays in force. {} to mend, the first at {}:{}: {}. `backstop lint` shows all",
            self.file.path().display(),
            if errors.len() == 1 {
                "1 problem".to_owned()
            } else {
                format!("{} problems", errors.len())
            },
            first.path,
            first.line,
            first.message
        );
        if !self.config.load().may_roll_back() {
            tracing::error!("{reason}");
            return true;
        }
        let told = self.protection.lost(CONFIG, &reason).await;
        told.inspect_err(|error| tracing::warn!(error = %error, "it could not be told; trying again"))
            .is_ok()
    }
}
