//! A limit of time that counts only while this process runs.
//!
//! A process that is stopped, starved or moved to another host wakes to find that its time is up and the answer there. To
//! take that for the other side's silence would blame an app for our own. So waiting is cut into short ticks, and a tick
//! that ends long after it should have is not counted: nobody was there to see the answer come.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// How long a tick is.
const TICK: Duration = Duration::from_millis(250);
/// A tick that ends so late is not counted.
const LATE_MIN: Duration = Duration::from_millis(150);
/// So many ticks may be late; the others count, whatever they took, so that every wait ends.
const LATE_TICKS_MAX: u32 = 20;

/// What came of the work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attended<T> {
    /// What it gave, if it was done in time.
    pub(super) done: Option<T>,
    /// How long nobody was there meanwhile.
    pub(super) stood_still: Duration,
}

/// Works for at most `limit`, in which this process runs. `going_on` is where a simulated process stands still.
pub(super) async fn attend<T, F: Future<Output = ()>>(
    limit: Duration,
    work: impl Future<Output = T>,
    going_on: impl Fn() -> F,
) -> Attended<T> {
    let mut work = pin!(work);
    let (mut left, mut stood_still, mut late_ticks) = (limit, Duration::ZERO, 0);
    loop {
        let tick = left.min(TICK);
        let begun = now();
        // `timeout` looks at the work first: what is done counts, however late it is.
        let done = timeout(tick, work.as_mut()).await.ok();
        going_on().await;
        let late = begun.elapsed().saturating_sub(tick);
        if late >= LATE_MIN {
            stood_still += late;
            late_ticks += 1;
        }
        if late < LATE_MIN || late_ticks > LATE_TICKS_MAX {
            left = left.saturating_sub(tick);
        }
        if done.is_some() || left.is_zero() {
            return Attended { done, stood_still };
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "measures how long it waited")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::sleep;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Work of `work_ms` while the process stands still from the first end of a tick after `from_ms` for `for_ms`.
    async fn attended(work_ms: u64, from_ms: u64, for_ms: u64) -> Attended<()> {
        let (begun, stood) = (now(), Cell::new(false));
        let work = sleep(Duration::from_millis(work_ms));
        let stands = || begun.elapsed() >= Duration::from_millis(from_ms) && !stood.replace(true);
        attend(LIMIT, work, || async {
            if stands() {
                sleep(Duration::from_millis(for_ms)).await;
            }
        })
        .await
    }

    fn after(ms: u64) -> Attended<()> {
        Attended {
            done: Some(()),
            stood_still: Duration::from_millis(ms),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_the_process_stood_still_does_not_count() {
        assert_eq!(attended(3_000, 0, 0).await, after(0));
        // It stands still for longer than the limit, and finds the answer when it wakes.
        assert_eq!(attended(3_000, 1_000, 12_000).await, after(12_000));
        assert_eq!(attended(3_000, 1_000, 9_000).await, after(9_000));
        let silence = attended(60_000, 1_000, 9_000).await;
        assert_eq!((silence.done, silence.stood_still), (None, Duration::from_secs(9)));
        let silence = attended(60_000, 60_000, 0).await;
        assert_eq!((silence.done, silence.stood_still), (None, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_always_late_gives_up_too() {
        let begun = now();
        let slow = || sleep(Duration::from_secs(1));
        let attended = attend(LIMIT, std::future::pending::<()>(), slow).await;
        assert_eq!(attended.done, None);
        assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    }
}
