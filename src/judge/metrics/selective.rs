//! Answering only where sure enough: coverage, precision, and what is out of scope.

use super::super::scores::{ScoreError, ascending, finite, tied};
use super::super::{Outcomes, Share};

/// What answering from a threshold on comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoveragePoint {
    /// Answers at least this sure are given.
    pub threshold: f32,
    /// The share of rows that are answered.
    pub coverage: Share,
    /// The share of answers that are right.
    pub precision: Share,
}

/// Coverage against precision (the risk–coverage curve: El-Yaniv & Wiener, JMLR 2010), from the
/// surest answers alone to all of them. A point for each confidence that occurs, so that equal
/// confidences are taken together.
pub fn coverage_curve(outcomes: &Outcomes) -> Vec<CoveragePoint> {
    let (confidence, correct) = (outcomes.confidence(), outcomes.correct());
    let order = ascending(confidence);
    let mut points = Vec::new();
    let (mut answered, mut right) = (0, 0);
    for tied in order.chunk_by(|a, b| tied(confidence[*a], confidence[*b])).rev() {
        answered += tied.len();
        right += tied.iter().filter(|row| correct[**row]).count();
        points.push(CoveragePoint {
            threshold: confidence[tied[0]],
            coverage: Share { successes: answered, trials: outcomes.len() },
            precision: Share { successes: right, trials: answered },
        });
    }
    points
}

/// What answering from this threshold on comes to.
pub fn at_threshold(outcomes: &Outcomes, threshold: f32) -> CoveragePoint {
    let rows = outcomes.confidence().iter().zip(outcomes.correct());
    let answered = rows.filter(|(confidence, _)| **confidence >= threshold);
    let precision: Share = answered.map(|(_, correct)| *correct).collect();
    let coverage = Share { successes: precision.trials, trials: outcomes.len() };
    CoveragePoint { threshold, coverage, precision }
}

/// The point of widest coverage whose precision is at least the target: on the data that are
/// judged, what an oracle would have chosen. None where no threshold reaches it.
pub fn widest_coverage(curve: &[CoveragePoint], target: f64) -> Option<CoveragePoint> {
    curve.iter().rfind(|point| point.precision.value() >= target).copied()
}

/// What rejecting rows below a threshold as out of scope comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScopePoint {
    /// Rows at least this sure are accepted.
    pub threshold: f32,
    /// The share of out-of-scope rows that are rejected.
    pub recall: Share,
    /// The share of in-scope rows that are accepted and right; a rejected one is wrong.
    pub in_scope_accuracy: Share,
}

/// Rows in scope and out of it, by the score that tells them apart.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopeCurve {
    /// Confidence and rightness of the rows in scope, the surest first.
    in_scope: Vec<(f32, bool)>,
    /// Confidence of the rows out of scope, the surest first.
    out_of_scope: Vec<f32>,
}

impl ScopeCurve {
    /// In-scope rows with their score and rightness, and the scores of rows out of scope.
    ///
    /// # Errors
    /// No rows out of scope; a score that is not finite.
    pub fn new(in_scope: &Outcomes, mut out_of_scope: Vec<f32>) -> Result<Self, ScoreError> {
        if out_of_scope.is_empty() {
            return Err(ScoreError::Empty);
        }
        finite(&out_of_scope)?;
        let correct = in_scope.correct().iter().copied();
        let mut rows: Vec<_> = in_scope.confidence().iter().copied().zip(correct).collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        out_of_scope.sort_by(|a, b| b.total_cmp(a));
        Ok(Self { in_scope: rows, out_of_scope })
    }

    /// What rejecting below this threshold comes to.
    pub fn at(&self, threshold: f32) -> ScopePoint {
        let accepted = self.in_scope.partition_point(|row| row.0 >= threshold);
        let right = self.in_scope[..accepted].iter().filter(|row| row.1).count();
        self.point(threshold, right)
    }

    /// A point for each score that occurs, from rejecting all but the surest to rejecting none,
    /// after one that rejects everything.
    pub fn points(&self) -> Vec<ScopePoint> {
        let all = self.in_scope.iter().map(|row| row.0).chain(self.out_of_scope.iter().copied());
        let mut thresholds: Vec<f32> = all.collect();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        let mut points = vec![self.point(f32::INFINITY, 0)];
        let (mut accepted, mut right) = (0, 0);
        for threshold in thresholds {
            while let Some(row) = self.in_scope.get(accepted).filter(|row| row.0 >= threshold) {
                accepted += 1;
                right += usize::from(row.1);
            }
            points.push(self.point(threshold, right));
        }
        points
    }

    /// The point of largest recall at which in-scope accuracy is at least so much; of several the
    /// most accurate. None where accepting everything is not accurate enough.
    pub fn largest_recall(&self, in_scope_accuracy: f64) -> Option<ScopePoint> {
        let mut points = self.points();
        points.retain(|point| point.in_scope_accuracy.value() >= in_scope_accuracy);
        // Recall only falls along the curve while accuracy grows.
        let most = points.first()?.recall.successes;
        points.into_iter().take_while(|point| point.recall.successes == most).last()
    }

    fn point(&self, threshold: f32, right: usize) -> ScopePoint {
        let out = &self.out_of_scope;
        let rejected = out.len() - out.partition_point(|score| *score >= threshold);
        ScopePoint {
            threshold,
            recall: Share { successes: rejected, trials: out.len() },
            in_scope_accuracy: Share { successes: right, trials: self.in_scope.len() },
        }
    }
}

/// The area under the ROC curve: how often a positive scores above a negative, equal scores
/// counting half (Hanley & `McNeil`, *Radiology* 1982). None without both.
///
/// # Errors
/// A score that is not finite.
pub fn auroc(positives: &[f32], negatives: &[f32]) -> Result<Option<f64>, ScoreError> {
    finite(positives)?;
    finite(negatives)?;
    if positives.is_empty() || negatives.is_empty() {
        return Ok(None);
    }
    let mut sorted = negatives.to_vec();
    sorted.sort_by(f32::total_cmp);
    let wins = |score: &f32| {
        let below = sorted.partition_point(|other| other < score);
        let not_above = sorted.partition_point(|other| other <= score);
        (below + not_above) as f64 / 2.0
    };
    let won: f64 = positives.iter().map(wins).sum();
    Ok(Some(won / positives.len() as f64 / negatives.len() as f64))
}
