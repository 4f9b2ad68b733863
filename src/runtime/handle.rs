//! What the rest of the program may ask of the running agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::domain::RunId;

/// What a [`Handle`] sends to the dispatcher.
pub(crate) enum Command {
    /// Deliveries were stored that no run has taken yet.
    DeliveriesArrived,
    /// A message was queued again.
    OutboxChanged,
    /// A person wants a run to end.
    Cancel {
        run: RunId,
        reply: oneshot::Sender<Result<(), CancelError>>,
    },
}

/// Talks to the running agent. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    draining: Arc<AtomicBool>,
}

/// Why a run was not cancelled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// No run of this id is under way.
    #[error("no run `{0}` is under way; `backstop runs` lists them")]
    NotUnderWay(RunId),
    /// A call to the platform is in flight; its effect must be known first.
    #[error("run `{0}` has asked the platform to roll back; it ends when the platform's answer is known")]
    CallInFlight(RunId),
    /// The agent is stopping.
    #[error("the agent is stopping; ask again when it is back")]
    Stopping,
}

impl Handle {
    /// A handle and the dispatcher's end of it. At most `commands_max` commands wait.
    pub(crate) fn new(commands_max: usize) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(commands_max);
        (
            Self {
                commands,
                draining: Arc::new(AtomicBool::new(false)),
            },
            receiver,
        )
    }

    /// Says that deliveries were stored. Never waits: a full queue already holds such a word.
    pub fn deliveries_arrived(&self) {
        let _ = self.commands.try_send(Command::DeliveriesArrived);
    }

    /// Says that a message was queued again. Never waits.
    pub fn outbox_changed(&self) {
        let _ = self.commands.try_send(Command::OutboxChanged);
    }

    /// Ends a run without a verdict.
    ///
    /// # Errors
    /// When no such run is under way, or its rollback call is in flight.
    pub async fn cancel(&self, run: &RunId) -> Result<(), CancelError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Cancel {
            run: run.clone(),
            reply,
        };
        self.commands.send(command).await.map_err(|_| CancelError::Stopping)?;
        answer.await.map_err(|_| CancelError::Stopping)?
    }

    /// Whether the agent is stopping: `/readyz` then says no.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
