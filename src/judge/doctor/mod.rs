//! The label doctor: what is wrong with a history's labels, and what to do about it. Pure.
//!
//! It reads labels, probabilities that a model gave to tickets which it had not learned from, and
//! which tickets are alike. What it finds is evidence, not truth: every finding names its tickets,
//! so that a person can decide.

mod bounces;
mod confident;
mod contradictions;
mod labels;
mod split;
mod taxonomy;
mod words;
mod worklist;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use bounces::{Bounced, Bounces, Handover, is_bounced};
pub use confident::{Suspect, Suspicion, suspicion};
pub use contradictions::Contradiction;
pub use labels::{CatchAll, Overlap, Unused};
pub use split::Divided;
pub use taxonomy::draft;
pub use words::telling_words;
pub use worklist::{Finding, Work, worklist, worklist_csv};

/// Examples shown of a finding.
const EXAMPLES: usize = 3;

/// A labelled history as the doctor reads it; all lists but `names` have one item a ticket.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    /// `category`, `team`.
    pub field: &'a str,
    /// The labels, by number.
    pub names: &'a [String],
    /// Each ticket's label.
    pub labels: &'a [usize],
    /// What a model that had not seen the ticket gave each label; `tickets × labels`.
    pub probabilities: &'a [f32],
    /// Near-duplicates share a number.
    pub groups: &'a [usize],
    /// Embeddings of unit length.
    pub vectors: &'a [Vec<f32>],
    /// Cleaned, redacted texts.
    pub texts: &'a [String],
    /// What a ticket is known by in its system.
    pub ids: &'a [String],
    /// Redacted subjects.
    pub subjects: &'a [String],
    /// When it was asked.
    pub times: &'a [Option<Timestamp>],
    /// The teams it went through, in turn, where the export tells.
    pub paths: &'a [Vec<String>],
    /// How often it was handed over, where the export only counts.
    pub handovers: &'a [Option<u32>],
    /// For all that is left to chance.
    pub seed: u64,
}

impl History<'_> {
    fn row(&self, row: usize) -> &[f32] {
        &self.probabilities[row * self.names.len()..][..self.names.len()]
    }

    /// The likeliest label of each ticket.
    fn answers(&self) -> Vec<usize> {
        (0..self.labels.len()).map(|row| top(self.row(row))).collect()
    }

    fn example(&self, row: usize) -> Example {
        Example { ticket: self.ids[row].clone(), subject: self.subjects[row].clone() }
    }

    fn examples(&self, rows: impl Iterator<Item = usize>) -> Vec<Example> {
        rows.take(EXAMPLES).map(|row| self.example(row)).collect()
    }

    /// The tickets of each label.
    fn by_label(&self) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); self.names.len()];
        for (row, label) in self.labels.iter().enumerate() {
            rows[*label].push(row);
        }
        rows
    }

    /// The mean embedding of each label, of unit length; empty where there is none.
    fn centres(&self) -> Vec<Vec<f32>> {
        self.by_label().iter().map(|rows| centre(self.vectors, rows)).collect()
    }
}

/// A ticket that shows a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Its id.
    pub ticket: String,
    /// Its subject.
    pub subject: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Doctor {
    /// Tickets that were looked at.
    pub tickets: usize,
    /// The share of labels that is wrong by the confident joint: too high where a model cannot tell
    /// labels apart.
    pub noise: f64,
    /// Tickets whose label is probably wrong, the surest first.
    pub mislabelled: Vec<Suspect>,
    /// Tickets that say the same and are labelled differently, the largest groups first.
    pub contradictions: Vec<Contradiction>,
    /// Pairs of labels whose tickets cannot be told apart, the worst first.
    pub overlaps: Vec<Overlap>,
    /// Labels that hold two kinds of tickets.
    pub divided: Vec<Divided>,
    /// Labels that are hardly used, or no longer.
    pub unused: Vec<Unused>,
    /// Labels that hold whatever fits nowhere else.
    pub catch_alls: Vec<CatchAll>,
    /// Tickets that went from team to team.
    pub bounces: Bounces,
}

/// Looks at a labelled history.
pub fn examine(history: &History<'_>) -> Doctor {
    if history.labels.is_empty() || history.names.len() < 2 {
        return Doctor { tickets: history.labels.len(), ..Doctor::default() };
    }
    let found = suspicion(history.labels, history.names.len(), history.probabilities);
    let catch_alls = labels::catch_alls(history);
    Doctor {
        tickets: history.labels.len(),
        noise: found.noise,
        mislabelled: confident::suspects(history, &found),
        contradictions: contradictions::find(history),
        overlaps: labels::overlaps(history),
        divided: split::divided(history),
        unused: labels::unused(history),
        catch_alls,
        bounces: bounces::find(history),
    }
}

/// The position of the largest; of equals the first.
fn top(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn centre(vectors: &[Vec<f32>], rows: &[usize]) -> Vec<f32> {
    let Some(first) = rows.first() else { return Vec::new() };
    let mut sum = vec![0.0_f32; vectors[*first].len()];
    for row in rows {
        for (sum, x) in sum.iter_mut().zip(&vectors[*row]) {
            *sum += x;
        }
    }
    let length = dot(&sum, &sum).sqrt();
    if length > 0.0 {
        for x in &mut sum {
            *x /= length;
        }
    }
    sum
}

#[cfg(test)]
mod tests;
