//! A sign of life for an external dead-man switch: who watches us is told by our silence.
//!
//! It is given only while the store can be written and the dispatcher takes its turn, so that an agent which is up and does
//! nothing is noticed as one that is down.

use std::time::Duration;

use http::Method;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::handle::Command;
use crate::config;
use crate::http::{Client, Trust};
use crate::step::Request;
use crate::store::Store;

/// How long the dispatcher, and whoever is told, may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// What is read of an answer, in bytes: nothing in it matters.
const ANSWER_BYTES_MAX: usize = 1024;

/// Gives signs of life.
pub(super) struct Heart {
    pub(super) config: config::Heartbeat,
    pub(super) store: Store,
    pub(super) client: Client,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) stop: CancellationToken,
}

impl Heart {
    /// Beats until stopped.
    pub(super) async fn run(self) {
        let mut well = true;
        loop {
            let beat = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                beat = self.beat() => beat,
            };
            // Told when it changes, and not each time.
            match &beat {
                Err(why) if well => tracing::warn!(why, host = self.config.address.host(), "no sign of life was given"),
                Ok(()) if !well => tracing::info!("signs of life are given again"),
                _ => {}
            }
            well = beat.is_ok();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(self.config.every) => {}
            }
        }
    }

    async fn beat(&self) -> Result<(), String> {
        self.store.writable().await.map_err(|error| error.to_string())?;
        let (reply, alive) = oneshot::channel();
        let asked = async {
            self.commands.send(Command::Alive { reply }).await.ok()?;
            alive.await.ok()
        };
        match timeout(ANSWER_MAX, asked).await {
            Ok(Some(())) => {}
            Ok(None) | Err(_) => return Err("the dispatcher does not answer".to_owned()),
        }
        let request = Request {
            body_bytes_max: ANSWER_BYTES_MAX,
            cut_body: true,
            carries_credentials: true,
            ..Request::new(Method::GET, self.config.address.expose().clone(), ANSWER_MAX)
        };
        match self.client.send(&request, Trust::Configured).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status)),
            Err(failure) => Err(failure.detail),
        }
    }
}
