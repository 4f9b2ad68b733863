//! A share and how sure it is.

use serde::Serialize;
use utoipa::ToSchema;

/// The 97.5th percentile of the normal distribution: intervals hold 95 % of the time.
const Z: f64 = 1.959_964;
/// So many of so many, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Share {
    /// How many.
    pub count: usize,
    /// Of how many.
    pub of: usize,
    /// Wilson's score interval, 95 %.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Share {
    /// `count` of `of` (Wilson 1927).
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn new(count: usize, of: usize) -> Self {
        let n = of.max(1) as f64;
        let p = count as f64 / n;
        let (z2, spread) = (Z * Z, Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt());
        let (middle, scale) = (p + z2 / (2.0 * n), 1.0 + z2 / n);
        Self {
            count,
            of,
            low: ((middle - spread) / scale).max(0.0),
            high: ((middle + spread) / scale).min(1.0),
        }
    }

    /// The share itself.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn value(&self) -> f64 {
        self.count as f64 / self.of.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_wilsons_interval() {
        let none = Share::new(0, 30_000);
        assert!(
            none.low.abs() < 1e-12 && (none.high - 1.280_4e-4).abs() < 1e-7,
            "{none:?}"
        );
        let some = Share::new(10, 100);
        assert!(
            (some.low - 0.0552).abs() < 1e-3 && (some.high - 0.1744).abs() < 1e-3,
            "{some:?}"
        );
    }
}
