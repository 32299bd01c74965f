//! A figure with its interval, and the resampling that finds the interval.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How often data are resampled for an interval.
pub const RESAMPLES: usize = 1_000;

/// A figure with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The figure, on the data as they are.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl fmt::Display for Estimate {
    /// To the places asked for, three if none are: `0.946 (0.940–0.951)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(3);
        let Self { value, low, high } = self;
        write!(f, "{value:.places$} ({low:.places$}–{high:.places$})")
    }
}

/// A figure of `rows` rows with its percentile bootstrap interval (Efron & Tibshirani, *An
/// Introduction to the Bootstrap*, 1993, ch. 13), from [`RESAMPLES`] resamples; the same seed
/// gives the same interval.
///
/// `statistic` is told how often each row was drawn, so that it can sort its rows once and not for
/// each resample; ones everywhere are the data as they are. Figures such as the calibration error
/// only grow by resampling, so the interval is widened to hold the value where it would not.
pub fn bootstrap(rows: usize, seed: u64, statistic: impl Fn(&[u32]) -> f64) -> Estimate {
    let mut drawn = vec![1; rows];
    let value = statistic(&drawn);
    if rows == 0 {
        return Estimate { value, low: value, high: value };
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut values = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.fill(0);
        for _ in 0..rows {
            drawn[rng.usize(..rows)] += 1;
        }
        values.push(statistic(&drawn));
    }
    values.sort_by(f64::total_cmp);
    let (low, high) = (quantile(&values, 0.025), quantile(&values, 0.975));
    Estimate { value, low: low.min(value), high: high.max(value) }
}

/// The difference `a − b` of two figures of the same rows, with its bootstrap interval: each
/// resample draws the same rows for both (Efron & Tibshirani 1993, ch. 16). An interval without 0
/// is a difference beyond chance.
pub fn paired_bootstrap(
    rows: usize,
    seed: u64,
    a: impl Fn(&[u32]) -> f64,
    b: impl Fn(&[u32]) -> f64,
) -> Estimate {
    bootstrap(rows, seed, |drawn| a(drawn) - b(drawn))
}

/// The `q` quantile of sorted values, between neighbours by straight line (type 7 of Hyndman & Fan,
/// *The American Statistician* 1996); 0 of none.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let at = q * last as f64;
    let below = (at.floor() as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mean(values: &[f64]) -> impl Fn(&[u32]) -> f64 + '_ {
        |drawn| {
            let sum: f64 = values.iter().zip(drawn).map(|(v, d)| v * f64::from(*d)).sum();
            sum / f64::from(drawn.iter().sum::<u32>())
        }
    }

    #[test]
    fn a_means_interval_is_the_one_that_theory_gives() {
        let mut rng = fastrand::Rng::with_seed(7);
        let values: Vec<f64> = (0..2_000).map(|_| rng.f64()).collect();
        let estimate = bootstrap(values.len(), 1, mean(&values));
        // The standard error of the mean of 2,000 uniform values is 0.00645.
        for half in [estimate.high - estimate.value, estimate.value - estimate.low] {
            assert!((half - 1.96 * 0.006_45).abs() < 0.0015, "{estimate}");
        }
        assert_eq!(estimate, bootstrap(values.len(), 1, mean(&values)));
        assert_ne!(estimate, bootstrap(values.len(), 2, mean(&values)));
    }

    #[test]
    fn pairs_are_drawn_together() {
        let mut rng = fastrand::Rng::with_seed(3);
        let b: Vec<f64> = (0..500).map(|_| rng.f64()).collect();
        let a: Vec<f64> = b.iter().map(|b| b + 0.01).collect();
        let difference = paired_bootstrap(500, 1, mean(&a), mean(&b));
        assert!((difference.low - 0.01).abs() < 1e-12 && (difference.high - 0.01).abs() < 1e-12);
    }

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[5.0], 0.3), 5.0);
        assert_eq!(quantile(&[], 0.3), 0.0);
    }

    #[test]
    fn it_is_written_as_an_object() {
        let json = serde_json::to_string(&Estimate { value: 0.5, low: 0.25, high: 1.0 }).unwrap();
        assert_eq!(json, r#"{"value":0.5,"low":0.25,"high":1.0}"#);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_value(values in prop::collection::vec(-1.0f64..1.0, 1..30), seed: u64) {
            let e = bootstrap(values.len(), seed, mean(&values));
            prop_assert!(e.low <= e.value && e.value <= e.high);
        }
    }
}
