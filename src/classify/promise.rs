//! From which probability on labels may be applied without a person, so that the precision that
//! was asked for is kept. Pure.
//!
//! Thresholds are tested from the strictest down, each against an exact binomial bound at 95 %,
//! and the walk ends at the first that fails: fixed-sequence testing, so that many thresholds cost
//! no confidence ("Learn then Test", Angelopoulos et al. 2021). Classes that are often wrong are kept
//! out of that walk: they have thresholds of their own.

use serde::Serialize;

use crate::judge::Estimate;
use crate::judge::binomial::{lower_bound, upper_bound};

/// How often the bound may be wrong.
const MISS: f64 = 0.05;
/// Thresholds are tried at every so much more coverage.
const STEP: f64 = 0.01;
/// The walk begins at this share of the rows: among fewer, one unlucky row would end it.
const FIRST: f64 = 0.1;
/// A class is looked at by itself from so many applied labels on.
const CLASS_ROWS: usize = 60;
/// Parts of the rows: which classes fall short in one is told by the others.
const PARTS: usize = 5;
/// The promise of coverage is for so many tickets to come.
const NEXT_TICKETS: f64 = 1_000.0;

/// How sure an answer counts that is not given, because its ticket is like none that was learned
/// from: it is among all, and never applied.
pub(super) const TURNED_AWAY: f32 = -1.0;

/// Rows that a model had not seen when it answered them: how sure it was, and whether it was right.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Promises {
    /// Falling.
    confidence: Vec<f32>,
    correct: Vec<bool>,
    predicted: Vec<usize>,
}

/// What a target precision comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promise {
    /// The precision that was asked for.
    pub target: f64,
    /// Labels at least this likely are applied; `None` where the evidence allows none.
    pub threshold: Option<f32>,
    /// Classes that need a higher one, by class; `None`: the class is never applied.
    pub stricter: Vec<(usize, Option<f32>)>,
    /// The share of tickets that will get a label; the interval holds for the next 1,000.
    pub coverage: Estimate,
    /// The share of applied labels that was right.
    pub precision: Estimate,
}

impl Promise {
    /// Whether a label of this class and probability is applied.
    pub fn applies(&self, class: usize, confidence: f32) -> bool {
        let stricter = self.stricter.iter().find(|(c, _)| *c == class);
        let threshold = stricter.map_or(self.threshold, |(_, t)| *t);
        threshold.is_some_and(|t| confidence >= t)
    }
}

impl Promises {
    /// From answers in any order: confidence, whether it was right, and the class.
    pub fn new(mut answers: Vec<(f32, bool, usize)>) -> Self {
        // Of equally sure ones the wrong come first, so that no threshold looks better than it is.
        answers.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut promises = Self::default();
        for (confidence, correct, class) in answers {
            promises.confidence.push(confidence);
            promises.correct.push(correct);
            promises.predicted.push(class);
        }
        promises
    }

    /// The answers, surest first.
    pub fn answers(&self) -> impl ExactSizeIterator<Item = (f32, bool, usize)> + '_ {
        (0..self.confidence.len()).map(|i| (self.confidence[i], self.correct[i], self.predicted[i]))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.confidence.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.confidence.is_empty()
    }

    /// The widest coverage whose precision is at least `target` (above 0, below 1), beyond chance.
    pub fn at(&self, target: f64) -> Promise {
        let threshold = self.threshold(target);
        let stricter = threshold.map_or_else(Vec::new, |t| self.stricter(target, t, |_| true));
        let promise = Promise {
            target,
            threshold,
            stricter,
            coverage: Estimate { value: 0.0, low: 0.0, high: 0.0 },
            precision: Estimate { value: 0.0, low: 0.0, high: 1.0 },
        };
        let applied: Vec<bool> = self
            .answers()
            .filter(|(p, _, class)| promise.applies(*class, *p))
            .map(|(_, correct, _)| correct)
            .collect();
        let right = applied.iter().filter(|c| **c).count();
        let (n, covered) = (self.len() as f64, applied.len());
        if n == 0.0 || covered == 0 {
            return promise;
        }
        let share = covered as f64 / n;
        // Adds one success and one failure, so that a share of 1 still has an interval.
        let smooth = (covered as f64 + 1.0) / (n + 2.0);
        let width = 1.96 * (smooth * (1.0 - smooth) * (1.0 / n + 1.0 / NEXT_TICKETS)).sqrt();
        Promise {
            coverage: Estimate {
                value: share,
                low: (share - width).max(0.0),
                high: (share + width).min(1.0),
            },
            precision: Estimate {
                value: right as f64 / covered as f64,
                low: lower_bound(right, covered, MISS / 2.0),
                high: upper_bound(right, covered, MISS / 2.0),
            },
            ..promise
        }
    }

    /// The lowest threshold that passes where classes that fall short are not given below their
    /// own. Rows that tell so of a class must not test what comes of it, so each part of the rows
    /// is held to what the others say.
    fn threshold(&self, target: f64) -> Option<f32> {
        let alone = self.walk(target, &vec![false; self.len()])?;
        let mut held_back = vec![false; self.len()];
        for part in 0..PARTS {
            let stricter = self.stricter(target, alone, |at| at % PARTS != part);
            for (class, least) in stricter {
                for at in (part..self.len()).step_by(PARTS) {
                    held_back[at] |= self.predicted[at] == class
                        && least.is_none_or(|least| self.confidence[at] < least);
                }
            }
        }
        self.walk(target, &held_back)
    }

    /// The lowest threshold of a walk over the others that still passes.
    fn walk(&self, target: f64, held_back: &[bool]) -> Option<f32> {
        let n = self.len();
        let (confidence, correct): (Vec<f32>, Vec<bool>) = (self.answers().zip(held_back))
            .take_while(|((p, ..), _)| *p > TURNED_AWAY)
            .filter(|(_, held_back)| !**held_back)
            .map(|((p, correct, _), _)| (p, correct))
            .unzip();
        let given = confidence.len();
        // Fewer could not pass even if three times in a row none was wrong.
        let least = (3.0 * MISS.ln() / target.ln()).ceil() as usize;
        let step = ((n as f64 * STEP) as usize).max(1);
        let (mut right, mut seen, mut passed) = (0, 0, None);
        let mut next = least.max((n as f64 * FIRST) as usize).min(given);
        if given < least / 3 {
            return None;
        }
        while seen < given {
            let p = confidence[seen];
            while seen < given && confidence[seen] >= p {
                right += usize::from(correct[seen]);
                seen += 1;
            }
            if seen >= next {
                if lower_bound(right, seen, MISS) < target {
                    break;
                }
                passed = Some(p);
                next = (seen + step).min(given);
            }
        }
        passed
    }

    /// Classes whose applied labels fall short of the target beyond chance, and the thresholds from
    /// which on they do not. `told` picks the rows that tell.
    fn stricter(
        &self,
        target: f64,
        threshold: f32,
        told: impl Fn(usize) -> bool,
    ) -> Vec<(usize, Option<f32>)> {
        let classes = self.predicted.iter().max().map_or(0, |c| c + 1);
        let mut by_class: Vec<Vec<(f32, bool)>> = vec![Vec::new(); classes];
        let applied = self.answers().enumerate().take_while(|(_, a)| a.0 >= threshold);
        for (_, (p, correct, class)) in applied.filter(|(at, _)| told(*at)) {
            by_class[class].push((p, correct));
        }
        let mut stricter = Vec::new();
        for (class, answers) in by_class.iter().enumerate() {
            let right = answers.iter().filter(|a| a.1).count();
            if answers.len() < CLASS_ROWS || upper_bound(right, answers.len(), MISS) >= target {
                continue;
            }
            let (mut right, mut best) = (0, None);
            for (at, (p, correct)) in answers.iter().enumerate() {
                right += usize::from(*correct);
                if at + 1 >= CLASS_ROWS / 3 && right as f64 >= target * (at + 1) as f64 {
                    best = Some(*p);
                }
            }
            stricter.push((class, best));
        }
        stricter
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(n: usize, seed: u64) -> Vec<(f32, bool, usize)> {
        let mut rng = fastrand::Rng::with_seed(seed);
        (0..n)
            .map(|_| {
                let p = rng.f32().sqrt();
                (p, rng.f32() < p, rng.usize(..3))
            })
            .collect()
    }

    #[test]
    fn what_is_turned_away_is_never_applied_and_counts_among_all() {
        let sure = |n: usize| (0.9 - n as f32 * 1e-4, true, 0);
        let away = |_| (TURNED_AWAY, true, 0);
        let answers = (0..900).map(sure).chain((0..100).map(away)).collect();
        let promise = Promises::new(answers).at(0.5);
        assert!(promise.threshold.is_some_and(|t| t > 0.8), "{promise:?}");
        assert!((promise.coverage.value - 0.9).abs() < 1e-9, "{promise:?}");
        assert!(Promises::new((0..100).map(away).collect()).at(0.5).threshold.is_none());
    }

    #[test]
    fn the_promise_is_kept_in_nineteen_of_twenty_worlds() {
        let (mut broken, mut none) = (0, 0);
        for seed in 0..200 {
            let promise = Promises::new(answers(2_000, seed)).at(0.9);
            let Some(threshold) = promise.threshold else {
                none += 1;
                continue;
            };
            // Confidences are their own probability, spread as √u: precision above t is known.
            let t = f64::from(threshold);
            let precision = 2.0 / 3.0 * (1.0 - t.powi(3)) / (1.0 - t.powi(2));
            broken += usize::from(precision < 0.9);
        }
        assert!(broken <= 16, "{broken} of 200");
        assert!(none <= 2, "{none} of 200");
    }

    #[test]
    fn the_promise_is_kept_where_some_classes_are_often_wrong() {
        const CLASSES: usize = 20;
        let (mut broken, mut covered) = (0, 0.0);
        for seed in 0..100 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let often_wrong = |class: usize| class < 3;
            let right = |class| if often_wrong(class) { 0.72 } else { 0.985 };
            let top = |class| if often_wrong(class) { 0.7 } else { 1.0 };
            let mut answer = |_| {
                let class = rng.usize(..CLASSES);
                (rng.f32() * top(class), rng.f64() < right(class), class)
            };
            let promise = Promises::new((0..8_000).map(&mut answer).collect()).at(0.95);
            // Confidences are even up to the class's top: what is above a threshold is known.
            let applied = |class: usize| {
                let own = promise.stricter.iter().find(|(c, _)| *c == class);
                let threshold = own.map_or(promise.threshold, |(_, t)| *t);
                f64::from(threshold.map_or(0.0, |t| (1.0 - t / top(class)).max(0.0)))
            };
            let all: f64 = (0..CLASSES).map(applied).sum();
            let precise: f64 = (0..CLASSES).map(|class| applied(class) * right(class)).sum();
            broken += usize::from(precise < 0.95 * all);
            covered += all / CLASSES as f64;
        }
        assert!(broken <= 9, "{broken} of 100");
        // All but the three classes; one threshold for all would leave half of that out.
        assert!(covered / 100.0 > 0.8, "{covered}");
    }

    #[test]
    fn one_class_that_is_often_wrong_costs_the_others_nothing() {
        let one = |i: usize| (0.6 + (i % 400) as f32 / 1_000.0, !i.is_multiple_of(50), 0);
        let other = |i: usize| (0.6 + (i % 200) as f32 / 1_000.0, i % 5 < 3, 1);
        let both = (0..4_000).map(one).chain((0..400).map(other)).collect();
        let promise = Promises::new(both).at(0.95);
        assert!(promise.applies(0, 0.601), "{promise:?}");
        assert!(!promise.applies(1, 0.7), "{promise:?}");
    }

    #[test]
    fn coverage_is_foretold() {
        let promise = Promises::new(answers(5_000, 7)).at(0.9);
        let later = answers(1_000, 8);
        let covered = later.iter().filter(|a| promise.applies(a.2, a.0)).count() as f64 / 1_000.0;
        assert!(promise.coverage.low <= covered && covered <= promise.coverage.high);
    }

    #[test]
    fn too_little_evidence_promises_nothing() {
        assert_eq!(Promises::new(answers(10, 1)).at(0.95).threshold, None);
        assert_eq!(Promises::default().at(0.95).threshold, None);
        let wrong = (0..500).map(|i| (i as f32 / 500.0, false, 0)).collect();
        assert_eq!(Promises::new(wrong).at(0.9).threshold, None);
    }

    #[test]
    fn a_class_that_falls_short_gets_a_threshold_of_its_own() {
        let mut rows = Vec::new();
        for i in 0..4_000 {
            let p = 0.9 + (i % 100) as f32 / 1_000.0;
            rows.push((p, true, 0));
            if i % 10 == 0 {
                rows.push((p, p > 0.97 || i % 20 == 0, 1));
            }
        }
        let promise = Promises::new(rows).at(0.95);
        assert!(promise.applies(0, 0.91));
        assert!(!promise.applies(1, 0.91));
        assert!(promise.applies(1, 0.995));
    }
}
