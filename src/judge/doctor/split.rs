//! Labels that hold two kinds of tickets.

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::words::telling_words;
use super::{Example, History, centre, dot};
use crate::domain::LabelField;

/// A label with fewer tickets is not worth dividing.
const LEAST: usize = 40;
/// The smaller part has at least this share.
const SMALLER: f64 = 0.2;
/// Tickets of a label that are looked at, at most.
const MOST: usize = 2_000;
/// Starts, and rounds of each.
const STARTS: u64 = 5;
const ROUNDS: usize = 25;
/// Words that name a part.
const WORDS: usize = 6;

/// A label that holds two kinds of tickets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Divided {
    /// The label.
    pub label: String,
    /// Its tickets.
    pub tickets: usize,
    /// How alike its two parts are (cosine of their centres).
    pub likeness: f64,
    /// How alike a label and its nearest neighbour usually are in this history.
    pub usual: f64,
    /// The share of tickets in each part, the words that name it, and some of its tickets.
    pub parts: Vec<Part>,
}

/// One kind of tickets within a label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The share of the label's tickets.
    pub share: f64,
    /// What it speaks of.
    pub words: Vec<String>,
    /// The most typical of them.
    pub examples: Vec<Example>,
}

/// Labels whose two halves are less alike than labels usually are to their nearest neighbours:
/// by the desk's own measure these would be two labels. Halves are found by spherical k-means
/// (Dhillon & Modha, *Machine Learning* 2001).
pub(super) fn divided(history: &History<'_>) -> Vec<Divided> {
    let (rows, centres) = (history.by_label(), history.centres());
    // A team has many kinds of tickets, and rightly so.
    if history.field == LabelField::Team.name() {
        return Vec::new();
    }
    let big: Vec<usize> = (0..rows.len()).filter(|label| rows[*label].len() >= LEAST).collect();
    if big.len() < 3 {
        return Vec::new();
    }
    let mut usual: Vec<f64> = big
        .iter()
        .map(|label| {
            let others = big.iter().filter(|other| *other != label);
            let like = |other: &usize| f64::from(dot(&centres[*label], &centres[*other]));
            others.map(like).fold(-1.0, f64::max)
        })
        .collect();
    usual.sort_by(f64::total_cmp);
    let usual = usual[usual.len() / 2];
    let mut found: Vec<Divided> = Vec::new();
    for label in big {
        let mut rng = Rng::with_seed(history.seed ^ label as u64);
        let mut sample = rows[label].clone();
        rng.shuffle(&mut sample);
        sample.truncate(MOST);
        let Some([one, two]) = halves(history.vectors, &sample, &mut rng) else { continue };
        let smaller = one.len().min(two.len());
        let (a, b) = (centre(history.vectors, &one), centre(history.vectors, &two));
        let likeness = f64::from(dot(&a, &b));
        if (smaller as f64) < SMALLER * sample.len() as f64 || likeness >= usual {
            continue;
        }
        let text = |rows: &[usize]| -> Vec<&str> {
            rows.iter().map(|r| history.texts[*r].as_str()).collect()
        };
        let part = |own: &[usize], others: &[usize], centre: &[f32]| {
            let mut typical = own.to_vec();
            typical.sort_by(|x, y| {
                dot(&history.vectors[*y], centre).total_cmp(&dot(&history.vectors[*x], centre))
            });
            Part {
                share: own.len() as f64 / sample.len() as f64,
                words: telling_words(&text(own), &text(others), WORDS),
                examples: history.examples(typical.into_iter()),
            }
        };
        let parts = vec![part(&one, &two, &a), part(&two, &one, &b)];
        // Parts that no word tells apart are parts of chance.
        if parts.iter().any(|part| part.words.is_empty()) {
            continue;
        }
        found.push(Divided {
            label: history.names[label].clone(),
            tickets: rows[label].len(),
            likeness,
            usual,
            parts,
        });
    }
    found.sort_by(|x, y| x.likeness.total_cmp(&y.likeness));
    found
}

/// The best of some divisions in two; none where all are the same.
fn halves(vectors: &[Vec<f32>], rows: &[usize], rng: &mut Rng) -> Option<[Vec<usize>; 2]> {
    let mut best: Option<(f32, [Vec<usize>; 2])> = None;
    for _ in 0..STARTS {
        let first = &vectors[rows[rng.usize(..rows.len())]];
        // The one least like the first of a few drawn ones, so that starts lie apart.
        let second = (0..8)
            .map(|_| &vectors[rows[rng.usize(..rows.len())]])
            .min_by(|a, b| dot(a, first).total_cmp(&dot(b, first)))?;
        let mut centres = [first.clone(), second.clone()];
        let mut parts: [Vec<usize>; 2] = Default::default();
        for _ in 0..ROUNDS {
            let nearer =
                |row: &usize| dot(&vectors[*row], &centres[1]) > dot(&vectors[*row], &centres[0]);
            let (two, one): (Vec<usize>, Vec<usize>) = rows.iter().partition(|r| nearer(r));
            if one.is_empty() || two.is_empty() {
                break;
            }
            let next = [one, two];
            if next == parts {
                break;
            }
            centres = [centre(vectors, &next[0]), centre(vectors, &next[1])];
            parts = next;
        }
        if parts.iter().any(Vec::is_empty) {
            continue;
        }
        let fit: f32 = parts
            .iter()
            .zip(&centres)
            .map(|(rows, c)| rows.iter().map(|r| dot(&vectors[*r], c)).sum::<f32>())
            .sum();
        if best.as_ref().is_none_or(|(most, _)| fit > *most) {
            best = Some((fit, parts));
        }
    }
    best.map(|(_, parts)| parts)
}
