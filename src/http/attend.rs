//! A limit of time, and what becomes of it while this process does not run.
//!
//! A process that is stopped, starved or moved to another host wakes to find that its time is up and the answer there. Who
//! looks at an app must not take that for the app's silence; who acts must not act so late. So waiting is cut into short
//! ticks; one that ends long after it should have tells that nobody was there, and counts for the one and not for the other.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// How long a tick is.
const TICK: Duration = Duration::from_millis(250);
/// After a tick that ends so late nobody was there.
const LATE_MIN: Duration = Duration::from_millis(150);
/// So many ticks may be late without being counted, so that every wait ends.
const LATE_TICKS_MAX: u32 = 20;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// All time, for what acts.
    Clock(Duration),
    /// The time in which this process runs, for what looks.
    Attended(Duration),
}

/// What came of the work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attended<T> {
    /// What it gave, if it was done in time.
    pub(super) done: Option<T>,
    /// How long nobody was there meanwhile.
    pub(super) stood_still: Duration,
}

/// Works within `limit`. `going_on` is where a simulated process stands still.
pub(super) async fn attend<T, F: Future<Output = ()>>(
    limit: Limit,
    work: impl Future<Output = T>,
    going_on: impl Fn() -> F,
) -> Attended<T> {
    let mut work = pin!(work);
    let (mut left, mut forgiven) = match limit {
        Limit::Clock(limit) => (limit, 0),
        Limit::Attended(limit) => (limit, LATE_TICKS_MAX),
    };
    let mut stood_still = Duration::ZERO;
    loop {
        let tick = left.min(TICK);
        let begun = now();
        // `timeout` looks at the work first: what is done counts, however late it is.
        let done = timeout(tick, work.as_mut()).await.ok();
        going_on().await;
        let took = begun.elapsed();
        let late = took.saturating_sub(tick);
        let is_late = late >= LATE_MIN;
        if is_late {
            stood_still += late;
        }
        if is_late && forgiven > 0 {
            forgiven -= 1;
        } else {
            left = left.saturating_sub(took.max(tick));
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
    async fn within(limit: Limit, work_ms: u64, from_ms: u64, for_ms: u64) -> Attended<()> {
        let (begun, stood) = (now(), Cell::new(false));
        let work = sleep(Duration::from_millis(work_ms));
        let stands = || begun.elapsed() >= Duration::from_millis(from_ms) && !stood.replace(true);
        attend(limit, work, || async {
            if stands() {
                sleep(Duration::from_millis(for_ms)).await;
            }
        })
        .await
    }

    async fn attended(work_ms: u64, from_ms: u64, for_ms: u64) -> Attended<()> {
        within(Limit::Attended(LIMIT), work_ms, from_ms, for_ms).await
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
    async fn by_the_clock_nothing_goes_on_after_the_limit() {
        let by_the_clock = async |work_ms, for_ms| within(Limit::Clock(LIMIT), work_ms, 1_000, for_ms).await.done;
        assert_eq!(by_the_clock(3_000, 0).await, Some(()));
        assert_eq!(by_the_clock(9_500, 8_000).await, Some(()));
        let begun = now();
        assert_eq!(by_the_clock(30_000, 12_000).await, None);
        assert_eq!(begun.elapsed(), Duration::from_secs(13));
        assert_eq!(by_the_clock(30_000, 0).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_always_late_gives_up_too() {
        let begun = now();
        let slow = || sleep(Duration::from_secs(1));
        let attended = attend(Limit::Attended(LIMIT), std::future::pending::<()>(), slow).await;
        assert_eq!(attended.done, None);
        assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
    }
}
