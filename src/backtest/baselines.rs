//! What simpler means make of the same tickets.

use fastrand::Rng;
use rayon::prelude::*;

use crate::classify::Terms;
use crate::classify::lexical::{SparseVector, Vocabulary};

/// Weights that are held at most.
const MAX_WEIGHTS: usize = 250_000_000;
const PASSES: usize = 15;
/// Step width of `AdaGrad` (Duchi et al. 2011), and the pull towards zero.
const RATE: f32 = 0.5;
const PULL: f32 = 1e-6;

/// The most frequent label.
pub(super) fn majority(labels: &[usize], classes: usize) -> usize {
    let mut counts = vec![0; classes];
    for label in labels {
        counts[*label] += 1;
    }
    (0..classes).rev().max_by_key(|c| counts[*c]).unwrap_or_default()
}

/// Labels by TF-IDF and logistic regression, one label against the others.
pub(super) fn tfidf_lr(
    terms: &[&Terms],
    labels: &[usize],
    classes: usize,
    queries: &[&Terms],
    seed: u64,
) -> Option<Vec<usize>> {
    let vocabulary = Vocabulary::fit(terms.iter().copied());
    if vocabulary.len() * classes > MAX_WEIGHTS {
        return None;
    }
    let rows: Vec<SparseVector> = terms.par_iter().map(|t| vocabulary.vector(t)).collect();
    let queries: Vec<SparseVector> = queries.par_iter().map(|t| vocabulary.vector(t)).collect();
    let scores: Vec<Vec<f32>> = (0..classes)
        .into_par_iter()
        .map(|class| {
            let (w, bias) = fit(&rows, labels, class, vocabulary.len(), seed);
            queries.iter().map(|q| dot(q, &w) + bias).collect()
        })
        .collect();
    let best = |i: usize| {
        (1..classes).fold(0, |best, c| if scores[c][i] > scores[best][i] { c } else { best })
    };
    Some((0..queries.len()).map(best).collect())
}

fn dot(row: &SparseVector, w: &[f32]) -> f32 {
    row.terms.iter().zip(&row.weights).map(|(t, x)| w[*t as usize] * x).sum()
}

fn fit(
    rows: &[SparseVector],
    labels: &[usize],
    class: usize,
    width: usize,
    seed: u64,
) -> (Vec<f32>, f32) {
    let mut rng = Rng::with_seed(seed ^ class as u64);
    let (mut w, mut squares) = (vec![0.0_f32; width], vec![1e-6_f32; width]);
    let (mut bias, mut bias_square) = (0.0_f32, 1e-6_f32);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for _ in 0..PASSES {
        rng.shuffle(&mut order);
        for &i in &order {
            let z = dot(&rows[i], &w) + bias;
            let error = 1.0 / (1.0 + (-z).exp()) - f32::from(u8::from(labels[i] == class));
            if error.abs() < 1e-3 {
                continue;
            }
            for (&t, x) in rows[i].terms.iter().zip(&rows[i].weights) {
                let t = t as usize;
                let slope = error * x + PULL * w[t];
                squares[t] += slope * slope;
                w[t] -= RATE * slope / squares[t].sqrt();
            }
            bias_square += error * error;
            bias -= RATE * error / bias_square.sqrt();
        }
    }
    (w, bias)
}
