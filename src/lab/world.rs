//! One deployment drawn from a scenario: what each probe of it sees.

use std::time::Duration;

use rand_distr::{Distribution as _, Exp, LogNormal, StandardUniform};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;

use super::scenario::{Look, Scenario};
use crate::domain::{Class, Identity, Observation, Reason, Timing};

/// How long a good answer takes.
const GOOD_MS: u32 = 50;
/// How long an answer takes that is over its time.
const SLOW_MS: u32 = 3_000;
/// How long nothing is waited for.
const TIMEOUT_MS: u32 = 10_000;
/// Bursts are drawn up to this long after going live; no run is longer.
const HORIZON_MS: u64 = 900_000;

/// One deployment. Time is in milliseconds from going live.
pub struct World<'s> {
    scenario: &'s Scenario,
    random: Xoshiro256PlusPlus,
    cold_until_ms: u64,
    /// How long old and new answer in turn after the first good answer.
    flap_ms: u64,
    flaps_until_ms: Option<u64>,
    /// Spells, from and to, in order.
    bursts: Vec<(u64, u64)>,
}

impl<'s> World<'s> {
    /// Draws one. The same seed makes the same world, answer by answer.
    pub fn draw(scenario: &'s Scenario, seed: u64) -> Self {
        let mut world = Self {
            scenario,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            cold_until_ms: 0,
            flap_ms: 0,
            flaps_until_ms: None,
            bursts: Vec::new(),
        };
        world.cold_until_ms = world.cold_ms();
        if let Some((min, max)) = scenario.flap {
            let share = world.chance();
            world.flap_ms = millis(min) + scaled(millis(max) - millis(min), share);
        }
        world.bursts = world.draw_bursts();
        world
    }

    /// Whether the controls answer.
    pub fn controls_down(&self) -> bool {
        self.scenario.controls_down
    }

    /// What a probe that is sent at `at_ms` sees; `route` is the check's index, or none for the warm-up gate.
    pub fn answer(&mut self, route: Option<usize>, at_ms: u64) -> Observation {
        observation(self.look(route, at_ms))
    }

    /// How the answer looks; `None` is a good one.
    pub(super) fn look(&mut self, route: Option<usize>, at_ms: u64) -> Option<Look> {
        // One number for each question and in the same order, so that worlds of one seed stay comparable.
        let (by_noise, by_share, by_flap) = (self.chance(), self.chance(), self.chance());
        if let Some(spell) = &self.scenario.spell {
            let from = millis(spell.from);
            if (from..from + millis(spell.length)).contains(&at_ms) {
                return Some(spell.look);
            }
        }
        if at_ms < self.cold_until_ms {
            return self.scenario.cold.as_ref().map(|cold| cold.look);
        }
        if let Some(bad) = &self.scenario.bad {
            let sees = bad
                .routes
                .is_none_or(|routes| route.is_some_and(|route| route < routes));
            if sees && at_ms >= millis(bad.from) && by_share < bad.share {
                return Some(bad.look);
            }
        }
        if self.bursts.iter().any(|(from, to)| (*from..*to).contains(&at_ms)) {
            return Some(Look::BadGateway);
        }
        if by_noise < self.scenario.noise {
            return Some(Look::Refused);
        }
        if self.flap_ms > 0 {
            let until = *self.flaps_until_ms.get_or_insert(at_ms + self.flap_ms);
            let is_first = until == at_ms + self.flap_ms;
            if !is_first && at_ms < until && by_flap < 0.5 {
                return Some(Look::OldVersion);
            }
        }
        None
    }

    fn chance(&mut self) -> f64 {
        StandardUniform.sample(&mut self.random)
    }

    fn cold_ms(&mut self) -> u64 {
        let Some(cold) = &self.scenario.cold else { return 0 };
        let median = cold.median.as_secs_f64();
        let drawn = match LogNormal::new(median.ln(), cold.sigma) {
            Ok(times) if cold.sigma > 0.0 => times.sample(&mut self.random),
            _ => median,
        };
        millis(Duration::from_secs_f64(drawn).clamp(cold.min, cold.max))
    }

    /// Good and bad spells in turn, each of exponential length (Gilbert 1960).
    fn draw_bursts(&mut self) -> Vec<(u64, u64)> {
        let Some(burst) = &self.scenario.burst else {
            return Vec::new();
        };
        let bad_mean = burst.mean.as_secs_f64();
        let good_mean = bad_mean * (1.0 - burst.share) / burst.share;
        let (Ok(bad), Ok(good)) = (Exp::new(1.0 / bad_mean), Exp::new(1.0 / good_mean)) else {
            return Vec::new();
        };
        let mut spells = Vec::new();
        let mut at_ms = 0;
        while at_ms < HORIZON_MS {
            let from = at_ms + millis(Duration::from_secs_f64(good.sample(&mut self.random)));
            let to = from + millis(Duration::from_secs_f64(bad.sample(&mut self.random)));
            spells.push((from, to));
            at_ms = to;
        }
        spells
    }
}

fn observation(look: Option<Look>) -> Observation {
    let (class, reason, status, latency_ms) = match look {
        None => (Class::Pass, Reason::Ok, Some(200), GOOD_MS),
        Some(Look::Refused) => (Class::Unready, Reason::Refused, None, GOOD_MS),
        Some(Look::BadGateway) => (Class::Unready, Reason::Status, Some(502), GOOD_MS),
        Some(Look::Unavailable) => (Class::Unready, Reason::Status, Some(503), GOOD_MS),
        Some(Look::Slow) => (Class::Slow, Reason::Time, Some(200), SLOW_MS),
        Some(Look::Hanging) => (Class::Unready, Reason::Timeout, None, TIMEOUT_MS),
        Some(Look::Console) => (Class::Unready, Reason::Placeholder, Some(200), GOOD_MS),
        Some(Look::OldVersion) => (Class::Unready, Reason::OldVersion, Some(200), GOOD_MS),
        Some(Look::Broken) => (Class::Broken, Reason::Status, Some(500), GOOD_MS),
        Some(Look::Wrong) => (Class::Broken, Reason::Json, Some(200), GOOD_MS),
        Some(Look::Unknown) => (Class::Unknown, Reason::LocalTrouble, None, GOOD_MS),
    };
    let identity = match look {
        None | Some(Look::Slow | Look::Wrong) => Identity::Proven,
        Some(Look::OldVersion) => Identity::Contradicted,
        Some(_) => Identity::Unknown,
    };
    Observation {
        class,
        reason,
        identity,
        app_made: matches!(look, Some(Look::Broken | Look::Wrong)),
        warned: false,
        latency_ms,
        timing: Timing::default(),
        http_version: None,
        status,
        address: None,
        detail: String::new(),
        body: None,
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "minutes at most"
)]
fn scaled(ms: u64, share: f64) -> u64 {
    (ms as f64 * share) as u64
}
