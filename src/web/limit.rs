//! The limit on unverified requests per sender.
//!
//! Only requests whose verification failed are counted, and only they are refused by it, so no forger can shut a
//! verified sender out, not even from the same address.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;

/// Senders remembered one by one. Beyond it those who are new share one count: memory stays bounded when somebody has
/// more addresses than we have memory.
const SENDERS_MAX: usize = 16_384;

/// Counts unverified requests per sender.
pub(super) struct Limiter {
    clock: Clock,
    current: ArcSwap<Limit>,
}

/// The limit as last configured.
struct Limit {
    per_minute: Option<NonZeroU32>,
    counts: Option<Counts>,
}

type Counts = RateLimiter<Sender, HashMapStateStore<Sender>, LimiterClock, NoOpMiddleware<Duration>>;

/// Who is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sender {
    /// One address; of IPv6 one /64, which is what one household or machine has.
    Address(IpAddr),
    /// Everybody beyond [`SENDERS_MAX`].
    Others,
}

impl Limiter {
    /// A limiter that has counted nothing.
    pub(super) fn new(clock: Clock, per_minute: Option<NonZeroU32>) -> Self {
        let current = ArcSwap::from_pointee(Limit::new(per_minute, &clock));
        Self { clock, current }
    }

    /// Counts an unverified request from `peer` under the limit of the config in force; `None` is no limit.
    ///
    /// # Errors
    /// When the sender has sent too many: in how many seconds the next one is heard, at least 1.
    pub(super) fn count(&self, peer: IpAddr, per_minute: Option<NonZeroU32>) -> Result<(), u64> {
        if self.current.load().per_minute != per_minute {
            self.current.store(Arc::new(Limit::new(per_minute, &self.clock)));
        }
        let current = self.current.load();
        let Some(counts) = &current.counts else { return Ok(()) };
        let mut sender = Sender::of(peer);
        if counts.len() >= SENDERS_MAX {
            counts.retain_recent();
            if counts.len() >= SENDERS_MAX {
                sender = Sender::Others;
            }
        }
        counts.check_key(&sender).map_err(|until| {
            let wait = until.wait_time_from(LimiterClock(self.clock.clone()).now());
            wait.as_millis()
                .div_ceil(1_000)
                .clamp(1, 3_600)
                .try_into()
                .unwrap_or(60)
        })
    }
}

impl Limit {
    fn new(per_minute: Option<NonZeroU32>, clock: &Clock) -> Self {
        let counts = per_minute.map(|per_minute| {
            let quota = Quota::per_minute(per_minute);
            RateLimiter::new(quota, HashMapStateStore::default(), LimiterClock(clock.clone()))
        });
        Self { per_minute, counts }
    }
}

impl Sender {
    fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            IpAddr::V4(address) => Self::Address(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::Address(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
        }
    }
}

/// The limiter's time is the program's, so that a test can move it.
#[derive(Clone)]
struct LimiterClock(Clock);

impl governor::clock::Clock for LimiterClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.now().as_millis()).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    const SIX: Option<NonZeroU32> = NonZeroU32::new(6);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_sender_is_refused_until_time_has_passed() {
        let (clock, hand) = Clock::manual(Timestamp::from_millis(1_000_000));
        let limiter = Limiter::new(clock, SIX);
        for _ in 0..6 {
            assert_eq!(limiter.count(ip("192.0.2.1"), SIX), Ok(()));
        }
        assert_eq!(limiter.count(ip("192.0.2.1"), SIX), Err(10));
        hand.advance(Duration::from_millis(9_500));
        assert_eq!(limiter.count(ip("192.0.2.1"), SIX), Err(1));
        hand.advance(Duration::from_millis(500));
        assert_eq!(limiter.count(ip("192.0.2.1"), SIX), Ok(()));
    }

    #[test]
    fn senders_are_counted_apart_and_a_network_of_ipv6_together() {
        let (clock, _hand) = Clock::manual(Timestamp::from_millis(0));
        let one = NonZeroU32::new(1);
        let limiter = Limiter::new(clock, one);
        for (address, heard) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
            ("2001:db8:0:1::2", true),
        ] {
            assert_eq!(limiter.count(ip(address), one).is_ok(), heard, "{address}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (clock, _hand) = Clock::manual(Timestamp::from_millis(0));
        let limiter = Limiter::new(clock, SIX);
        for number in 0..(SENDERS_MAX as u32 + 500) {
            let _ = limiter.count(IpAddr::V4(std::net::Ipv4Addr::from(number)), SIX);
        }
        let current = limiter.current.load();
        assert!(current.counts.as_ref().unwrap().len() <= SENDERS_MAX + 1);
        assert!(
            limiter.count(ip("203.0.113.9"), SIX).is_err(),
            "those beyond the bound share one count"
        );
    }

    #[test]
    fn no_limit_counts_nothing_and_a_new_config_holds_at_once() {
        let (clock, _hand) = Clock::manual(Timestamp::from_millis(0));
        let limiter = Limiter::new(clock, None);
        for _ in 0..1_000 {
            assert_eq!(limiter.count(ip("192.0.2.1"), None), Ok(()));
        }
        let one = NonZeroU32::new(1);
        assert_eq!(limiter.count(ip("192.0.2.1"), one), Ok(()));
        assert!(limiter.count(ip("192.0.2.1"), one).is_err());
    }
}
