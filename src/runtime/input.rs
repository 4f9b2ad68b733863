//! What tasks send back to the dispatcher.

use tokio::sync::mpsc;

use super::recovery::Recovered;
use crate::domain::{Deployment, RunId};
use crate::machine::Event;
use crate::store;

/// What comes back to the dispatcher from the tasks it spawned.
pub(super) enum Input {
    /// Something of one run, as it was held at that fence.
    Of { run: RunId, fence: u64, what: Answer },
    /// Runs were read back from the store.
    Recovered(Vec<Recovered>),
    /// Unfinished runs that the store says are ours.
    Ours(Vec<RunId>),
}

/// What comes back for one run.
pub(super) enum Answer {
    /// An effect's result.
    Result(Event),
    /// What the platform said the deployment is, and the app's past warm-ups.
    Identified {
        seq: u32,
        answer: Result<(Box<Deployment>, Vec<u64>), String>,
    },
    /// A commit ended.
    Committed(Result<(), store::Error>),
    /// A commit is to be tried again.
    CommitAgain,
}

/// Where a task sends what comes of it. If the run was read back from the store meanwhile, nobody takes it.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) inputs: mpsc::UnboundedSender<Input>,
    pub(super) run: RunId,
    pub(super) fence: u64,
}

impl Reply {
    pub(super) fn send(self, what: Answer) {
        // The dispatcher has ended if nobody takes it.
        let _ = self.inputs.send(Input::Of {
            run: self.run,
            fence: self.fence,
            what,
        });
    }
}
