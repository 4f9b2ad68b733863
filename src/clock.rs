//! The only place that reads the system's time and randomness.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::domain::Timestamp;

/// Where time comes from. Cheap to clone; tests make one that they move by hand.
#[derive(Clone)]
pub struct Clock(Arc<dyn Source>);

trait Source: Send + Sync {
    fn now(&self) -> Timestamp;
    fn wall(&self) -> Timestamp;
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(System::start()))
    }

    /// A clock that stands at `at` until [`ManualClock::advance`] moves it.
    pub fn manual(at: Timestamp) -> (Self, ManualClock) {
        let manual = ManualClock(Arc::new(std::sync::Mutex::new(at)));
        (Self(Arc::new(manual.clone())), manual)
    }

    /// The moment for everything that is measured: it starts at the wall clock's time and then moves with the
    /// monotonic clock, so no step of the wall clock makes a duration wrong.
    pub fn now(&self) -> Timestamp {
        self.0.now()
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
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
fn wall_now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_millis(0).plus(since_epoch)
}

/// A clock for tests: it moves only when told.
#[derive(Clone)]
pub struct ManualClock(Arc<std::sync::Mutex<Timestamp>>);

impl ManualClock {
    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut at = self.lock();
        *at = at.plus(by);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Timestamp> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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

/// Where ids and seeds come from.
#[derive(Clone, Default)]
pub struct Ids;

impl Ids {
    /// A new id: `prefix_` and a ULID, so that ids sort by age.
    pub fn next(&self, prefix: &str, at: Timestamp) -> String {
        let random = self.seed_128();
        let ms = u64::try_from(at.as_millis()).unwrap_or(0);
        format!(
            "{prefix}_{}",
            ulid::Ulid::from_parts(ms, random).to_string().to_ascii_lowercase()
        )
    }

    /// A random number, for a run's jitter.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads randomness")]
    pub fn seed(&self) -> u64 {
        rand::Rng::next_u64(&mut rand::rng())
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
