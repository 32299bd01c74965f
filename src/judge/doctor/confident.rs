//! Labels that are probably wrong: confident learning (Northcutt, Jiang & Chuang, *JAIR* 2021).

use serde::{Deserialize, Serialize};

use super::History;

/// A label with fewer tickets is neither suspected nor proposed: its threshold would be chance.
const LEAST: usize = 5;

/// A ticket whose label is probably wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Its id.
    pub ticket: String,
    /// Its subject.
    pub subject: String,
    /// Its label.
    pub label: String,
    /// What a model that had not seen it says.
    pub suggested: String,
    /// The probability of the label that it has.
    pub given: f32,
    /// The probability of the one that is suggested.
    pub confidence: f32,
}

/// What confident learning says of a history.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Suspicion {
    /// The share of labels that is probably wrong.
    pub noise: f64,
    /// Tickets and the labels they probably should have, the widest margin first.
    pub rows: Vec<(usize, usize)>,
}

/// Finds probably wrong labels. `probabilities` (`tickets × classes`) come from a model that had
/// not learned from the ticket that it answers.
///
/// A ticket counts as confidently of a label where that label's probability reaches the mean that
/// its own tickets have; among several such labels the likeliest counts. These counts, scaled to
/// each label's tickets, are the joint distribution of given and right labels, which tells how many
/// labels are wrong. That many tickets whose likeliest label is another are suspects, those with
/// the widest margin. The paper cuts off by pair of labels; a pair expects a ticket or two, and
/// rounding that loses many of them.
pub fn suspicion(labels: &[usize], classes: usize, probabilities: &[f32]) -> Suspicion {
    let row = |row: usize| &probabilities[row * classes..][..classes];
    let (mut sums, mut support) = (vec![0.0_f64; classes], vec![0_usize; classes]);
    for (at, label) in labels.iter().enumerate() {
        sums[*label] += f64::from(row(at)[*label]);
        support[*label] += 1;
    }
    let threshold: Vec<f64> = sums
        .iter()
        .zip(&support)
        .map(|(sum, n)| if *n < LEAST { f64::INFINITY } else { sum / *n as f64 })
        .collect();
    let confident = |at: usize| {
        let sure = (0..classes).filter(|c| f64::from(row(at)[*c]) >= threshold[*c]);
        sure.max_by(|a, b| row(at)[*a].total_cmp(&row(at)[*b]).then(b.cmp(a)))
    };
    let mut joint = vec![0.0_f64; classes * classes];
    for (at, label) in labels.iter().enumerate() {
        if let Some(other) = confident(at) {
            joint[label * classes + other] += 1.0;
        }
    }
    let mut wrong = 0.0;
    for (label, counts) in joint.chunks_exact(classes).enumerate() {
        let sure: f64 = counts.iter().sum();
        if sure > 0.0 {
            wrong += (1.0 - counts[label] / sure) * support[label] as f64;
        }
    }
    let margin = |(at, other): (usize, usize)| row(at)[other] - row(at)[labels[at]];
    let mut suspects: Vec<(usize, usize)> = (0..labels.len())
        .map(|at| (at, super::top(row(at))))
        .filter(|(at, other)| {
            support[labels[*at]] >= LEAST && support[*other] >= LEAST && margin((*at, *other)) > 0.0
        })
        .collect();
    suspects.sort_by(|a, b| margin(*b).total_cmp(&margin(*a)).then(a.0.cmp(&b.0)));
    suspects.truncate(wrong.round() as usize);
    Suspicion { noise: wrong / labels.len().max(1) as f64, rows: suspects }
}

pub(super) fn suspects(history: &History<'_>, found: &Suspicion) -> Vec<Suspect> {
    let suspect = |&(at, other): &(usize, usize)| Suspect {
        ticket: history.ids[at].clone(),
        subject: history.subjects[at].clone(),
        label: history.names[history.labels[at]].clone(),
        suggested: history.names[other].clone(),
        given: history.row(at)[history.labels[at]],
        confidence: history.row(at)[other],
    };
    found.rows.iter().map(suspect).collect()
}
