//! One kind of label, judged.

use serde::{Deserialize, Serialize};

use super::super::Estimate;
use super::super::metrics::ReliabilityBin;

/// How well one kind of label would have been told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// `category`, `team`.
    pub name: String,
    /// How the tickets were divided, in words.
    pub split: String,
    /// Labels that there are.
    pub labels: usize,
    /// Tickets that were learned from.
    pub learned: usize,
    /// Tickets that were judged by.
    pub judged: usize,
    /// The share whose likeliest label is right.
    pub accuracy: Estimate,
    /// The mean F1 of the labels.
    pub macro_f1: Estimate,
    /// The share whose label is among the three likeliest.
    pub top3: Estimate,
    /// Calibration error of the likeliest label.
    pub ece: Estimate,
    /// The calibration error that even perfect calibration would stay under in 95 of 100 samples.
    pub ece_if_calibrated: f64,
    /// The same tickets by simpler means.
    pub baselines: Vec<Baseline>,
    /// What target precisions come to.
    pub operating: Vec<OperatingPoint>,
    /// Coverage against precision.
    pub curve: Curve,
    /// Confidence against accuracy.
    pub reliability: Vec<ReliabilityBin>,
    /// What was taken for what.
    pub confusion: Confusion,
    /// Each label's figures, the most frequent first.
    pub classes: Vec<Class>,
    /// The wrong answers that happen most often.
    pub misroutes: Vec<Misroute>,
    /// What it saves and what it costs.
    pub effort: Effort,
    /// How accuracy grows with labelled tickets.
    pub learning: Vec<LearningPoint>,
    /// Labels that gained most over the last step of that curve.
    pub gains: Vec<Gain>,
    /// From no labels on.
    pub cold_start: Vec<ColdStart>,
    /// Each month, by a model that learned from the months before.
    pub months: Vec<Month>,
}

/// Simpler means on the same tickets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// What it does.
    pub name: String,
    /// The share that it has right.
    pub accuracy: Estimate,
    /// The mean F1 of the labels.
    pub macro_f1: Estimate,
    /// By how much Deskhand is right more often, on the same tickets.
    pub ahead: Estimate,
    /// `McNemar`'s exact test of that difference.
    pub p: f64,
}

/// What a target precision was said to come to, and what it came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// The precision that is asked for.
    pub target: f64,
    /// The share of tickets that would get a label by itself, as foretold from the past.
    pub promised: Estimate,
    /// The share that did.
    pub coverage: Estimate,
    /// The share of these that was right; `None` where there was none.
    pub precision: Option<Estimate>,
    /// Labels applied.
    pub applied: usize,
    /// Those that were right.
    pub right: usize,
}

/// Coverage against precision.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// As foretold from tickets of the past that were left out in turn.
    pub promised: Vec<CurvePoint>,
    /// As it came.
    pub realised: Vec<CurvePoint>,
}

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The share of tickets that is answered.
    pub coverage: f64,
    /// The share of the answers that is right.
    pub precision: f64,
}

/// What was taken for what, in an order in which labels that are confused stand together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The labels; the last may stand for all rare ones.
    pub labels: Vec<String>,
    /// Tickets, by true label and then by answer.
    pub counts: Vec<Vec<usize>>,
}

/// One label's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// The label.
    pub label: String,
    /// Tickets that were judged and have it.
    pub support: usize,
    /// Tickets that were learned from and have it.
    pub learned: usize,
    /// Of the tickets that were given it, the share that has it.
    pub precision: Estimate,
    /// Of the tickets that have it, the share that was given it.
    pub recall: Estimate,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// The share of its tickets that would be labelled by themselves at the middle target.
    pub coverage: f64,
}

/// A wrong answer that happens often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misroute {
    /// What the ticket's label was.
    pub truth: String,
    /// What was answered.
    pub answer: String,
    /// How often.
    pub tickets: usize,
    /// How often among the labels that would be applied at the middle target.
    pub applied: usize,
    /// Subjects of some of them.
    pub examples: Vec<String>,
}

/// What is needed to weigh time saved against misroutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effort {
    /// Tickets a month in the export; `None` without dates.
    pub tickets_a_month: Option<f64>,
    /// Minutes that a person needs to read and route a ticket, as assumed.
    pub minutes_a_triage: f64,
    /// Minutes that a ticket with the wrong label costs, as assumed.
    pub minutes_a_misroute: f64,
    /// What tickets that went through several teams took longer in this history, in minutes, where
    /// it tells (medians).
    pub measured_misroute: Option<f64>,
}

/// A point of the learning curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearningPoint {
    /// Labelled tickets that were learned from.
    pub learned: usize,
    /// The share right.
    pub accuracy: Estimate,
    /// The mean F1 of the labels.
    pub macro_f1: f64,
}

/// What more labels did for one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// The label.
    pub label: String,
    /// Its tickets at the last but one point of the learning curve.
    pub from: usize,
    /// And at the last.
    pub to: usize,
    /// Its F1 then.
    pub f1_from: f64,
    /// And at last.
    pub f1_to: f64,
}

/// How a desk without labels would begin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColdStart {
    /// Labelled tickets a label; 0: the labels' names alone.
    pub per_label: usize,
    /// All of them together.
    pub learned: usize,
    /// The share right.
    pub accuracy: Estimate,
}

/// A month, by a model that learned from the months before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Month {
    /// `2025-03`.
    pub month: String,
    /// Tickets of earlier months that were learned from.
    pub learned: usize,
    /// Tickets that were judged.
    pub judged: usize,
    /// The share right.
    pub accuracy: Estimate,
    /// The share labelled by itself at the middle target.
    pub coverage: f64,
    /// The share of these that was right.
    pub precision: Option<Estimate>,
    /// The share of tickets whose label no earlier month had.
    pub unknown: f64,
}
