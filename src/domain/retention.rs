//! What is kept of what has ended.

use std::time::Duration;

/// For how long, and up to which size, the store keeps what has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Ended runs, deliveries that were dealt with and messages that are no longer queued are kept this long.
    pub keep: Duration,
    /// Where the store holds more bytes than this, the oldest of them go earlier.
    pub bytes_max: u64,
}

impl Default for Retention {
    /// 30 days, 2 GB.
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(30 * 24 * 3_600),
            bytes_max: 2_000_000_000,
        }
    }
}
