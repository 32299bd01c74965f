//! Against scikit-learn and `SciPy`: `tests/judge/reference.py` wrote what they say.
#![expect(clippy::float_cmp, reason = "what is compared exactly is exact")]

use serde::Deserialize;

use super::super::binomial::{at_least, at_most, clopper_pearson, mcnemar};
use super::super::scores::ascending;
use super::super::{Estimate, Outcomes, ScoreError, Scores, bootstrap, wilson};
use super::calibration::{binned, error};
use super::*;

#[derive(Deserialize)]
struct Reference {
    scored: Vec<Scored>,
    binomial: Vec<Binomial>,
    mcnemar: Vec<Compared>,
    scopes: Vec<Rejected>,
}

#[derive(Deserialize)]
struct Scored {
    name: String,
    classes: usize,
    /// Probabilities times 1024.
    parts: Vec<u16>,
    truth: Vec<u32>,
    expected: Expected,
}

#[derive(Deserialize)]
struct Expected {
    accuracy: f64,
    macro_f1: f64,
    classes: Vec<usize>,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    support: Vec<usize>,
    confusion: Vec<Vec<u32>>,
    top: std::collections::BTreeMap<usize, f64>,
    brier: f64,
    log_loss: f64,
    ece: f64,
    auroc: Option<f64>,
    /// Threshold, coverage, precision.
    curve: Vec<(f32, f64, f64)>,
}

#[derive(Deserialize)]
struct Binomial {
    successes: usize,
    trials: usize,
    p: f64,
    at_least: f64,
    at_most: f64,
    exact: (f64, f64),
    wilson: (f64, f64),
}

#[derive(Deserialize)]
struct Compared {
    only_first: usize,
    only_second: usize,
    p: f64,
}

#[derive(Deserialize)]
struct Rejected {
    in_scope: Vec<f32>,
    correct: Vec<bool>,
    out_of_scope: Vec<f32>,
    /// Threshold, recall of what is out of scope, in-scope accuracy.
    points: Vec<(f32, f64, f64)>,
    auroc: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../tests/judge/reference.json")).unwrap()
}

impl Scored {
    fn scores(&self) -> Scores {
        let p = self.parts.iter().map(|part| f32::from(*part) / 1024.0).collect();
        Scores::new(self.classes, p, self.truth.clone()).unwrap()
    }
}

#[track_caller]
fn same(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() < 1e-6, "{what}: {ours} instead of {theirs}");
}

/// Right to six digits, however small.
#[track_caller]
fn same_digits(ours: f64, theirs: f64, what: &str) {
    assert!((ours - theirs).abs() <= 1e-6 * theirs.abs() + 1e-300, "{what}: {ours} ≠ {theirs}");
}

#[test]
fn class_figures_are_scikit_learns() {
    for case in reference().scored {
        let (scores, expected, name) = (case.scores(), &case.expected, &case.name);
        same(accuracy(&scores).value(), expected.accuracy, name);
        same(macro_f1(&scores), expected.macro_f1, name);
        for (k, share) in &expected.top {
            same(top_k(&scores, *k).value(), *share, &format!("{name}, top {k}"));
        }
        let classes = per_class(&scores);
        assert_eq!(classes.iter().map(|c| c.class).collect::<Vec<_>>(), expected.classes, "{name}");
        for (at, class) in classes.iter().enumerate() {
            same(class.precision, expected.precision[at], name);
            same(class.recall, expected.recall[at], name);
            same(class.f1, expected.f1[at], name);
            assert_eq!(class.support, expected.support[at], "{name}");
        }
        let confusion = confusion(&scores);
        assert_eq!(confusion.classes(), expected.confusion.len(), "{name}");
        for (truth, row) in expected.confusion.iter().enumerate() {
            for (predicted, rows) in row.iter().enumerate() {
                assert_eq!(confusion.count(truth, predicted), *rows, "{name}");
            }
        }
    }
}

#[test]
fn probability_figures_are_scikit_learns() {
    for case in reference().scored {
        let (scores, expected, name) = (case.scores(), &case.expected, &case.name);
        same(brier(&scores), expected.brier, name);
        same(log_loss(&scores), expected.log_loss, name);
        let outcomes = scores.outcomes();
        same(ece(&outcomes), expected.ece, name);
        let of = |right: bool| -> Vec<f32> {
            let rows = outcomes.confidence().iter().zip(outcomes.correct());
            rows.filter(|(_, correct)| **correct == right)
                .map(|(confidence, _)| *confidence)
                .collect()
        };
        match (auroc(&of(true), &of(false)).unwrap(), expected.auroc) {
            (Some(ours), Some(theirs)) => same(ours, theirs, name),
            (ours, theirs) => assert_eq!(ours, theirs, "{name}"),
        }
        let curve = coverage_curve(&outcomes);
        assert_eq!(curve.len(), expected.curve.len(), "{name}");
        for (point, (threshold, coverage, precision)) in curve.iter().zip(&expected.curve) {
            assert_eq!(point.threshold, *threshold, "{name}");
            same(point.coverage.value(), *coverage, name);
            same(point.precision.value(), *precision, name);
            assert_eq!(at_threshold(&outcomes, *threshold), *point, "{name}");
        }
    }
}

#[test]
fn binomial_figures_are_scipys() {
    for case in reference().binomial {
        let Binomial { successes, trials, p, .. } = case;
        let name = format!("{successes} of {trials} at {p}");
        same_digits(at_least(successes, trials, p), case.at_least, &name);
        same_digits(at_most(successes, trials, p), case.at_most, &name);
        let (low, high) = clopper_pearson(successes, trials, 0.025);
        same_digits(low, case.exact.0, &name);
        same_digits(high, case.exact.1, &name);
        let (low, high) = wilson(successes, trials, 1.959_964);
        same(low, case.wilson.0, &name);
        same(high, case.wilson.1, &name);
    }
    for case in reference().mcnemar {
        let Compared { only_first, only_second, p } = case;
        let outcomes = |first: bool| {
            let differ = [vec![first; only_first], vec![!first; only_second]].concat();
            [differ, vec![true, false]].concat()
        };
        let test = mcnemar(&outcomes(true), &outcomes(false));
        assert_eq!((test.only_first, test.only_second), (only_first, only_second));
        same_digits(test.p, p, "McNemar");
    }
}

#[test]
fn scope_figures_are_scikit_learns() {
    for case in reference().scopes {
        same(auroc(&case.in_scope, &case.out_of_scope).unwrap().unwrap(), case.auroc, "auroc");
        let in_scope = Outcomes::new(case.in_scope, case.correct).unwrap();
        let curve = ScopeCurve::new(&in_scope, case.out_of_scope).unwrap();
        let points = curve.points();
        assert_eq!(points[0].recall.value(), 1.0);
        assert_eq!(points[0].in_scope_accuracy.value(), 0.0);
        assert_eq!(points.len(), case.points.len() + 1);
        for (point, (threshold, recall, accuracy)) in points[1..].iter().zip(&case.points) {
            assert_eq!(point.threshold, *threshold);
            same(point.recall.value(), *recall, "recall");
            same(point.in_scope_accuracy.value(), *accuracy, "in-scope accuracy");
            assert_eq!(curve.at(*threshold), *point);
        }
        for bound in [0.0, 0.3, 0.6, 0.75, 1.0] {
            let enough = |p: &&(f32, f64, f64)| p.2 >= bound;
            let best = case.points.iter().filter(enough).map(|p| p.1).reduce(f64::max);
            let best = if bound == 0.0 { Some(1.0) } else { best };
            assert_eq!(curve.largest_recall(bound).map(|p| p.recall.value()), best, "{bound}");
        }
    }
}

#[test]
fn a_rejected_row_is_wrong_and_of_equal_recall_the_most_accurate_counts() {
    let in_scope = Outcomes::new(vec![0.9, 0.8, 0.3, 0.2], vec![true, true, true, false]).unwrap();
    let curve = ScopeCurve::new(&in_scope, vec![0.5, 0.1]).unwrap();
    let point = curve.largest_recall(0.5).unwrap();
    assert_eq!((point.threshold, point.recall.value()), (0.8, 1.0));
    let point = curve.largest_recall(0.75).unwrap();
    assert_eq!((point.threshold, point.recall.value()), (0.2, 0.5));
    assert_eq!(curve.largest_recall(0.76), None);
    assert_eq!(ScopeCurve::new(&in_scope, vec![]), Err(ScoreError::Empty));
    assert!(ScopeCurve::new(&in_scope, vec![f32::NAN]).is_err());
    assert!(auroc(&[f32::NAN], &[0.0]).is_err());
}

#[test]
fn an_oracle_finds_the_widest_coverage() {
    let outcomes =
        Outcomes::new(vec![0.9, 0.9, 0.8, 0.7, 0.6], vec![true, true, false, true, false]).unwrap();
    let curve = coverage_curve(&outcomes);
    let reach =
        |target| widest_coverage(&curve, target).map(|p| (p.threshold, p.coverage.successes));
    assert_eq!(reach(0.95), Some((0.9, 2)));
    assert_eq!(reach(0.75), Some((0.7, 4)));
    assert_eq!(reach(0.0), Some((0.6, 5)));
    let wrong = Outcomes::new(vec![0.9], vec![false]).unwrap();
    assert_eq!(widest_coverage(&coverage_curve(&wrong), 0.5), None);
    let none = at_threshold(&outcomes, 0.95);
    assert_eq!((none.coverage.successes, none.precision.trials), (0, 0));
}

#[test]
fn the_worst_confusions_come_first() {
    let p = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]].concat();
    let scores = Scores::new(2, p, vec![1, 1, 0, 2]).unwrap();
    assert_eq!(confusion(&scores).worst(), [(1, 0, 2), (0, 1, 1), (2, 1, 1)]);
}

/// Answers that are right as often as they claim, or by so much less often.
fn claims(rows: usize, overconfidence: f64, seed: u64) -> Outcomes {
    let mut rng = fastrand::Rng::with_seed(seed);
    let confidence: Vec<f32> = (0..rows).map(|_| 0.5 + rng.f32() / 2.0).collect();
    let right = |c: &f32| rng.f64() < f64::from(*c) - overconfidence;
    let correct = confidence.iter().map(right).collect();
    Outcomes::new(confidence, correct).unwrap()
}

#[test]
fn consistency_resampling_tells_chance_from_miscalibration() {
    let judged = |overconfidence, seed| {
        let outcomes = claims(800, overconfidence, seed);
        ece(&outcomes) > calibrated_ece(&outcomes, 0.95, seed + 1_000)
    };
    let suspected = (0..60).filter(|seed| judged(0.0, *seed)).count();
    // 60 · 0.05 = 3; more than 8 has a chance of 0.4 %.
    assert!(suspected <= 8, "{suspected}");
    assert_eq!((0..20).filter(|seed| judged(0.1, *seed)).count(), 20);
}

#[test]
fn bins_hold_equally_many_rows() {
    let bins = reliability(&claims(100, 0.0, 1), 15);
    let rows: Vec<u64> = bins.iter().map(|bin| bin.rows).collect();
    assert_eq!(rows, [vec![7; 10], vec![6; 5]].concat());
    assert!(bins.windows(2).all(|pair| pair[0].high <= pair[1].low));
    assert!(
        bins.iter().all(|b| b.low <= b.confidence as f32 + 1e-6 && b.confidence as f32 <= b.high)
    );
    assert_eq!(reliability(&claims(3, 0.0, 1), 15).len(), 3);
}

#[test]
fn estimates_hold_their_value_and_narrow_with_rows() {
    let case = &reference().scored[2];
    let scores = case.scores();
    for (estimate, value) in [
        (macro_f1_estimate(&scores, 1), macro_f1(&scores)),
        (brier_estimate(&scores, 1), brier(&scores)),
        (ece_estimate(&scores.outcomes(), 1), ece(&scores.outcomes())),
    ] {
        assert_eq!(estimate.value, value);
        assert!(estimate.low <= value && value <= estimate.high && estimate.low < estimate.high);
    }
    let width = |rows| {
        let e = ece_estimate(&claims(rows, 0.1, 4), 1);
        e.high - e.low
    };
    assert!(width(4_000) < width(250) / 2.0);
    let one = Scores::new(1, vec![1.0], vec![0]).unwrap();
    let certain = Estimate { value: 1.0, low: 1.0, high: 1.0 };
    assert_eq!(macro_f1_estimate(&one, 1), certain);
    assert_eq!(bootstrap(0, 1, |_| 1.0), certain);
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn scores() -> impl Strategy<Value = Scores> {
        (1usize..6, 1usize..40).prop_flat_map(|(classes, rows)| {
            let weights = prop::collection::vec(0u8..5, classes * rows);
            let truth = prop::collection::vec(0..classes as u32 + 1, rows);
            (Just(classes), weights, truth).prop_map(|(classes, weights, truth)| {
                let row = |row: &[u8]| {
                    let sum: f32 = row.iter().map(|w| f32::from(*w) + 0.125).sum();
                    row.iter().map(|w| (f32::from(*w) + 0.125) / sum).collect::<Vec<f32>>()
                };
                let p = weights.chunks(classes).flat_map(row).collect();
                Scores::new(classes, p, truth).unwrap()
            })
        })
    }

    proptest! {
        #[test]
        fn figures_stay_in_their_range(scores in scores()) {
            let outcomes = scores.outcomes();
            for share in [accuracy(&scores).value(), macro_f1(&scores), ece(&outcomes), top_k(&scores, 3).value()] {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            prop_assert!((0.0..=2.0 + 1e-6).contains(&brier(&scores)));
            prop_assert!(log_loss(&scores) >= 0.0);
            prop_assert_eq!(top_k(&scores, 1), accuracy(&scores));
        }

        #[test]
        fn the_order_of_rows_makes_no_difference(scores in scores(), seed: u64) {
            let outcomes = scores.outcomes();
            let mut rows: Vec<usize> = (0..outcomes.len()).collect();
            fastrand::Rng::with_seed(seed).shuffle(&mut rows);
            let shuffled = Outcomes::new(
                rows.iter().map(|row| outcomes.confidence()[*row]).collect(),
                rows.iter().map(|row| outcomes.correct()[*row]).collect(),
            ).unwrap();
            prop_assert!((ece(&outcomes) - ece(&shuffled)).abs() < 1e-9);
            prop_assert_eq!(coverage_curve(&outcomes), coverage_curve(&shuffled));
        }

        #[test]
        fn drawing_a_row_twice_is_having_it_twice(scores in scores()) {
            let outcomes = scores.outcomes();
            let twice = Outcomes::new(
                [outcomes.confidence(), outcomes.confidence()].concat(),
                [outcomes.correct(), outcomes.correct()].concat(),
            ).unwrap();
            let order: Vec<usize> = ascending(outcomes.confidence());
            let drawn = binned(
                &order, outcomes.confidence(), outcomes.correct(), &vec![2; order.len()], ECE_BINS,
            );
            prop_assert_eq!(reliability(&twice, ECE_BINS).len(), drawn.len());
            let gap = ece(&twice) - error(&drawn);
            prop_assert!(gap.abs() < 1e-9);
        }

        #[test]
        fn coverage_grows_along_the_curve(scores in scores()) {
            let curve = coverage_curve(&scores.outcomes());
            prop_assert!(curve.windows(2).all(|p| p[0].coverage.successes < p[1].coverage.successes
                && p[0].threshold > p[1].threshold));
            let all = curve.last().unwrap();
            prop_assert_eq!(all.coverage.value(), 1.0);
            prop_assert_eq!(all.precision, accuracy(&scores));
        }
    }
}
