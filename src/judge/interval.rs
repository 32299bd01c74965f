//! Intervals for shares.

use std::fmt;

use super::Estimate;

/// A share of successes among trials, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// How many.
    pub successes: usize,
    /// Out of how many.
    pub trials: usize,
}

impl Share {
    /// The share itself, 0 to 1; 0 without trials.
    pub fn value(&self) -> f64 {
        if self.trials == 0 { 0.0 } else { self.successes as f64 / self.trials as f64 }
    }

    /// Its 95 % Wilson interval.
    pub fn interval(&self) -> (f64, f64) {
        wilson(self.successes, self.trials, 1.959_964)
    }

    /// Share and interval as one figure.
    pub fn estimate(&self) -> Estimate {
        let (low, high) = self.interval();
        Estimate { value: self.value(), low, high }
    }
}

impl FromIterator<bool> for Share {
    fn from_iter<T: IntoIterator<Item = bool>>(outcomes: T) -> Self {
        let mut share = Self { successes: 0, trials: 0 };
        for outcome in outcomes {
            share.trials += 1;
            share.successes += usize::from(outcome);
        }
        share
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval();
        let percent = |x: f64| x * 100.0;
        let (value, low, high) = (percent(self.value()), percent(low), percent(high));
        f.pad(&format!("{value:.1} % ({low:.1}–{high:.1})"))
    }
}

/// Wilson's score interval for a share (Wilson, JASA 1927) at `z` standard deviations. Without
/// trials nothing is known: 0 to 1.
pub fn wilson(successes: usize, trials: usize, z: f64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let z2 = z * z;
    let centre = p + z2 / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_known_interval() {
        // 81 of 263, from Newcombe (Statistics in Medicine 1998), table I, method 3.
        let (low, high) = wilson(81, 263, 1.959_964);
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share(trials in 1usize..2000, part in 0.0f64..=1.0) {
            let successes = (trials as f64 * part) as usize;
            let share = Share { successes, trials };
            let (low, high) = share.interval();
            prop_assert!(0.0 <= low && low <= share.value() + 1e-12);
            prop_assert!(share.value() <= high + 1e-12 && high <= 1.0);
        }
    }
}
