//! The only place that reads the system's time and randomness.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

use crate::domain::Timestamp;

/// Where time comes from. Cheap to clone; tests make one that they move by hand.
#[derive(Clone)]
pub struct Clock(Arc<dyn Source>);

trait Source: Send + Sync {
    fn now(&self) -> Timestamp;
    fn wall(&self) -> Timestamp;

    /// Finer than `now`, where there is something finer.
    fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.now().as_millis()).unwrap_or(0))
    }
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(System::start()))
    }

    /// A clock that stands at `at` until [`ManualClock::advance`] moves it.
    pub fn manual(at: Timestamp) -> (Self, ManualClock) {
        let manual = ManualClock(Arc::new(Mutex::new(at)));
        (Self(Arc::new(manual.clone())), manual)
    }

    /// A clock that goes with the async runtime's own time, from `at` on: a simulation makes hours of it pass in a moment.
    /// `wall_ahead_ms` is how far the wall clock is ahead of it, and may be changed meanwhile.
    pub fn of_runtime(at: Timestamp, wall_ahead_ms: Arc<AtomicI64>) -> Self {
        Self(Arc::new(RuntimeTime {
            at,
            started: tokio_now(),
            wall_ahead_ms,
        }))
    }

    /// The moment for everything that is measured: it starts at the wall clock's time and then moves with the
    /// monotonic clock, so no step of the wall clock makes a duration wrong.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// A moment to measure short durations by: only the difference between two of them means something.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The wall clock's time, for what is compared with other machines: a signature's timestamp, a freeze window.
    pub fn wall(&self) -> Timestamp {
        self.0.wall()
    }
}

struct System {
    started_wall: Timestamp,
    started: Instant,
}

impl System {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    fn start() -> Self {
        Self {
            started_wall: wall_now(),
            started: Instant::now(),
        }
    }
}

impl Source for System {
    fn now(&self) -> Timestamp {
        self.started_wall.plus(self.started.elapsed())
    }

    fn wall(&self) -> Timestamp {
        wall_now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
fn wall_now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_millis(0).plus(since_epoch)
}

struct RuntimeTime {
    at: Timestamp,
    started: tokio::time::Instant,
    wall_ahead_ms: Arc<AtomicI64>,
}

impl Source for RuntimeTime {
    fn now(&self) -> Timestamp {
        self.at.plus(tokio_now().duration_since(self.started))
    }

    fn wall(&self) -> Timestamp {
        let ahead = self.wall_ahead_ms.load(Ordering::Relaxed);
        Timestamp::from_millis(self.now().as_millis().saturating_add(ahead))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
fn tokio_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// A clock for tests: it moves only when told.
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut at = self.lock();
        *at = at.plus(by);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Timestamp> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for ManualClock {
    fn now(&self) -> Timestamp {
        *self.lock()
    }

    fn wall(&self) -> Timestamp {
        *self.lock()
    }
}

/// The last moment that an id can carry, in milliseconds since 1970: in the year 10889.
const ULID_MS_MAX: u64 = (1 << 48) - 1;

/// Where ids and seeds come from.
#[derive(Clone, Default)]
pub struct Ids(Option<Arc<Mutex<Xoshiro256PlusPlus>>>);

impl Ids {
    /// Ids that are the same each time for the same seed, for simulations.
    pub fn seeded(seed: u64) -> Self {
        let generator = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self(Some(Arc::new(Mutex::new(generator))))
    }

    /// A new id: `prefix_` and a ULID, so that ids sort by age.
    pub fn next(&self, prefix: &str, at: Timestamp) -> String {
        let random = self.seed_128();
        let ms = u64::try_from(at.as_millis()).unwrap_or(0);
        format!(
            "{prefix}_{}",
            ulid::Ulid::from_parts(ms, random).to_string().to_ascii_lowercase()
        )
    }

    /// The least id that [`Ids::next`] makes of a moment: those below it were made before.
    pub fn least(prefix: &str, at: Timestamp) -> String {
        let ms = u64::try_from(at.as_millis()).unwrap_or(0).min(ULID_MS_MAX);
        format!(
            "{prefix}_{}",
            ulid::Ulid::from_parts(ms, 0).to_string().to_ascii_lowercase()
        )
    }

    /// A random number, for a run's jitter.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads randomness")]
    pub fn seed(&self) -> u64 {
        match &self.0 {
            Some(generator) => generator.lock().unwrap_or_else(PoisonError::into_inner).next_u64(),
            None => rand::Rng::next_u64(&mut rand::rng()),
        }
    }

    /// Random bytes for a key, from the operating system's source by way of a cryptographic generator.
    pub fn key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        for part in key.chunks_exact_mut(8) {
            part.copy_from_slice(&self.seed().to_be_bytes());
        }
        key
    }

    fn seed_128(&self) -> u128 {
        (u128::from(self.seed()) << 64) | u128::from(self.seed())
    }
}
