//! Which rows are learned from and which are judged by. Near-duplicates never stand on both sides;
//! the same data and seed give the same split.
//!
//! `groups` holds each row's group, any number that its near-duplicates share
//! ([`super::duplicates::groups`]). Lists of rows come out in ascending order.

use std::collections::{BTreeMap, HashMap};

use fastrand::Rng;
use jiff::Timestamp;

/// Rows on both sides of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows to learn from.
    pub train: Vec<usize>,
    /// Rows to be judged by.
    pub test: Vec<usize>,
}

/// Data that cannot be split as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// A share of all or nothing.
    #[error("expected a share between 0 and 1 for the test part, found {0}")]
    Share(f64),
    /// One fold or none.
    #[error("expected at least 2 folds, found {0}")]
    Folds(usize),
    /// Not enough different texts.
    #[error(
        "there are only {groups} different texts (near-duplicates stay together), too few for \
         {parts} parts"
    )]
    TooFewGroups {
        /// Groups of near-duplicates.
        groups: usize,
        /// How many parts were wanted.
        parts: usize,
    },
    /// No order in time.
    #[error(
        "tickets cannot be put in the order of their time: {dated} of {rows} have one, and these \
         are all the same or all near-duplicates"
    )]
    NoOrder {
        /// Rows with a time.
        dated: usize,
        /// All rows.
        rows: usize,
    },
}

/// Rows by the data's own `split` field; under the empty name those that have none.
pub fn by_name<'a>(splits: &[Option<&'a str>]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut parts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (row, name) in splits.iter().enumerate() {
        parts.entry(name.unwrap_or_default()).or_default().push(row);
    }
    parts
}

/// The latest tickets are judged by: as near to this share of all as can be.
///
/// A group of near-duplicates stands where its first ticket stands, so a late copy of an early
/// ticket is learned from and not judged by; tickets without a time are learned from. Otherwise,
/// tickets of the same time are on the same side.
///
/// # Errors
/// A share that is none; times that give no order.
pub fn by_time(
    times: &[Option<Timestamp>],
    groups: &[usize],
    share: f64,
) -> Result<Split, SplitError> {
    proper(share)?;
    let mut first: HashMap<usize, Option<Timestamp>> = HashMap::new();
    for (group, time) in groups.iter().zip(times) {
        // None is before every time.
        let earliest = first.entry(*group).or_insert(*time);
        *earliest = (*earliest).min(*time);
    }
    let mut starts: Vec<Option<Timestamp>> = groups.iter().map(|group| first[group]).collect();
    let of_row = starts.clone();
    starts.sort_unstable();
    let wanted = share * starts.len() as f64;
    // A cut before row `at` of the ordered rows leaves the rest to be judged by.
    let cuts = (1..starts.len()).filter(|at| starts[*at] != starts[at - 1]);
    let miss = |at: &usize| ((starts.len() - at) as f64 - wanted).abs();
    let best = cuts.min_by(|a, b| miss(a).total_cmp(&miss(b)));
    let Some(cut) = best.map(|at| starts[at]) else {
        let dated = times.iter().flatten().count();
        return Err(SplitError::NoOrder { dated, rows: times.len() });
    };
    let (test, train) = (0..of_row.len()).partition(|row| of_row[*row] >= cut);
    Ok(Split { train, test })
}

/// A part of the given rows by chance, as near to the share as whole groups allow, and with each
/// label's rows in the same proportion as far as possible. Labels that have too few rows to be
/// on both sides stay in `train`.
///
/// # Errors
/// A share that is none; fewer than two groups.
pub fn carve(
    rows: &[usize],
    groups: &[usize],
    labels: &[u32],
    share: f64,
    seed: u64,
) -> Result<Split, SplitError> {
    proper(share)?;
    let parts = deal(rows, groups, labels, &[1.0 - share, share], seed)?;
    let side = |side: usize| rows.iter().zip(&parts).filter(move |(_, part)| **part == side);
    let side = |at: usize| {
        let mut rows: Vec<usize> = side(at).map(|(row, _)| *row).collect();
        rows.sort_unstable();
        rows
    };
    Ok(Split { train: side(0), test: side(1) })
}

/// The fold, 0 to `k − 1`, of each row: folds of the same size, and with each label's rows in the
/// same proportion, as far as whole groups allow. The rows of fold `f` are judged by a model that
/// has learned from all others. A label with one row is only ever judged, or only ever learned.
///
/// # Errors
/// Fewer than two folds; fewer groups than folds.
pub fn folds(
    groups: &[usize],
    labels: &[u32],
    k: usize,
    seed: u64,
) -> Result<Vec<usize>, SplitError> {
    if k < 2 {
        return Err(SplitError::Folds(k));
    }
    let rows: Vec<usize> = (0..groups.len()).collect();
    deal(&rows, groups, labels, &vec![1.0 / k as f64; k], seed)
}

/// At most `n` of the given rows of each label, by chance; all of a label that has fewer. A smaller
/// sample of the same seed is part of a larger one.
pub fn per_class(rows: &[usize], labels: &[u32], n: usize, seed: u64) -> Vec<usize> {
    let mut by_label: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for row in rows {
        by_label.entry(labels[*row]).or_default().push(*row);
    }
    let mut rng = Rng::with_seed(seed);
    let mut sample = Vec::new();
    for rows in by_label.values_mut() {
        rng.shuffle(rows);
        sample.extend(rows.iter().take(n));
    }
    sample.sort_unstable();
    sample
}

fn proper(share: f64) -> Result<(), SplitError> {
    if share > 0.0 && share < 1.0 { Ok(()) } else { Err(SplitError::Share(share)) }
}

/// A group's size and its rows of each label.
#[derive(Default)]
struct Group {
    size: f64,
    labels: BTreeMap<u32, f64>,
}

/// Deals whole groups to parts that are to hold these shares: the largest first, by chance among
/// equals, each to the part where sizes and labels then depart least (by chi-square) from the
/// shares. A greedy stratification by groups, as scikit-learn's `StratifiedGroupKFold` is.
fn deal(
    rows: &[usize],
    groups: &[usize],
    labels: &[u32],
    shares: &[f64],
    seed: u64,
) -> Result<Vec<usize>, SplitError> {
    let mut contents: BTreeMap<usize, Group> = BTreeMap::new();
    let mut totals: HashMap<u32, f64> = HashMap::new();
    for row in rows {
        let group = contents.entry(groups[*row]).or_default();
        group.size += 1.0;
        *group.labels.entry(labels[*row]).or_default() += 1.0;
        *totals.entry(labels[*row]).or_default() += 1.0;
    }
    if contents.len() < shares.len() {
        return Err(SplitError::TooFewGroups { groups: contents.len(), parts: shares.len() });
    }
    let mut order: Vec<(usize, Group)> = contents.into_iter().collect();
    Rng::with_seed(seed).shuffle(&mut order);
    order.sort_by(|a, b| b.1.size.total_cmp(&a.1.size));
    let mut parts: Vec<Group> = shares.iter().map(|_| Group::default()).collect();
    let mut part_of: HashMap<usize, usize> = HashMap::new();
    let remaining = order.len();
    for (dealt, (id, group)) in order.into_iter().enumerate() {
        let cost = |part: usize| {
            let (held, share) = (&parts[part], shares[part]);
            let growth = |has: f64, more: f64, all: f64| {
                (2.0 * (has - share * all) + more) * more / (share * all)
            };
            let own = |(label, more): (&u32, &f64)| {
                growth(held.labels.get(label).copied().unwrap_or_default(), *more, totals[label])
            };
            group.labels.iter().map(own).sum::<f64>()
                + growth(held.size, group.size, rows.len() as f64)
        };
        // No part may stay empty: the last groups are kept for those that are.
        let empty = parts.iter().filter(|part| part.size == 0.0).count();
        let may = |part: &usize| remaining - dealt > empty || parts[*part].size == 0.0;
        let best = (0..parts.len()).filter(may).min_by(|a, b| cost(*a).total_cmp(&cost(*b)));
        let best = best.unwrap_or_default();
        parts[best].size += group.size;
        for (label, more) in group.labels {
            *parts[best].labels.entry(label).or_default() += more;
        }
        part_of.insert(id, best);
    }
    Ok(rows.iter().map(|row| part_of[&groups[*row]]).collect())
}

#[cfg(test)]
mod tests;
