//! What simpler means make of the same tickets.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use rayon::prelude::*;

use crate::classify::Terms;
use crate::classify::lexical::{SparseVector, Vocabulary};
use crate::judge::wilson;

/// Weights that are held at most.
const MAX_WEIGHTS: usize = 250_000_000;
const PASSES: usize = 15;
/// Keyword rules that a label has at most.
const RULES: usize = 20;
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
    let scores = tfidf_scores(terms, labels, classes, queries, seed)?;
    let best = |i: usize| {
        (1..classes).fold(0, |best, c| if scores[c][i] > scores[best][i] { c } else { best })
    };
    Some((0..queries.len()).map(best).collect())
}

/// The logits behind [`tfidf_lr`]: a list of queries for each label.
pub(super) fn tfidf_scores(
    terms: &[&Terms],
    labels: &[usize],
    classes: usize,
    queries: &[&Terms],
    seed: u64,
) -> Option<Vec<Vec<f32>>> {
    let vocabulary = Vocabulary::fit(terms.iter().copied());
    if vocabulary.len() * classes > MAX_WEIGHTS {
        return None;
    }
    let rows: Vec<SparseVector> = terms.par_iter().map(|t| vocabulary.vector(t)).collect();
    let queries: Vec<SparseVector> = queries.par_iter().map(|t| vocabulary.vector(t)).collect();
    let scores = (0..classes).into_par_iter().map(|class| {
        let (w, bias) = fit(&rows, labels, class, vocabulary.len(), seed);
        queries.iter().map(|q| dot(q, &w) + bias).collect()
    });
    Some(scores.collect())
}

/// Rules of a word each, as a desk writes them by hand: a ticket that holds the word gets the
/// label. Of the rules that apply the surest decides (a decision list: Yarowsky, ACL 1994), by the
/// lower end of the interval of how often it was right; at most [`RULES`] a label. Tickets without
/// any get the most frequent label.
pub(super) fn keywords(
    texts: &[&str],
    labels: &[usize],
    classes: usize,
    queries: &[&str],
) -> Vec<Option<usize>> {
    let mut counts: HashMap<String, HashMap<usize, usize>> = HashMap::new();
    for (text, label) in texts.iter().zip(labels) {
        for word in distinct_words(text) {
            *counts.entry(word).or_default().entry(*label).or_default() += 1;
        }
    }
    let mut rules: Vec<(f64, String, usize)> = Vec::new();
    for (word, by_label) in counts {
        let all: usize = by_label.values().sum();
        let most = by_label.iter().max_by_key(|(label, n)| (**n, Reverse(**label)));
        if let Some((&label, &n)) = most.filter(|(_, n)| **n >= 3) {
            rules.push((wilson(n, all, 1.959_964).0, word, label));
        }
    }
    rules.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut written = vec![0; classes];
    rules.retain(|(_, _, label)| {
        written[*label] += 1;
        written[*label] <= RULES
    });
    let place: HashMap<&str, usize> =
        rules.iter().enumerate().map(|(at, (_, word, _))| (word.as_str(), at)).collect();
    let fallback = majority(labels, classes);
    let answer = |text: &&str| {
        let found = distinct_words(text).into_iter().filter_map(|w| place.get(w.as_str()).copied());
        Some(found.min().map_or(fallback, |at| rules[at].2))
    };
    queries.iter().map(answer).collect()
}

fn distinct_words(text: &str) -> HashSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|w| w.chars().count() > 2);
    words.map(str::to_lowercase).collect()
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
