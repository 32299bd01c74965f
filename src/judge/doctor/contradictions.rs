//! Tickets that say the same and are labelled differently.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Example, History};

/// A group of near-duplicates with more than one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contradiction {
    /// What they say: the first one's subject.
    pub subject: String,
    /// Labels and how many tickets have each, the most frequent first.
    pub labels: Vec<(String, usize)>,
    /// The label that more than half of them have, if there is one.
    pub suggested: Option<String>,
    /// The tickets that have another, or all where there is no majority.
    pub tickets: Vec<(Example, String)>,
}

pub(super) fn find(history: &History<'_>) -> Vec<Contradiction> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (row, group) in history.groups.iter().enumerate() {
        groups.entry(*group).or_default().push(row);
    }
    let mut found: Vec<(usize, Contradiction)> = Vec::new();
    for rows in groups.into_values() {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        for row in &rows {
            *counts.entry(history.labels[*row]).or_default() += 1;
        }
        if counts.len() < 2 {
            continue;
        }
        let mut counts: Vec<(usize, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(label, n)| (std::cmp::Reverse(*n), *label));
        let most = counts[0];
        let majority = (2 * most.1 > rows.len()).then_some(most.0);
        let other = |row: &&usize| majority.is_none_or(|m| history.labels[**row] != m);
        let name = |label: usize| history.names[label].clone();
        let tickets =
            rows.iter().filter(other).map(|r| (history.example(*r), name(history.labels[*r])));
        let contradiction = Contradiction {
            subject: rows.first().map(|r| history.subjects[*r].clone()).unwrap_or_default(),
            labels: counts.iter().map(|(label, n)| (name(*label), *n)).collect(),
            suggested: majority.map(name),
            tickets: tickets.collect(),
        };
        found.push((rows.len(), contradiction));
    }
    found.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    found.into_iter().map(|(_, contradiction)| contradiction).collect()
}
