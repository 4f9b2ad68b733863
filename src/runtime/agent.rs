//! The agent: its parts, put together and run until stopped.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Ids};
use crate::config::{self, Config, ConfigFile};
use crate::domain::{AgentId, Timestamp};
use crate::http::Client;
use crate::machine::{Advance, Event, Guard, Plan, RunState};
use crate::outcome::ApprovalKey;
use crate::store::{self, Store};
use crate::telemetry::Metrics;
use crate::telemetry::traces::queue;

use super::courier::Courier;
use super::dispatcher::Dispatcher;
use super::export::{Exporter, State};
use super::handle::{Command, Handle};
use super::lease::{self, lease_ms};
use super::notices::Notices;
use super::perform::{Performer, Platforms};
use super::probe::Prober;
use super::protection::Protection;
use super::recovery::Recovery;
use super::reload::Reloader;
use super::services::{self, Services};
use super::tracer::Tracer;

/// Commands that may wait for the dispatcher.
const COMMANDS_MAX: usize = 1_024;
/// How often what is too old or too much is removed from the store.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);
/// For how long an agent that removed it is the one that does, in milliseconds: until its next time and somewhat more.
const PURGE_DUTY_MS: u64 = 90 * 60 * 1_000;

/// What an agent is made of.
#[derive(Clone)]
pub struct Parts {
    /// The config in force.
    pub config: Arc<ArcSwap<Config>>,
    /// The store.
    pub store: Store,
    /// What calls out.
    pub client: Client,
    /// Time.
    pub clock: Clock,
    /// Ids and seeds.
    pub ids: Ids,
    /// Counters.
    pub metrics: Metrics,
    /// What decides: [`crate::machine::advance`], unless a simulation shows that it would notice a wrong one.
    pub decide: Decide,
    /// Where secrets and files come from, to read the config that an unfinished run began with.
    pub env: Arc<dyn config::Env + Send + Sync>,
    /// The file that the config came from, to be read again when it changes; none for a config that stays.
    pub config_file: Option<ConfigFile>,
}

/// A machine: what follows from an event.
pub type Decide = fn(&Plan, RunState, Event, Timestamp) -> Advance;

/// Why an agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be read.
    #[error("unfinished runs could not be read: {0}")]
    Store(#[from] store::Error),
}

/// A running agent.
pub struct Agent {
    /// How the rest of the program talks to it.
    pub handle: Handle,
    reload: Arc<Notify>,
    /// Kept, so that services which nobody tells of a new config go on.
    _changed: watch::Sender<()>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    /// Sends what is left of traces, when nothing makes any more.
    exporter: Arc<Exporter>,
    /// Stops the lease, which is kept until everything else has ended.
    last: CancellationToken,
    lease: JoinHandle<()>,
}

impl Agent {
    /// Starts an agent: unfinished runs are taken over, then deliveries are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let config = parts.config.load_full();
        parts.metrics.know_guards(Guard::ALL.iter().map(|guard| guard.as_str()));
        parts.store.save_config(&config.hash, &config.snapshot()).await?;
        let made = services::platforms(&config, &parts.client, &parts.clock);
        let platforms = Arc::new(ArcSwap::from_pointee(made));
        let (handle, commands) = Handle::new(COMMANDS_MAX);
        let (stop, outbox) = (CancellationToken::new(), Arc::new(Notify::new()));
        let agent = AgentId::new(parts.ids.next("agt", parts.clock.now()));
        parts.store.enroll(&agent, lease_ms()).await?;
        let (tracer, exporter) = traces(&parts, &agent);
        let performer = performer(&parts, &platforms, tracer);
        let recovery = Recovery {
            agent: agent.clone(),
            performer: performer.clone(),
            env: Arc::clone(&parts.env),
            unsure: Arc::default(),
        };
        let dispatcher = Self::dispatcher(&parts, recovery, &outbox, &stop, commands).await?;
        let protection = protection(&parts, &outbox);
        let courier = courier(&parts, &agent, outbox, &stop);
        let mut tasks = vec![
            dispatcher,
            tokio::spawn(courier.run()),
            tokio::spawn(purge(parts.clone(), agent.clone(), stop.clone())),
        ];
        let (changed, is_changed) = watch::channel(());
        let services = Services {
            agent: agent.clone(),
            performer,
            protection: protection.clone(),
            commands: handle.commands.clone(),
            stop: stop.clone(),
            exporter: Arc::clone(&exporter),
        };
        tasks.push(tokio::spawn(services.run(is_changed)));
        let reload = Arc::new(Notify::new());
        let reloader = reloader(&parts, protection, (&reload, &changed), &stop);
        tasks.extend(reloader.map(|reloader| tokio::spawn(reloader.run())));
        tasks.push(tokio::spawn(hear_others(
            parts.store.clone(),
            handle.commands.clone(),
            stop.clone(),
        )));
        let last = CancellationToken::new();
        let lease = tokio::spawn(lease::keep(
            parts.store.clone(),
            agent,
            parts.metrics.clone(),
            last.clone(),
        ));
        Ok(Self {
            handle,
            reload,
            _changed: changed,
            stop,
            tasks,
            exporter,
            last,
            lease,
        })
    }

    async fn dispatcher(
        parts: &Parts,
        recovery: Recovery,
        outbox: &Arc<Notify>,
        stop: &CancellationToken,
        commands: mpsc::Receiver<Command>,
    ) -> Result<JoinHandle<()>, StartError> {
        let prober = Prober::new(parts.client.clone());
        let (metrics, outbox) = (parts.metrics.clone(), Arc::clone(outbox));
        let approvals = ApprovalKey::new(parts.store.key("approval", parts.ids.key()).await?);
        let ids = parts.ids.clone();
        let (mut dispatcher, inbox) =
            Dispatcher::new(recovery.clone(), prober, approvals, ids, metrics, outbox, stop.clone());
        dispatcher.decide = parts.decide;
        loop {
            let recovered = recovery.take_over().await?;
            if recovered.is_empty() {
                break;
            }
            parts.metrics.runs_taken_over(recovered.len());
            recovered.into_iter().for_each(|recovered| dispatcher.resume(recovered));
        }
        Ok(tokio::spawn(dispatcher.run(inbox, commands)))
    }

    /// Stops: nothing new is begun, calls in flight and commits end first. Returns whether every part ended well.
    pub async fn stop(self) -> bool {
        self.handle.set_draining();
        self.stop.cancel();
        let mut well = true;
        for task in self.tasks {
            well &= ended_well(task).await;
        }
        self.exporter.flush().await;
        self.last.cancel();
        well & ended_well(self.lease).await
    }

    /// Reads the config again now, if it came from a file.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Whether a part has died; then the process should end, so that whatever restarts it can.
    pub fn has_died(&self) -> bool {
        self.tasks.iter().chain([&self.lease]).any(JoinHandle::is_finished)
    }
}

async fn ended_well(task: JoinHandle<()>) -> bool {
    let ended = task.await;
    if let Err(error) = &ended {
        tracing::error!(error = %error, "a part of the agent died");
    }
    ended.is_ok()
}

fn courier(parts: &Parts, agent: &AgentId, wake: Arc<Notify>, stop: &CancellationToken) -> Courier {
    Courier {
        agent: agent.clone(),
        store: parts.store.clone(),
        config: Arc::clone(&parts.config),
        client: parts.client.clone(),
        clock: parts.clock.clone(),
        ids: parts.ids.clone(),
        metrics: parts.metrics.clone(),
        wake,
        stop: stop.clone(),
    }
}

/// What takes spans, and what sends them.
fn traces(parts: &Parts, agent: &AgentId) -> (Tracer, Arc<Exporter>) {
    let (spans, waiting) = queue(parts.metrics.clone());
    let exporter = Exporter {
        agent: agent.clone(),
        config: Arc::clone(&parts.config),
        client: parts.client.clone(),
        metrics: parts.metrics.clone(),
        state: Mutex::new(State::new(waiting)),
    };
    let tracer = Tracer::new(Arc::clone(&parts.config), parts.clock.clone(), spans);
    (tracer, Arc::new(exporter))
}

fn performer(parts: &Parts, platforms: &Arc<ArcSwap<Platforms>>, tracer: Tracer) -> Performer {
    Performer {
        tracer,
        platforms: Arc::clone(platforms),
        store: parts.store.clone(),
        config: Arc::clone(&parts.config),
        client: parts.client.clone(),
        clock: parts.clock.clone(),
    }
}

/// What reads the config again, if it came from a file.
fn reloader(
    parts: &Parts,
    protection: Protection,
    (asked, changed): (&Arc<Notify>, &watch::Sender<()>),
    stop: &CancellationToken,
) -> Option<Reloader> {
    Some(Reloader {
        file: parts.config_file.clone()?,
        config: Arc::clone(&parts.config),
        store: parts.store.clone(),
        protection,
        asked: Arc::clone(asked),
        changed: changed.clone(),
        stop: stop.clone(),
    })
}

fn protection(parts: &Parts, outbox: &Arc<Notify>) -> Protection {
    Protection {
        store: parts.store.clone(),
        notices: Notices {
            config: Arc::clone(&parts.config),
            ids: parts.ids.clone(),
            outbox: Arc::clone(outbox),
        },
        clock: parts.clock.clone(),
    }
}

/// Passes on what other agents call.
async fn hear_others(store: Store, commands: mpsc::Sender<Command>, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = store.called() => drop(commands.send(Command::OthersCalled).await),
        }
    }
}

/// Keeps the store bounded; of several agents, one does.
async fn purge(parts: Parts, agent: AgentId, stop: CancellationToken) {
    loop {
        if let Err(error) = purge_once(&parts, &agent).await {
            tracing::warn!(error = %error, "old rows could not be removed; trying again in an hour");
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PURGE_EVERY) => {}
        }
    }
}

async fn purge_once(parts: &Parts, agent: &AgentId) -> Result<(), store::Error> {
    let config = parts.config.load_full();
    parts.store.save_config(&config.hash, &config.snapshot()).await?;
    if !parts.store.take_duty(agent, "purge", PURGE_DUTY_MS).await? {
        return Ok(());
    }
    let purged = parts.store.purge(parts.clock.now(), config.retention).await?;
    if purged.too_much > 0 {
        tracing::info!(
            removed = purged.too_much,
            "the store was over `max_size`: the oldest of what has ended is gone"
        );
    }
    if purged.over_bytes > 0 {
        tracing::warn!(
            over_bytes = purged.over_bytes,
            "the store is over `max_size`, and nothing is left that may be removed: what is under way, queued or remembered is more"
        );
    }
    Ok(())
}
