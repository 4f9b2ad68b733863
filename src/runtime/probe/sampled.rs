//! Samples: one request again and again, and what that says of its times and its errors.

use std::time::Duration;

use super::Probe;
use super::exchange::failed;
use crate::domain::{Class, Observation, Reason};
use crate::step::{Expect, Step};

impl Probe<'_> {
    /// Sends a step `count` times, one after the other, and judges the percentiles and the share of errors.
    pub(super) async fn sample(&mut self, step: &Step, count: u16) -> Observation {
        let mut seen = Vec::with_capacity(usize::from(count));
        for _ in 0..count {
            let exchanged = self.exchange(step).await;
            let observation = exchanged.seen.observation;
            let says_nothing = observation.class == Class::Unknown;
            seen.push(observation);
            if says_nothing {
                break;
            }
        }
        let observation = judged(step, &seen);
        let curl = (observation.class != Class::Pass).then(|| self.curl(step)).flatten();
        self.note(step, &observation, curl);
        observation
    }
}

/// What all samples say together.
fn judged(step: &Step, seen: &[Observation]) -> Observation {
    let Some(last) = seen.last() else {
        return super::unsendable("no sample was sent");
    };
    if last.class == Class::Unknown {
        return last.clone();
    }
    let failures: Vec<&Observation> = seen.iter().filter(|observation| failed(observation)).collect();
    let allowed_percent = step.expect.errors_percent.unwrap_or(0.0);
    let percent = 100.0 * failures.len() as f64 / seen.len() as f64;
    if let (Some(first), true) = (failures.first(), percent > allowed_percent) {
        let detail = format!("{} of {} samples failed: {}", failures.len(), seen.len(), first.detail);
        return Observation {
            reason: if step.expect.errors_percent.is_some() {
                Reason::Errors
            } else {
                first.reason
            },
            detail,
            ..(*first).clone()
        };
    }
    let mut times: Vec<u32> = seen
        .iter()
        .filter(|one| !failed(one))
        .map(|one| one.latency_ms)
        .collect();
    times.sort_unstable();
    let median = percentile(&times, 50).unwrap_or(last.latency_ms);
    let late = seen.iter().find(|observation| observation.class == Class::Slow);
    let good = seen
        .iter()
        .find(|observation| observation.class == Class::Pass)
        .or(late)
        .unwrap_or(last);
    let good = Observation {
        latency_ms: median,
        ..good.clone()
    };
    if let Some(late) = late {
        return Observation {
            latency_ms: median,
            ..late.clone()
        };
    }
    if let Some(detail) = exceeded(step, &step.expect, &times) {
        return Observation {
            class: Class::Slow,
            reason: Reason::Time,
            detail,
            ..good
        };
    }
    let too_many = step.warn.errors_percent.is_some_and(|most| percent > most);
    let warning = exceeded(step, &step.warn, &times)
        .or_else(|| too_many.then(|| format!("{} of {} samples failed", failures.len(), seen.len())));
    match warning {
        Some(detail) => Observation {
            warned: true,
            detail,
            ..good
        },
        None => good,
    }
}

/// The first percentile that is exceeded, in words.
fn exceeded(step: &Step, expect: &Expect, sorted_ms: &[u32]) -> Option<String> {
    let is_over = |(percent, limit): &&(u8, Duration)| {
        percentile(sorted_ms, *percent).is_some_and(|ms| u128::from(ms) > limit.as_millis())
    };
    let (percent, limit) = expect.percentiles.iter().find(is_over)?;
    let ms = percentile(sorted_ms, *percent)?;
    Some(format!(
        "{}: p{percent} of {} samples is {ms} ms, expected at most {} ms",
        step.label(),
        sorted_ms.len(),
        limit.as_millis()
    ))
}

/// The nearest rank: the smallest of them that at least so many percent are not over.
fn percentile(sorted_ms: &[u32], percent: u8) -> Option<u32> {
    let rank = (sorted_ms.len() * usize::from(percent)).div_ceil(100);
    sorted_ms.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let hundred: Vec<u32> = (1..=100).collect();
        let table: &[(&[u32], u8, Option<u32>)] = &[
            (&[], 95, None),
            (&[7], 50, Some(7)),
            (&[1, 2], 50, Some(1)),
            (&[1, 2], 95, Some(2)),
            (&hundred, 95, Some(95)),
            (&hundred, 99, Some(99)),
        ];
        for (times, percent, expected) in table {
            assert_eq!(percentile(times, *percent), *expected, "p{percent} of {times:?}");
        }
    }
}
