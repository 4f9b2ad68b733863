//! Latency: percentiles over a run's answers, and comparison with this app's own earlier deployments. Each test says how
//! sure it is; chance alone is hardly ever taken for slowness.

use serde::{Deserialize, Serialize};

use super::plan::TimeBound;

/// Answers whose times are kept of one check: enough for any percentile that is worth expecting.
pub const TIMES_MAX: usize = 200;
/// A bound is exceeded for sure if chance would do it less often than this. It is asked after each answer, hundreds of
/// times in a run, so one answer's chance must be far below what the run as a whole may err.
const EXCEEDED_CHANCE_MAX: f64 = 1e-6;
/// Slower than before for sure if chance would look so less often than this; it is asked once for each check.
const SLOWER_CHANCE_MAX: f64 = 1e-4;
/// Slower by less than half is nobody's concern ...
const SLOWER_RATIO_MIN: f64 = 1.5;
/// ... nor by less than this, in milliseconds.
const SLOWER_MS_MIN: u32 = 20;
/// Fewer answers than this, now or before, cannot be compared.
const COMPARED_MIN: usize = 12;

/// The times of one check's good answers, oldest first, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Times(Vec<u32>);

impl Times {
    /// Keeps one more; the oldest gives way.
    pub fn add(&mut self, ms: u32) {
        if self.0.len() == TIMES_MAX {
            self.0.remove(0);
        }
        self.0.push(ms);
    }

    /// The times.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// How `bound` is exceeded, in words, if that is sure: so many answers are over it that a service which keeps it would
    /// hardly ever give them (binomial test).
    pub fn exceeded(&self, bound: &TimeBound) -> Option<String> {
        let over = self.0.iter().filter(|ms| **ms > bound.ms).count();
        let allowed = f64::from(100 - bound.percent.min(100)) / 100.0;
        (binomial_tail(self.0.len(), over, allowed) < bound_chance(bound)).then(|| {
            format!(
                "{over} of {} answers took over {} ms, expected {} % at most (p{})",
                self.0.len(),
                bound.ms,
                100 - bound.percent.min(100),
                bound.percent
            )
        })
    }
}

/// A warning does no harm, so it need not be as sure.
const fn bound_chance(bound: &TimeBound) -> f64 {
    if bound.is_warning { 1e-3 } else { EXCEEDED_CHANCE_MAX }
}

/// How `now` is slower than `before`, in words, if that is sure: by a rank-sum test (Mann and Whitney 1947, normal
/// approximation with ties), and by enough to matter.
pub(super) fn slower(now: &[u32], before: &[u32]) -> Option<String> {
    if now.len() < COMPARED_MIN || before.len() < COMPARED_MIN {
        return None;
    }
    let (median_now, median_before) = (median(now), median(before));
    let matters = f64::from(median_now) >= f64::from(median_before) * SLOWER_RATIO_MIN
        && median_now >= median_before.saturating_add(SLOWER_MS_MIN);
    let chance = rank_sum_chance(now, before);
    (matters && chance < SLOWER_CHANCE_MAX).then(|| {
        let chance = match chance {
            ..1e-6 => "a million",
            ..1e-5 => "a hundred thousand",
            _ => "ten thousand",
        };
        format!(
            "is slower than in earlier deployments: median {median_now} ms, was {median_before} ms (by chance less than once in {chance})"
        )
    })
}

fn median(times: &[u32]) -> u32 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// The chance of `hits` or more in `tries`, each with chance `p`.
#[expect(clippy::cast_precision_loss, reason = "at most TIMES_MAX")]
fn binomial_tail(tries: usize, hits: usize, p: f64) -> f64 {
    if hits == 0 {
        return 1.0;
    }
    if p <= 0.0 {
        return 0.0;
    }
    // In logarithms, since a power of a small number is soon nothing.
    let mut log_choose = 0.0;
    let mut sum = 0.0;
    for k in 0..=tries {
        if k > 0 {
            log_choose += ((tries - k + 1) as f64).ln() - (k as f64).ln();
        }
        if k >= hits {
            let rest = if p >= 1.0 {
                f64::from(u8::from(k == tries)).ln()
            } else {
                (tries - k) as f64 * (1.0 - p).ln()
            };
            sum += (log_choose + k as f64 * p.ln() + rest).exp();
        }
    }
    sum.min(1.0)
}

/// The one-sided chance that `now` ranks so high above `before` if both were alike.
#[expect(clippy::cast_precision_loss, reason = "a few thousand answers at most")]
fn rank_sum_chance(now: &[u32], before: &[u32]) -> f64 {
    let mut all: Vec<(u32, bool)> = now
        .iter()
        .map(|ms| (*ms, true))
        .chain(before.iter().map(|ms| (*ms, false)))
        .collect();
    all.sort_unstable_by_key(|(ms, _)| *ms);
    let (n1, n2, n) = (now.len() as f64, before.len() as f64, all.len() as f64);
    let (mut rank_sum, mut ties, mut first) = (0.0, 0.0, 0);
    for group in all.chunk_by(|(a, _), (b, _)| a == b) {
        let size = group.len() as f64;
        // Answers that took alike share the mean of their ranks.
        let rank = first as f64 + (size + 1.0) / 2.0;
        rank_sum += rank * group.iter().filter(|(_, is_now)| *is_now).count() as f64;
        ties += size * size * size - size;
        first += group.len();
    }
    let u = rank_sum - n1 * (n1 + 1.0) / 2.0;
    let variance = n1 * n2 / 12.0 * ((n + 1.0) - ties / (n * (n - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    normal_tail((u - n1 * n2 / 2.0 - 0.5) / variance.sqrt())
}

/// The upper tail of the normal distribution (Abramowitz and Stegun 26.2.17; error below 1e-7).
fn normal_tail(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_tail(-z);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let poly =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    poly * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(slow: usize, fast: usize) -> Times {
        let mut times = Times::default();
        (0..fast).for_each(|_| times.add(50));
        (0..slow).for_each(|_| times.add(900));
        times
    }

    fn bound(percent: u8, is_warning: bool) -> TimeBound {
        TimeBound {
            percent,
            ms: 400,
            is_warning,
        }
    }

    #[test]
    fn tails_are_those_of_the_tables() {
        let near = |found: f64, known: f64| assert!((found - known).abs() < known * 1e-3 + 1e-7, "{found} {known}");
        near(binomial_tail(10, 3, 0.5), 0.945_312_5);
        near(binomial_tail(12, 5, 0.05), 1.84e-4);
        near(binomial_tail(5, 0, 0.05), 1.0);
        near(binomial_tail(5, 5, 1.0), 1.0);
        assert!(binomial_tail(200, 200, 0.01) < 1e-300);
        near(normal_tail(0.0), 0.5);
        near(normal_tail(1.644_854), 0.05);
        near(normal_tail(3.719_016), 1e-4);
    }

    #[test]
    fn a_percentile_is_exceeded_only_for_sure() {
        assert_eq!(times(0, 200).exceeded(&bound(95, false)), None);
        // As many as may be, and twice as many: chance does that.
        assert_eq!(times(10, 190).exceeded(&bound(95, false)), None);
        assert_eq!(times(2, 18).exceeded(&bound(95, false)), None);
        let said = times(10, 10).exceeded(&bound(95, false)).unwrap();
        assert_eq!(said, "10 of 20 answers took over 400 ms, expected 5 % at most (p95)");
        assert!(
            times(6, 14).exceeded(&bound(95, true)).is_some(),
            "a warning needs less"
        );
        assert_eq!(times(6, 14).exceeded(&bound(95, false)), None);
        assert_eq!(times(30, 170).exceeded(&bound(50, true)), None, "the median keeps it");
    }

    #[test]
    fn slower_than_before_is_said_only_if_it_is_sure_and_matters() {
        let spread = |from: u32, count: u32| (0..count).map(|k| from + k * 7 % 40).collect::<Vec<u32>>();
        assert_eq!(slower(&spread(50, 60), &spread(50, 200)), None, "alike");
        assert_eq!(slower(&spread(58, 60), &spread(50, 200)), None, "hardly slower");
        let said = slower(&spread(150, 24), &spread(50, 200)).unwrap();
        assert!(
            said.starts_with("is slower than in earlier deployments: median 170 ms, was 70 ms (by chance less than once in a million)"),
            "{said}"
        );
        assert_eq!(slower(&spread(150, 11), &spread(50, 200)), None, "too few answers");
        assert_eq!(slower(&[5; 50], &[1; 50]), None, "milliseconds are nobody's concern");
        assert_eq!(slower(&spread(10, 24), &spread(150, 200)), None, "faster");
    }
}
