//! How much one platform is asked: one budget for everything, in which a rollback comes first.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::Timestamp;

/// The time that a budget is for.
const WINDOW_MS: i64 = 60_000;

/// Why a platform is asked, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// A rollback is decided on, made or confirmed: it never waits.
    Rollback,
    /// A run wants to know what its deployment is.
    Run,
    /// A look that nobody waits for: reading the list, trying the token.
    Background,
}

impl Urgency {
    /// The share of a full budget, in percent, that is left to what is more urgent.
    const fn left_to_others_percent(self) -> i64 {
        match self {
            Self::Rollback => i64::MIN,
            Self::Run => 20,
            Self::Background => 50,
        }
    }
}

/// Requests that may be made.
pub(super) struct Budget {
    clock: Clock,
    bucket: Mutex<Bucket>,
}

impl Budget {
    /// A full budget of so many requests a minute.
    pub(super) fn new(per_minute: NonZeroU32, clock: Clock) -> Self {
        let bucket = Mutex::new(Bucket::full(per_minute, clock.now()));
        Self { clock, bucket }
    }

    /// Returns when a request may be made, and counts it.
    pub(super) async fn take(&self, urgency: Urgency) {
        loop {
            let taken = self.with(|bucket, now| bucket.take(urgency, now));
            match taken {
                Ok(()) => return,
                Err(wait) => tokio::time::sleep(wait).await,
            }
        }
    }

    /// The platform says that it was asked too much: only what is urgent goes on at once.
    pub(super) fn spent(&self) {
        self.with(|bucket, now| {
            bucket.refill(now);
            bucket.parts = bucket.parts.min(0);
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Bucket, Timestamp) -> T) -> T {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut bucket, self.clock.now())
    }
}

/// A token bucket (ITU-T I.371): what is not spent is kept up to one minute's worth.
struct Bucket {
    per_minute: i64,
    /// What is left, in parts of a request: a request is [`WINDOW_MS`] of them, so that a millisecond adds whole parts.
    parts: i64,
    at: Timestamp,
}

impl Bucket {
    fn full(per_minute: NonZeroU32, now: Timestamp) -> Self {
        let per_minute = i64::from(per_minute.get());
        Self {
            per_minute,
            parts: per_minute * WINDOW_MS,
            at: now,
        }
    }

    fn refill(&mut self, now: Timestamp) {
        let passed_ms = i64::try_from(now.ms_since(self.at)).unwrap_or(WINDOW_MS).min(WINDOW_MS);
        self.parts = (self.parts + passed_ms * self.per_minute).min(self.per_minute * WINDOW_MS);
        self.at = self.at.max(now);
    }

    /// Takes one request, or says how long to wait for it.
    fn take(&mut self, urgency: Urgency, now: Timestamp) -> Result<(), Duration> {
        self.refill(now);
        if urgency == Urgency::Rollback {
            // What is borrowed is at most one minute's worth, so that the rest starves no longer than that.
            self.parts = (self.parts - WINDOW_MS).max(-self.per_minute * WINDOW_MS);
            return Ok(());
        }
        let left_to_others = self.per_minute * WINDOW_MS / 100 * urgency.left_to_others_percent();
        // Of a very small budget nothing would be left to those who wait otherwise.
        let needed = left_to_others.min((self.per_minute - 1) * WINDOW_MS) + WINDOW_MS;
        let missing = needed - self.parts;
        if missing <= 0 {
            self.parts -= WINDOW_MS;
            return Ok(());
        }
        let wait_ms = missing.div_euclid(self.per_minute) + 1;
        Err(Duration::from_millis(wait_ms.unsigned_abs()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);

    fn bucket(per_minute: u32) -> Bucket {
        Bucket::full(NonZeroU32::new(per_minute).unwrap(), START)
    }

    fn take_all(bucket: &mut Bucket, urgency: Urgency) -> usize {
        (0..1_000).take_while(|_| bucket.take(urgency, START).is_ok()).count()
    }

    #[test]
    fn what_nobody_waits_for_leaves_half_and_a_run_leaves_a_fifth() {
        let mut bucket = bucket(100);
        assert_eq!(take_all(&mut bucket, Urgency::Background), 50);
        assert_eq!(take_all(&mut bucket, Urgency::Run), 30);
        assert_eq!(take_all(&mut bucket, Urgency::Rollback), 1_000);
    }

    #[test]
    fn a_rollback_borrows_at_most_a_minutes_worth() {
        let mut bucket = bucket(60);
        take_all(&mut bucket, Urgency::Rollback);
        let wait = bucket.take(Urgency::Background, START).unwrap_err();
        assert_eq!(wait.as_secs(), 60 + 31);
    }

    #[test]
    fn a_budget_of_one_is_enough_for_everybody() {
        for urgency in [Urgency::Run, Urgency::Background] {
            let mut bucket = bucket(1);
            assert_eq!(take_all(&mut bucket, urgency), 1);
            assert!(bucket.take(urgency, START.plus_ms(59_000)).is_err());
            assert!(bucket.take(urgency, START.plus_ms(60_001)).is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_platform_that_was_asked_too_much_is_left_alone_but_for_a_rollback() {
        let clock = Clock::of_runtime(START, std::sync::Arc::default());
        let budget = Budget::new(NonZeroU32::new(60).unwrap(), clock.clone());
        budget.spent();
        budget.take(Urgency::Rollback).await;
        assert_eq!(clock.now(), START);
        budget.take(Urgency::Background).await;
        assert!(clock.now().ms_since(START) >= 30_000);
    }

    proptest! {
        /// Whoever waits as long as it is told gets its turn, and no minute sees more than the budget and what it had kept.
        #[test]
        fn who_waits_gets_a_turn(per_minute in 1_u32..1_000, asks in 1_usize..300) {
            let (mut bucket, mut now) = (bucket(per_minute), START);
            let mut taken_at = Vec::new();
            for _ in 0..asks {
                while let Err(wait) = bucket.take(Urgency::Background, now) {
                    now = now.plus(wait);
                }
                taken_at.push(now);
            }
            for at in &taken_at {
                let within = taken_at.iter().filter(|t| **t >= *at && t.ms_since(*at) < 60_000).count();
                prop_assert!(within <= 2 * usize::try_from(per_minute).unwrap() + 1);
            }
        }
    }
}
