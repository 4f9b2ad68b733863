//! What runs beside the dispatcher as the config says: reading the platforms' lists, seeing to their webhooks, trying what a
//! rollback needs, signs of life, sending traces. It is begun anew with each config.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::export::Exporter;
use super::handle::Command;
use super::heartbeat::Heart;
use super::perform::{Performer, Platforms};
use super::protection::{Protection, Sentinel};
use super::reconcile::Reconciler;
use super::subscribe::Subscriber;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::AgentId;
use crate::http::Client;
use crate::platform::{Account, Platform};

/// What the services are made of.
pub(super) struct Services {
    pub(super) agent: AgentId,
    pub(super) performer: Performer,
    pub(super) protection: Protection,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) stop: CancellationToken,
    pub(super) exporter: Arc<Exporter>,
}

impl Services {
    /// Runs them until stopped; with a new config, new ones.
    pub(super) async fn run(self, mut changed: watch::Receiver<()>) {
        loop {
            let stop = self.stop.child_token();
            let mut group = self.begin(&stop);
            let died = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                again = changed.changed() => again.err().map(|_| None),
                Some(ended) = group.join_next() => Some(ended.err()),
            };
            let goes_on = died.is_none() && !self.stop.is_cancelled();
            stop.cancel();
            while group.join_next().await.is_some() {}
            if let Some(Some(error)) = died.filter(|_| !self.stop.is_cancelled()) {
                // Whoever watches this task sees it die of the same.
                std::panic::resume_unwind(error.into_panic());
            }
            if !goes_on {
                return;
            }
            let config = self.performer.config.load_full();
            let platforms = platforms(&config, &self.performer.client, &self.performer.clock);
            self.performer.platforms.store(Arc::new(platforms));
        }
    }

    fn begin(&self, stop: &CancellationToken) -> JoinSet<()> {
        let config = self.performer.config.load_full();
        let mut group = JoinSet::new();
        if let Some(config) = config.heartbeat.clone() {
            let heart = Heart {
                config,
                store: self.performer.store.clone(),
                client: self.performer.client.clone(),
                commands: self.commands.clone(),
                stop: stop.clone(),
            };
            group.spawn(heart.run());
        }
        if config.telemetry.is_some() {
            group.spawn(Arc::clone(&self.exporter).run(stop.clone()));
        }
        for (name, platform) in &config.platforms {
            let reconciler = Reconciler {
                agent: self.agent.clone(),
                platform: name.clone(),
                every: platform.reconcile_every,
                performer: self.performer.clone(),
                notices: self.protection.notices.clone(),
                commands: self.commands.clone(),
                stop: stop.clone(),
            };
            group.spawn(reconciler.run());
            let subscriber = Subscriber {
                platform: name.clone(),
                performer: self.performer.clone(),
                stop: stop.clone(),
            };
            group.spawn(subscriber.run());
        }
        let sentinel = Sentinel {
            agent: self.agent.clone(),
            performer: self.performer.clone(),
            protection: self.protection.clone(),
            stop: stop.clone(),
        };
        group.spawn(sentinel.run());
        group
    }
}

/// The platforms that a config names, ready to be asked.
pub fn platforms(config: &Config, client: &Client, clock: &Clock) -> Platforms {
    let made = config.platforms.iter().map(|(name, platform)| {
        let account = Account {
            url: platform.url.clone(),
            token: platform.token.clone(),
            requests_per_minute: platform.requests_per_minute,
        };
        let (kind, client, clock) = (platform.kind.clone(), client.clone(), clock.clone());
        let made = Platform::new(name.clone(), kind, account, client, clock);
        (name.clone(), Arc::new(made))
    });
    made.collect()
}
