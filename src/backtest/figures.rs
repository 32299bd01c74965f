//! What a back-test comes to.

use serde::Serialize;

use crate::judge::Estimate;
use crate::judge::metrics::ReliabilityBin;

/// The figures, each with its 95 % interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Tickets that were judged by.
    pub n: usize,
    /// The share whose likeliest label is right.
    pub accuracy: Estimate,
    /// The mean F1 of the labels.
    pub macro_f1: Estimate,
    /// The share whose label is among the three likeliest.
    pub top3: Estimate,
    /// Top-label calibration error, 15 bins of equal mass.
    pub ece: Estimate,
    /// The calibration error that even perfect calibration would stay under in 95 of 100 samples
    /// of this size.
    pub ece_if_calibrated: f64,
    /// Confidence and accuracy in those bins.
    pub reliability: Vec<ReliabilityBin>,
    /// Brier's score, summed over labels: 0 to 2.
    pub brier: Estimate,
    /// What target precisions come to.
    pub coverage_at: Vec<CoverageAt>,
    /// Where there are tickets of no label.
    pub oos: Option<OutOfScope>,
    /// The same tickets by simpler means, if those were asked for.
    pub baselines: Option<Baselines>,
}

/// What a target precision was said to come to, and what it came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoverageAt {
    /// The precision that was asked for.
    pub target: f64,
    /// The share of tickets that would be labelled, as foretold before any of them was seen.
    pub promised_coverage: Estimate,
    /// The share that was.
    pub coverage: f64,
    /// The share of these that was right; `None` where none was labelled.
    pub precision: Option<f64>,
    /// The widest coverage that a threshold chosen with hindsight would have had.
    pub oracle_coverage: f64,
    /// Labels that were applied.
    pub applied: usize,
    /// Those of them that were right.
    pub right: usize,
}

/// How tickets of no label are told.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OutOfScope {
    /// At the largest recall that leaves 95 % of the others answered right.
    #[serde(flatten)]
    pub curve: ScopePair,
    /// At the threshold that would be deployed.
    pub deployed: ScopePair,
    /// How well trust ranks them: the area under the ROC curve.
    pub auroc: Option<f64>,
}

/// A point of the trade between turning the unknown away and answering the known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScopePair {
    /// The share of out-of-scope tickets that is turned away.
    pub recall: f64,
    /// The share of the others that is answered, and right.
    pub in_scope_accuracy: f64,
}

/// Accuracies of simpler means on the same tickets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Baselines {
    /// The most frequent label for all.
    pub majority: f64,
    /// TF-IDF of words and pieces with logistic regression; `None` where it would not fit memory.
    pub tfidf_lr: Option<f64>,
    /// The label of the most similar ticket.
    pub nearest: f64,
}
