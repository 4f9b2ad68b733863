//! `backstop serve`: the agent, until it is told to stop.

use std::sync::Arc;

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::args::{LogFormat, ServeArgs};
use crate::clock::{Clock, Ids};
use crate::config::{Config, ConfigFile, Env, SystemEnv};
use crate::http::{Client, Network};
use crate::runtime::{Agent, Parts};
use crate::store::Store;
use crate::telemetry::{self, Metrics};
use crate::web;

/// Between two looks at whether a part of the agent has died.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);

/// Runs the agent until SIGTERM or SIGINT; `Failed` if a part of it died.
pub(super) async fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    telemetry::init(match args.log_format {
        LogFormat::Human => telemetry::Format::Human,
        LogFormat::Json => telemetry::Format::Json,
    });
    let Ok(config) = super::lint::read(&args.config) else {
        return Ok(Exit::Config);
    };
    for warning in &config.warnings {
        tracing::warn!("{}", warning.message);
    }
    let mut parts = parts(config, Arc::new(SystemEnv)).await?;
    parts.config_file = Some(ConfigFile::new(args.config.clone(), Arc::clone(&parts.env)));
    // Before anybody is told that we listen: from then on a signal must find us ready to end well.
    let mut signals = StopSignals::new()?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let server = Server::start(&parts).await?;
    let died = wait(&server, &mut signals, &mut hang_up).await;
    let well = server.stop(&parts).await;
    Ok(if well && !died { Exit::Ok } else { Exit::Failed })
}

/// Builds what an agent is made of.
pub(super) async fn parts(config: Config, env: Arc<dyn Env + Send + Sync>) -> anyhow::Result<Parts> {
    let clock = Clock::system();
    let store = Store::open(&config.store_url, clock.clone()).await?;
    let metrics = Metrics::new();
    metrics.started(clock.wall());
    let counted = metrics.clone();
    let store = store.watched(Arc::new(move |operation, took| counted.store(operation.as_str(), took)));
    let network = Network {
        allow: config.network_allow.clone(),
        plain_http: config.plain_http.clone(),
        ..Network::default()
    };
    let client = Client::new(network).context("setting up HTTP")?;
    let config = Arc::new(ArcSwap::from_pointee(config));
    Ok(Parts {
        config,
        store,
        client,
        clock,
        ids: Ids::default(),
        metrics,
        decide: crate::machine::advance,
        env,
        config_file: None,
    })
}

/// A running agent with its listeners.
pub(super) struct Server {
    agent: Agent,
    /// Where deliveries are received.
    pub(super) address: std::net::SocketAddr,
    listeners: Vec<tokio::task::JoinHandle<()>>,
    stop: CancellationToken,
}

impl Server {
    /// Binds, starts the agent, and serves.
    pub(super) async fn start(parts: &Parts) -> anyhow::Result<Self> {
        let config = parts.config.load_full();
        let listener = bind(&config.server.listen).await?;
        let admin = match &config.server.admin_listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let address = listener.local_addr()?;
        let admin_address = admin.as_ref().map(TcpListener::local_addr).transpose()?;
        let agent = Agent::start(parts.clone()).await?;
        let app = web::App::new(
            Arc::clone(&parts.config),
            parts.store.clone(),
            agent.handle.clone(),
            parts.clock.clone(),
            parts.ids.clone(),
            parts.metrics.clone(),
        )
        .with_config_file(parts.config_file.clone());
        let stop = CancellationToken::new();
        let listeners = web::serve(app, listener, admin, &stop);
        let admin_listen = admin_address.map(tracing::field::display);
        tracing::info!(listen = %address, admin_listen, store = %parts.store.place(), "listening");
        Ok(Self {
            agent,
            address,
            listeners,
            stop,
        })
    }

    /// Stops: the agent first, so that a call in flight ends, then the listeners.
    pub(super) async fn stop(self, parts: &Parts) -> bool {
        let well = self.agent.stop().await;
        self.stop.cancel();
        for listener in self.listeners {
            let _ = listener.await;
        }
        parts.store.close().await;
        tracing::info!("stopped");
        well
    }
}

async fn bind(address: &std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listening on {address}"))
}

/// Until a signal to stop comes (`false`) or a part of the agent dies (`true`).
async fn wait(server: &Server, signals: &mut StopSignals, hang_up: &mut Signal) -> bool {
    loop {
        tokio::select! {
            biased;
            () = signals.wait() => break,
            Some(()) = hang_up.recv() => server.agent.reload(),
            () = tokio::time::sleep(LOOK_EVERY) => if server.agent.has_died() { return true },
        }
    }
    tracing::info!("stopping: waiting for calls in flight");
    false
}

/// SIGTERM and SIGINT, which end us well from when this is made.
pub(super) struct StopSignals {
    term: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Until one of them comes.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
