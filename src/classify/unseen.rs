//! How rows of a history look to models that have not learned from them.

use std::collections::{BTreeSet, HashMap};

use fastrand::Rng;

use super::fit::Options;
use super::history::History;
use super::nearest::nearest;
use super::stack::{Looks, Stack};
use super::views::{NEIGHBOURS, VIEWS};
use crate::judge::splits;

/// Views of unseen rows that are held at once, in numbers: bounds memory where classes are many.
const MAX_CELLS: usize = 33_600_000;
/// Rows that judge, at most: each fold that is left out costs a fit, each row a comparison with the
/// whole history, and of so many, half the width of a share's 95 % interval is 0.4 points.
const MOST_ROWS: usize = 16_000;
/// A history of fewer tickets a class is too small to be judged by parts of it.
const ROWS_PER_CLASS: usize = 3;
/// Parts that are left out in turn: more where they are cheap, because a model that has seen more
/// is more like the one that will answer.
pub(super) const FOLDS: usize = 5;
const FOLDS_OF_SMALL: usize = 10;
/// Small, in rows and in rows times classes.
const SMALL: (usize, usize) = (12_000, 2_000_000);
/// Parts of the unseen rows that the weights of the views are fitted without, in turn.
const CROSS: usize = 4;

/// Rows that judge among so many classes, at most.
pub(super) fn most_rows(classes: usize) -> usize {
    MOST_ROWS.min(MAX_CELLS / (VIEWS * classes))
}

/// Which rows are left out together.
pub(super) struct Folds {
    /// `None`: cannot judge.
    of: Vec<Option<usize>>,
    /// How many of them are left out in turn: as many as it takes for enough rows.
    pub(super) count: usize,
}

impl Folds {
    /// Divides the rows that can judge: the encoder was fine-tuned on none of them, nor on a
    /// near-duplicate. `None` if they are too few.
    pub(super) fn of(history: History<'_>, seed: u64) -> Option<Self> {
        let (n, classes) = (history.labels.len(), history.classes.len());
        let parts = if n <= SMALL.0 && n * classes <= SMALL.1 { FOLDS_OF_SMALL } else { FOLDS };
        let taught: BTreeSet<usize> =
            (0..n).filter(|row| history.taught[*row]).map(|row| history.groups[row]).collect();
        let known = history.labels.iter().collect::<BTreeSet<_>>().len();
        let fresh = history.groups.iter().filter(|group| !taught.contains(group)).count();
        if known < 2 || fresh < ROWS_PER_CLASS * known {
            return None;
        }
        let labels: Vec<u32> = history.labels.iter().map(|label| *label as u32).collect();
        let folds = splits::folds(history.groups, &labels, parts, seed).ok()?;
        let order = evenest_first(&folds, history.groups, parts);
        let fresh =
            |(fold, group): (usize, &usize)| (!taught.contains(group)).then_some(order[fold]);
        let of: Vec<Option<usize>> = folds.into_iter().zip(history.groups).map(fresh).collect();
        let rows = |count: usize| of.iter().flatten().filter(|fold| **fold < count).count();
        let enough = |count: &usize| rows(*count) >= most_rows(classes);
        let count = (1..parts).find(enough).unwrap_or(parts);
        Some(Self { of, count })
    }

    /// The rows that are left out some time.
    fn left_out(&self) -> impl Iterator<Item = usize> {
        let is_left_out = |fold: &Option<usize>| fold.is_some_and(|fold| fold < self.count);
        self.of.iter().enumerate().filter(move |(_, fold)| is_left_out(fold)).map(|(row, _)| row)
    }

    /// Whether a row can judge.
    pub(super) fn judge(&self, row: usize) -> bool {
        self.of[row].is_some()
    }
}

/// For each fold its place when those come first that one group of near-duplicates makes up least
/// of: a mail that came ten thousand times is one thing to know, and not most of what to judge by.
fn evenest_first(folds: &[usize], groups: &[usize], parts: usize) -> Vec<usize> {
    let mut sizes: HashMap<(usize, usize), usize> = HashMap::new();
    for (fold, group) in folds.iter().zip(groups) {
        *sizes.entry((*fold, *group)).or_default() += 1;
    }
    let mut largest = vec![0; parts];
    for ((fold, _), size) in sizes {
        largest[fold] = largest[fold].max(size);
    }
    let mut order: Vec<usize> = (0..parts).collect();
    order.sort_by_key(|fold| largest[*fold]);
    let mut places = vec![0; parts];
    for (place, fold) in order.into_iter().enumerate() {
        places[fold] = place;
    }
    places
}

/// Rows as models saw them that had not learned from them.
pub(super) struct Unseen {
    pub(super) rows: Vec<usize>,
    pub(super) labels: Vec<usize>,
    /// `rows × VIEWS × classes`.
    pub(super) views: Vec<f32>,
    /// Classes with cosines.
    pub(super) neighbours: Vec<Vec<(usize, f32)>>,
    classes: usize,
}

impl Unseen {
    /// Leaves folds out in turn. A neighbour is any row but the near-duplicates of the row.
    pub(super) fn look(
        history: History<'_>,
        folds: &Folds,
        options: Options,
        step: &mut impl FnMut(),
    ) -> Self {
        let classes = history.classes.len();
        let rows = sample(folds.left_out(), most_rows(classes), options.seed);
        let neighbours = neighbours(history, &rows, |_| true);
        let mut views = vec![0.0; rows.len() * VIEWS * classes];
        for fold in (0..folds.count).map(Some) {
            let seen: Vec<usize> =
                (0..folds.of.len()).filter(|row| folds.of[*row] != fold).collect();
            let fitted = history.views(&seen, options.seed);
            let parts = views.chunks_exact_mut(VIEWS * classes).zip(rows.iter().zip(&neighbours));
            for (part, (&row, near)) in parts.filter(|(_, (row, _))| folds.of[**row] == fold) {
                let words = fitted.read(history.terms[row], history.wordings[row]);
                let look = fitted.look(history.vectors[row], &words, near);
                part.copy_from_slice(&look);
            }
            step();
        }
        let labels = rows.iter().map(|i| history.labels[*i]).collect();
        Self { rows, labels, views, neighbours, classes }
    }

    /// The rows as weights of the views are fitted to them.
    pub(super) fn looks(&self) -> Looks<'_> {
        Looks { views: &self.views, labels: &self.labels, classes: self.classes }
    }

    /// Weights of the views for each part of the rows, fitted to the other parts.
    pub(super) fn stacks(&self, bias_strength: f64) -> Vec<Stack> {
        let part = |of: usize| {
            let rows: Vec<usize> = (0..self.rows.len()).filter(|row| row % CROSS != of).collect();
            Stack::fit(self.looks(), &rows, bias_strength)
        };
        (0..CROSS).map(part).collect()
    }

    /// The weights that a row's answer is judged by: those that were fitted without it.
    pub(super) fn without(row: usize, stacks: &[Stack]) -> &Stack {
        &stacks[row % CROSS]
    }
}

/// At most `most` of the rows, by chance, in order.
pub(super) fn sample(rows: impl IntoIterator<Item = usize>, most: usize, seed: u64) -> Vec<usize> {
    let mut chosen: Vec<usize> = rows.into_iter().collect();
    if chosen.len() > most {
        Rng::with_seed(seed).shuffle(&mut chosen);
        chosen.truncate(most);
        chosen.sort_unstable();
    }
    chosen
}

/// The labelled rows most similar to each of the given ones, without their near-duplicates and
/// classes that `shown` leaves out: classes with cosines.
pub(super) fn neighbours(
    history: History<'_>,
    rows: &[usize],
    shown: impl Fn(usize) -> bool + Sync,
) -> Vec<Vec<(usize, f32)>> {
    let queries: Vec<&[f32]> = rows.iter().map(|i| history.vectors[*i]).collect();
    let found = nearest(&queries, history.vectors, NEIGHBOURS, |query, row| {
        history.groups[rows[query]] != history.groups[row] && shown(history.labels[row])
    });
    let class = |near: Vec<(usize, f32)>| {
        near.into_iter().map(|(row, cosine)| (history.labels[row], cosine)).collect()
    };
    found.into_iter().map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many folds of so many rows are left out, and how many rows with them.
    fn judges(rows: usize, classes: usize) -> (usize, usize) {
        let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
        let labels: Vec<usize> = (0..rows).map(|row| row % classes).collect();
        let history = History {
            vectors: &[],
            terms: &[],
            wordings: &[],
            labels: &labels,
            groups: &(0..rows).collect::<Vec<_>>(),
            taught: &vec![false; rows],
            classes: &names,
            words: &[],
        };
        let folds = Folds::of(history, 1).unwrap();
        assert!((0..rows).all(|row| folds.judge(row)));
        (folds.count, folds.left_out().count())
    }

    #[test]
    fn a_mail_that_came_thousands_of_times_is_not_what_most_is_judged_by() {
        // A fifth of them is one mail; the others are each of their own kind.
        let (rows, classes) = (110_000, 8);
        let names: Vec<String> = (0..classes).map(|class| class.to_string()).collect();
        let labels: Vec<usize> = (0..rows).map(|row| row % classes).collect();
        let groups: Vec<usize> = (0..rows).map(|row| if row % 5 == 0 { 0 } else { row }).collect();
        let history = History {
            vectors: &[],
            terms: &[],
            wordings: &[],
            labels: &labels,
            groups: &groups,
            taught: &vec![false; rows],
            classes: &names,
            words: &[],
        };
        let folds = Folds::of(history, 1).unwrap();
        assert_eq!(folds.left_out().filter(|row| groups[*row] == 0).count(), 0);
        assert!(folds.left_out().count() > MOST_ROWS);
    }

    #[test]
    fn of_a_large_history_no_more_is_left_out_than_it_takes_to_judge() {
        assert_eq!(judges(5_000, 8), (FOLDS_OF_SMALL, 5_000));
        assert_eq!(judges(18_000, 8), (FOLDS, 18_000));
        assert_eq!(judges(30_000, 8), (3, 18_000));
        assert_eq!(judges(110_000, 8), (1, 22_000));
        // Of many classes, views of fewer rows fit into memory.
        assert_eq!(judges(30_000, 2_000), (1, 6_000));
    }
}
