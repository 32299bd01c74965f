//! Exact probabilities of a number of successes, and what follows from them.

use std::f64::consts::TAU;

/// The probability of at least so many successes in `trials` trials that each succeed with
/// probability `p`: the one-sided test of "the rate is above `p`".
///
/// Right to about 12 digits for a million trials and more: the largest term is found by Loader's
/// saddle-point expansion (*Fast and Accurate Computation of Binomial Probabilities*, 2000), the
/// others from it.
pub fn at_least(successes: usize, trials: usize, p: f64) -> f64 {
    if successes == 0 {
        return 1.0;
    }
    tail(successes, trials, p)
}

/// The probability of at most so many successes: the one-sided test of "the rate is below `p`".
pub fn at_most(successes: usize, trials: usize, p: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    // At most k successes are at least n − k failures.
    tail(trials - successes, trials, 1.0 - p)
}

/// The exact interval of Clopper & Pearson (*Biometrika* 1934) for the rate: each end is missed with
/// probability at most `miss` (0.025 for a 95 % interval). Without trials nothing is known: 0 to 1.
pub fn clopper_pearson(successes: usize, trials: usize, miss: f64) -> (f64, f64) {
    (lower_bound(successes, trials, miss), upper_bound(successes, trials, miss))
}

/// The rate that is exceeded with confidence `1 − miss`: the lower end of [`clopper_pearson`].
pub fn lower_bound(successes: usize, trials: usize, miss: f64) -> f64 {
    if successes == 0 {
        return 0.0;
    }
    // The rate at which so many successes become just too many to be chance.
    bisect(|p| at_least(successes, trials, p) < miss).0
}

/// The rate that is not reached with confidence `1 − miss`: the upper end of [`clopper_pearson`].
pub fn upper_bound(successes: usize, trials: usize, miss: f64) -> f64 {
    if successes >= trials {
        return 1.0;
    }
    bisect(|p| at_most(successes, trials, p) >= miss).1
}

/// The exact `McNemar` test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Rows that only the first has right.
    pub only_first: usize,
    /// Rows that only the second has right.
    pub only_second: usize,
    /// The two-sided probability of a split at least so uneven, were both equally good.
    pub p: f64,
}

/// Compares two models on the same rows by those that only one of them has right (`McNemar`,
/// *Psychometrika* 1947; exact form). Rows beyond the shorter list are left out.
pub fn mcnemar(first: &[bool], second: &[bool]) -> McNemar {
    let only = |a: &[bool], b: &[bool]| a.iter().zip(b).filter(|(a, b)| **a && !**b).count();
    let (only_first, only_second) = (only(first, second), only(second, first));
    let fewer = only_first.min(only_second);
    let p = (2.0 * at_most(fewer, only_first + only_second, 0.5)).min(1.0);
    McNemar { only_first, only_second, p }
}

/// Between which two numbers in 0 to 1 a condition that holds below stops to hold.
fn bisect(holds: impl Fn(f64) -> bool) -> (f64, f64) {
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high || high - low < 1e-15 {
            return (low, high);
        }
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// `P[X ≥ k]` for `0 < k`.
fn tail(k: usize, n: usize, p: f64) -> f64 {
    if k > n || p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    // The side without the mode is summed, since its terms only fall.
    if k as f64 > n as f64 * p { falling(k, n, p) } else { 1.0 - falling(n - k + 1, n, 1.0 - p) }
}

/// The sum of the terms from `k` on, where each is smaller than the one before.
fn falling(k: usize, n: usize, p: f64) -> f64 {
    let odds = p / (1.0 - p);
    let (mut term, mut sum) = (1.0, 1.0);
    for i in k..n {
        term *= (n - i) as f64 / (i + 1) as f64 * odds;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    (log_term(k, n, p) + f64::ln(sum)).exp().min(1.0)
}

/// The logarithm of `P[X = k]`.
fn log_term(k: usize, n: usize, p: f64) -> f64 {
    let (x, size) = (k as f64, n as f64);
    if k == 0 {
        return size * (-p).ln_1p();
    }
    if k == n {
        return size * p.ln();
    }
    let rest = size - x;
    stirling_error(n)
        - stirling_error(k)
        - stirling_error(n - k)
        - deviance(x, size * p)
        - deviance(rest, size * (1.0 - p))
        - 0.5 * (TAU * x * (rest / size)).ln()
}

/// What Stirling's formula leaves of `ln n!`.
fn stirling_error(n: usize) -> f64 {
    let x = n as f64;
    if n < 16 {
        let factorial: f64 = (1..=n).map(|i| i as f64).product();
        return factorial.ln() - (0.5 * (TAU * x).ln() + x * x.ln() - x);
    }
    let square = x * x;
    let mut series = 1.0 / 1188.0;
    for coefficient in [1.0 / 1680.0, 1.0 / 1260.0, 1.0 / 360.0, 1.0 / 12.0] {
        series = coefficient - series / square;
    }
    series / x
}

/// `x ln(x/m) + m − x`, without losing digits where `x` is near `m`.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut term = 2.0 * x * v;
    for i in 1..1_000 {
        term *= v * v;
        let next = sum + term / f64::from(2 * i + 1);
        if (next - sum).abs() <= 1e-17 * next.abs() {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "0 and 1 are exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_cases_are_those_one_can_count() {
        // Three coins.
        assert!((at_least(2, 3, 0.5) - 0.5).abs() < 1e-14);
        assert!((at_least(3, 3, 0.5) - 0.125).abs() < 1e-14);
        assert!((at_most(0, 3, 0.5) - 0.125).abs() < 1e-14);
        assert_eq!((at_least(0, 3, 0.2), at_most(3, 3, 0.2)), (1.0, 1.0));
        assert_eq!((at_least(1, 3, 0.0), at_least(3, 3, 1.0)), (0.0, 1.0));
        assert_eq!((at_least(0, 0, 0.5), at_most(0, 0, 0.5), at_least(1, 0, 0.5)), (1.0, 1.0, 0.0));
    }

    #[test]
    fn intervals_without_failures_or_successes_are_closed_forms() {
        let (low, high) = clopper_pearson(0, 20, 0.025);
        assert!(low == 0.0 && (high - (1.0 - 0.025f64.powf(0.05))).abs() < 1e-12);
        let (low, high) = clopper_pearson(20, 20, 0.025);
        assert!(high == 1.0 && (low - 0.025f64.powf(0.05)).abs() < 1e-12);
        assert_eq!(clopper_pearson(0, 0, 0.025), (0.0, 1.0));
    }

    #[test]
    fn only_rows_that_differ_decide() {
        let first = [true, true, true, true, true, true, false, true];
        let second = [false, false, false, false, false, false, true, true];
        let test = mcnemar(&first, &second);
        assert_eq!((test.only_first, test.only_second), (6, 1));
        // 2 · (1 + 7) / 2⁷
        assert!((test.p - 0.125).abs() < 1e-14);
        assert_eq!(mcnemar(&first, &first).p, 1.0);
        assert_eq!(mcnemar(&[], &[]).p, 1.0);
    }

    proptest! {
        #[test]
        fn both_tails_make_one(trials in 1usize..3_000, part in 0.0f64..1.0, p in 0.001f64..0.999) {
            let k = 1 + (trials as f64 * part) as usize;
            let whole = at_least(k, trials, p) + at_most(k - 1, trials, p);
            prop_assert!((whole - 1.0).abs() < 1e-11, "{}", whole);
        }

        #[test]
        fn a_bound_is_where_the_test_turns(trials in 1usize..500, part in 0.0f64..=1.0) {
            let k = (trials as f64 * part) as usize;
            let (low, high) = clopper_pearson(k, trials, 0.025);
            let rate = k as f64 / trials as f64;
            prop_assert!(0.0 <= low && low <= rate && rate <= high && high <= 1.0);
            if k > 0 {
                prop_assert!((at_least(k, trials, low) - 0.025).abs() < 1e-9);
            }
            if k < trials {
                prop_assert!((at_most(k, trials, high) - 0.025).abs() < 1e-9);
            }
        }
    }
}
