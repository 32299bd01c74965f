//! Whether probabilities mean what they say.

use serde::{Deserialize, Serialize};

use super::super::estimate::{RESAMPLES, bootstrap, quantile};
use super::super::scores::{ascending, tied};
use super::super::{Estimate, Outcomes, Scores};

/// How many bins the calibration error is measured in.
pub const ECE_BINS: usize = 15;

/// The Brier score: the mean over rows of the squared differences between probability and truth,
/// summed over classes (Brier, *Monthly Weather Review* 1950): 0 to 2, twice what the two-class form
/// gives. A true class that the model does not know had probability 0.
pub fn brier(scores: &Scores) -> f64 {
    squared_errors(scores).iter().sum::<f64>() / scores.len() as f64
}

/// [`brier`] with its bootstrap interval.
pub fn brier_estimate(scores: &Scores, seed: u64) -> Estimate {
    let errors = squared_errors(scores);
    bootstrap(scores.len(), seed, |drawn| {
        let sum: f64 = errors.iter().zip(drawn).map(|(error, d)| error * f64::from(*d)).sum();
        sum / errors.len() as f64
    })
}

fn squared_errors(scores: &Scores) -> Vec<f64> {
    let error = |row: usize| {
        let p = scores.row(row);
        let own = p.get(scores.truth()[row] as usize).map_or(0.0, |p| f64::from(*p));
        let squares: f64 = p.iter().map(|p| f64::from(*p).powi(2)).sum();
        squares - 2.0 * own + 1.0
    };
    (0..scores.len()).map(error).collect()
}

/// The mean negative logarithm of the true class's probability. Probabilities are kept an `f32`'s
/// precision away from 0 and 1, so that one certain mistake costs 16, not infinity.
pub fn log_loss(scores: &Scores) -> f64 {
    let precision = f64::from(f32::EPSILON);
    let loss = |row: usize| {
        let own = scores.row(row).get(scores.truth()[row] as usize).copied().unwrap_or_default();
        -f64::from(own).clamp(precision, 1.0 - precision).ln()
    };
    (0..scores.len()).map(loss).sum::<f64>() / scores.len() as f64
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// The least confidence in it.
    pub low: f32,
    /// The greatest.
    pub high: f32,
    /// Rows in it.
    pub rows: u64,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right.
    pub accuracy: f64,
}

/// A reliability diagram (`DeGroot` & Fienberg, *The Statistician* 1983) in bins of equally many
/// rows, the least sure first; fewer bins where there are fewer rows. Rows of the same confidence
/// that a boundary would part count on both sides with their common accuracy, so that their order
/// does not matter.
pub fn reliability(outcomes: &Outcomes, bins: usize) -> Vec<ReliabilityBin> {
    let confidence = outcomes.confidence();
    let order = ascending(confidence);
    binned(&order, confidence, outcomes.correct(), &vec![1; order.len()], bins)
}

/// The expected calibration error: the mean over [`ECE_BINS`] bins of
/// equally many rows of how far confidence and accuracy of the likeliest class lie apart (Naeini et
/// al., AAAI 2015; bins of equal mass: Nguyen & O'Connor, EMNLP 2015).
///
/// On few rows it is above 0 even where calibration is perfect; see [`calibrated_ece`].
pub fn ece(outcomes: &Outcomes) -> f64 {
    error(&reliability(outcomes, ECE_BINS))
}

/// [`ece`] with its bootstrap interval.
pub fn ece_estimate(outcomes: &Outcomes, seed: u64) -> Estimate {
    let confidence = outcomes.confidence();
    let order = ascending(confidence);
    bootstrap(outcomes.len(), seed, |drawn| {
        error(&binned(&order, confidence, outcomes.correct(), drawn, ECE_BINS))
    })
}

/// The calibration error that perfect calibration would stay below with the given probability: its
/// quantile over [`RESAMPLES`] draws in which each answer is right with the probability that it
/// claims (Bröcker & Smith, *Weather and Forecasting* 2007). The confidences stay as they are,
/// since it is these whose error is judged. An error below the 0.95 quantile is no evidence against
/// calibration.
pub fn calibrated_ece(outcomes: &Outcomes, probability: f64, seed: u64) -> f64 {
    let confidence = outcomes.confidence();
    let order = ascending(confidence);
    let once = vec![1; order.len()];
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut correct = vec![false; order.len()];
    let mut draw = || {
        for (correct, confidence) in correct.iter_mut().zip(confidence) {
            *correct = rng.f64() < f64::from(*confidence);
        }
        error(&binned(&order, confidence, &correct, &once, ECE_BINS))
    };
    let mut errors: Vec<f64> = (0..RESAMPLES).map(|_| draw()).collect();
    errors.sort_by(f64::total_cmp);
    quantile(&errors, probability.clamp(0.0, 1.0))
}

pub(super) fn error(bins: &[ReliabilityBin]) -> f64 {
    let rows: u64 = bins.iter().map(|bin| bin.rows).sum();
    let gap = |bin: &ReliabilityBin| bin.rows as f64 * (bin.confidence - bin.accuracy).abs();
    bins.iter().map(gap).sum::<f64>() / rows.max(1) as f64
}

/// Rows in ascending order of confidence, each as often as it was drawn, dealt into bins.
pub(super) fn binned(
    order: &[usize],
    confidence: &[f32],
    correct: &[bool],
    drawn: &[u32],
    bins: usize,
) -> Vec<ReliabilityBin> {
    let total: u64 = drawn.iter().map(|d| u64::from(*d)).sum();
    let mut dealer = Dealer { total, bins: bins.max(1) as u64, dealt: 0, open: None, full: vec![] };
    for tied in order.chunk_by(|a, b| tied(confidence[*a], confidence[*b])) {
        let (rows, right) = tied.iter().fold((0, 0), |(rows, right), &row| {
            let times = u64::from(drawn[row]);
            (rows + times, right + if correct[row] { times } else { 0 })
        });
        if rows > 0 {
            dealer.deal(confidence[tied[0]], rows, right as f64 / rows as f64);
        }
    }
    dealer.full
}

struct Dealer {
    total: u64,
    bins: u64,
    dealt: u64,
    /// The bin being filled, with sums where the finished one has means.
    open: Option<ReliabilityBin>,
    full: Vec<ReliabilityBin>,
}

impl Dealer {
    fn deal(&mut self, confidence: f32, mut rows: u64, accuracy: f64) {
        while rows > 0 {
            // The first bins are one row larger where the rows cannot be divided evenly.
            let (size, larger) = (self.total / self.bins, self.total % self.bins);
            let bin = self.full.len() as u64 + 1;
            let boundary = size * bin + larger.min(bin);
            let take = rows.min(boundary - self.dealt);
            let open = self.open.get_or_insert(ReliabilityBin {
                low: confidence,
                high: confidence,
                rows: 0,
                confidence: 0.0,
                accuracy: 0.0,
            });
            open.high = confidence;
            open.rows += take;
            open.confidence += take as f64 * f64::from(confidence);
            open.accuracy += take as f64 * accuracy;
            rows -= take;
            self.dealt += take;
            if self.dealt == boundary
                && let Some(mut bin) = self.open.take()
            {
                bin.confidence /= bin.rows as f64;
                bin.accuracy /= bin.rows as f64;
                self.full.push(bin);
            }
        }
    }
}
