//! Staying alive in the eyes of other agents: a lease in the store, renewed well before it ends.
//!
//! Nothing is decided by it here. Who loses it, because the process stood still or the store was away, finds out when the store
//! refuses what it writes: every commit says which owner's it is.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::AgentId;
use crate::store::Store;
use crate::telemetry::{Metrics, Renewal};

/// How long a lease lasts: so long after an agent died, others take its runs.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// How often it is renewed; two renewals may fail.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// The lease in milliseconds, as the store counts.
pub(super) fn lease_ms() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX)
}

/// Renews until stopped, then lets go.
pub(super) async fn keep(store: Store, agent: AgentId, metrics: Metrics, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = tokio::time::sleep(RENEW_EVERY) => {}
        }
        let renewed = store.renew(&agent, lease_ms()).await;
        metrics.lease(if renewed.is_ok() {
            Renewal::Held
        } else {
            Renewal::Failed
        });
        if let Err(error) = renewed {
            tracing::warn!(error = %error, "the lease could not be renewed; trying again");
        }
    }
    let let_go = async {
        store.release(&agent).await?;
        store.call_others().await
    };
    if let Err(error) = let_go.await {
        tracing::warn!(error = %error, "the lease could not be ended; others take over when it has run out");
    }
}
