//! How long the store takes, for whoever counts it.

use std::sync::Arc;
use std::time::Duration;

/// What the store was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To take a delivery.
    Accept,
    /// To commit a run's decision.
    Commit,
    /// To change something else.
    Write,
    /// A question.
    Read,
}

impl Operation {
    /// The word as counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Commit => "commit",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// Is told of each operation when it has ended, well or not, and how long it took with all waiting.
pub type Watch = Arc<dyn Fn(Operation, Duration) + Send + Sync>;
