//! What the rest of the program may ask of the running agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::domain::{Approval, Deployment, DeploymentId, Notice, RunId};

/// What a [`Handle`] sends to the dispatcher.
pub(crate) enum Command {
    /// Deliveries were stored that no run has taken yet.
    DeliveriesArrived,
    /// Another agent says that there is news in the store.
    OthersCalled,
    /// A message was queued again.
    OutboxChanged,
    /// A person looks at the approval that a run waits for, or gives it.
    Approval {
        run: RunId,
        by: Approver,
        act: bool,
        reply: oneshot::Sender<Result<Awaiting, ApprovalError>>,
    },
    /// A person starts a run.
    Start {
        app: String,
        environment: Option<String>,
        drill: bool,
        reply: oneshot::Sender<Result<Started, StartRunError>>,
    },
    /// Somebody wants to know whether commands are taken.
    Alive { reply: oneshot::Sender<()> },
    /// Something is live, and no delivery told of it.
    Missed(Box<Deployment>),
    /// The world is to be told of something that no run is about.
    Tell(Notice),
    /// A person orders a rollback.
    Order {
        run: RunId,
        reply: oneshot::Sender<Result<(), OrderError>>,
    },
    /// A person wants a run to end.
    Cancel {
        run: RunId,
        reply: oneshot::Sender<Result<(), CancelError>>,
    },
}

/// Who asks about an approval.
pub enum Approver {
    /// Somebody who may do anything.
    Admin,
    /// Whoever holds this token.
    Token(String),
}

/// A rollback that waits for a person.
#[derive(Clone, Debug)]
pub struct Awaiting {
    /// The app's name.
    pub app: String,
    /// The environment's name.
    pub environment: String,
    /// Why it should be rolled back.
    pub reason: String,
    /// From which version to which, and until when it may be approved.
    pub approval: Approval,
}

/// Why there is nothing to approve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// No such run waits for an approval, or the token is not for what it waits for. Which of both is not told.
    #[error("nothing waits for this approval: it was given, has run out, or never was")]
    NotAwaited,
    /// The agent is stopping.
    #[error("the agent is stopping; ask again when it is back")]
    Stopping,
}

/// A run that a person started.
#[derive(Clone, Debug)]
pub struct Started {
    /// The run.
    pub run: RunId,
    /// The deployment that is live.
    pub deployment: DeploymentId,
}

/// Why a run was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartRunError {
    /// Nothing was ever heard of an app of this name, there.
    #[error(
        "nothing was heard of `{0}` yet; an app is known from its first delivery on, or once it is found in the platform's list"
    )]
    Unknown(String),
    /// It has several environments.
    #[error("`{0}` has more than one environment; say which")]
    Ambiguous(String),
    /// The platform does not say what is live.
    #[error("the platform does not say what is live: {0}")]
    Platform(String),
    /// What is live is being judged.
    #[error("run `{0}` is judging what is live")]
    UnderWay(RunId),
    /// The store cannot be read.
    #[error("the store cannot be read now")]
    Store,
    /// The agent is stopping.
    #[error("the agent is stopping; ask again when it is back")]
    Stopping,
}

/// Why a rollback was not ordered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// There is no such run.
    #[error("there is no run `{0}`; `backstop runs` lists them")]
    NoRun(RunId),
    /// The run has asked the platform already, or does not know its deployment.
    #[error("run `{0}` cannot order a rollback any more: it has made its call, or never knew its deployment")]
    TooLate(RunId),
    /// Another agent has the run.
    #[error("run `{0}` is under way at another agent; ask that one, or again when the run has ended")]
    Elsewhere(RunId),
    /// The store cannot be read.
    #[error("the store cannot be read now")]
    Store,
    /// The agent is stopping.
    #[error("the agent is stopping; ask again when it is back")]
    Stopping,
}

/// Talks to the running agent. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
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

    /// Tells the endpoints that want it of `notice`. Never waits; whether it was taken.
    pub fn tell(&self, notice: Notice) -> bool {
        self.commands.try_send(Command::Tell(notice)).is_ok()
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

    /// The rollback that `run` waits to have approved; with `act`, it is approved.
    ///
    /// # Errors
    /// When nothing waits for it, or `by` may not.
    pub async fn approval(&self, run: &RunId, by: Approver, act: bool) -> Result<Awaiting, ApprovalError> {
        let (reply, answer) = oneshot::channel();
        let run = run.clone();
        let command = Command::Approval { run, by, act, reply };
        self.commands.send(command).await.map_err(|_| ApprovalError::Stopping)?;
        answer.await.map_err(|_| ApprovalError::Stopping)?
    }

    /// Judges what is live now of `app`, or drills.
    ///
    /// # Errors
    /// When it is not known what that is, or it is judged already.
    pub async fn start(&self, app: String, environment: Option<String>, drill: bool) -> Result<Started, StartRunError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Start {
            app,
            environment,
            drill,
            reply,
        };
        self.commands.send(command).await.map_err(|_| StartRunError::Stopping)?;
        answer.await.map_err(|_| StartRunError::Stopping)?
    }

    /// Rolls the deployment of `run` back on a person's order, whatever was concluded of it.
    ///
    /// # Errors
    /// When there is no such run, or it is too late for that.
    pub async fn order(&self, run: &RunId) -> Result<(), OrderError> {
        let (reply, answer) = oneshot::channel();
        let run = run.clone();
        let command = Command::Order { run, reply };
        self.commands.send(command).await.map_err(|_| OrderError::Stopping)?;
        answer.await.map_err(|_| OrderError::Stopping)?
    }

    /// Whether the agent is stopping: `/readyz` then says no.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
