//! How many messages an endpoint is sent in a time.

use std::time::Duration;

use crate::domain::Timestamp;

/// So many in each so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    per_s: u32,
}

impl Rate {
    /// So many a second, at least one.
    pub(super) const fn per_second(count: u32) -> Self {
        Self { count, per_s: 1 }
    }

    /// So many a minute, at least one.
    pub(super) const fn per_minute(count: u32) -> Self {
        Self { count, per_s: 60 }
    }

    /// Reads `10/s`, `60/m` or `100/h`, from 1 to 100,000 of them.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, unit) = text.split_once('/')?;
        let per_s = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            _ => return None,
        };
        let count = count
            .trim()
            .parse()
            .ok()
            .filter(|count| (1..=100_000).contains(count))?;
        Some(Self { count, per_s })
    }

    fn per_us(self) -> i64 {
        i64::from(self.per_s) * 1_000_000
    }

    fn interval_us(self) -> i64 {
        self.per_us() / i64::from(self.count)
    }
}

/// How far an endpoint is within its rate: the generic cell rate algorithm, with a burst of one period's worth.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: Rate,
    /// When everything that was sent so far would have been sent one by one, in microseconds since 1970.
    spent_us: i64,
}

impl Pace {
    /// An endpoint that was sent nothing yet.
    pub const fn new(rate: Rate) -> Self {
        Self {
            rate,
            spent_us: i64::MIN,
        }
    }

    /// The rate that it keeps.
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// How many messages may be sent now.
    pub fn room(&self, now: Timestamp) -> usize {
        let left_us = micros(now) + self.rate.per_us() - self.spent(now);
        usize::try_from(left_us / self.rate.interval_us()).unwrap_or(0)
    }

    /// Takes note of a message, also of one that there was no room for.
    pub fn take(&mut self, now: Timestamp) {
        self.spent_us = self.spent(now) + self.rate.interval_us();
    }

    /// Until there is room for a message.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let wait_us = self.spent(now) + self.rate.interval_us() - self.rate.per_us() - micros(now);
        Duration::from_micros(u64::try_from(wait_us).unwrap_or(0))
    }

    /// Not in the past, where nothing is saved up; nor further ahead than two periods, whatever a clock did.
    fn spent(&self, now: Timestamp) -> i64 {
        let now_us = micros(now);
        self.spent_us.clamp(now_us, now_us + 2 * self.rate.per_us())
    }
}

fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_773_325_867_000);

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        for (text, good) in [
            ("10/s", true),
            ("1/m", true),
            (" 5 / h", true),
            ("0/s", false),
            ("-1/s", false),
            ("10", false),
            ("10/d", false),
            ("100001/s", false),
        ] {
            assert_eq!(Rate::parse(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn a_period_s_worth_goes_at_once_and_then_one_by_one() {
        let mut pace = Pace::new(Rate::parse("10/s").unwrap());
        assert_eq!(pace.room(START), 10);
        for left in (0..10).rev() {
            pace.take(START);
            assert_eq!(pace.room(START), left);
        }
        assert_eq!(pace.wait(START), Duration::from_millis(100));
        assert_eq!(pace.room(START.plus_ms(99)), 0);
        assert_eq!(pace.room(START.plus_ms(100)), 1);
        // Nothing is saved up beyond one period.
        assert_eq!(pace.room(START.plus_ms(60_000)), 10);
    }

    #[test]
    fn a_clock_that_was_put_back_holds_an_endpoint_up_for_two_periods_at_most() {
        let mut pace = Pace::new(Rate::parse("1/s").unwrap());
        pace.take(START.plus_ms(3_600_000));
        assert!(pace.wait(START) <= Duration::from_secs(2), "{:?}", pace.wait(START));
    }
}
