//! How rows of a history look to models that have not learned from them.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::fit::Options;
use super::history::History;
use super::nearest::nearest;
use super::stack::{Looks, Stack};
use super::views::{NEIGHBOURS, VIEWS};
use crate::judge::splits;

/// Views of unseen rows that are held at once, in numbers: bounds memory where classes are many.
const MAX_CELLS: usize = 24_000_000;
/// Rows that judge, at most: each is compared with the whole history, and more of them say no more.
const MOST_ROWS: usize = 60_000;
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

/// Which rows are left out together.
pub(super) struct Folds {
    /// `None`: never left out.
    of: Vec<Option<usize>>,
    /// How many folds there are.
    pub(super) count: usize,
}

impl Folds {
    /// Divides the rows that can judge: the encoder was fine-tuned on none of them, nor on a
    /// near-duplicate. `None` if they are too few.
    pub(super) fn of(history: History<'_>, seed: u64) -> Option<Self> {
        let (n, classes) = (history.labels.len(), history.classes.len());
        let count = if n <= SMALL.0 && n * classes <= SMALL.1 { FOLDS_OF_SMALL } else { FOLDS };
        let taught: BTreeSet<usize> =
            (0..n).filter(|row| history.taught[*row]).map(|row| history.groups[row]).collect();
        let known = history.labels.iter().collect::<BTreeSet<_>>().len();
        let fresh = history.groups.iter().filter(|group| !taught.contains(group)).count();
        if known < 2 || fresh < ROWS_PER_CLASS * known {
            return None;
        }
        let labels: Vec<u32> = history.labels.iter().map(|label| *label as u32).collect();
        let folds = splits::folds(history.groups, &labels, count, seed).ok()?;
        let fresh = |(fold, group): (usize, &usize)| (!taught.contains(group)).then_some(fold);
        Some(Self { of: folds.into_iter().zip(history.groups).map(fresh).collect(), count })
    }

    /// Whether a row is left out some time.
    pub(super) fn judge(&self, row: usize) -> bool {
        self.of[row].is_some()
    }
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
    /// Leaves each fold out in turn. A neighbour is any row but the near-duplicates of the row.
    pub(super) fn look(
        history: History<'_>,
        folds: &Folds,
        options: Options,
        step: &mut impl FnMut(),
    ) -> Self {
        let classes = history.classes.len();
        let fresh: Vec<usize> = (0..folds.of.len()).filter(|row| folds.judge(*row)).collect();
        let most = MOST_ROWS.min(MAX_CELLS / (VIEWS * classes));
        let rows = sample(fresh, most, options.seed);
        let neighbours = neighbours(history, &rows, |_| true);
        let mut views = vec![0.0; rows.len() * VIEWS * classes];
        for fold in (0..folds.count).map(Some) {
            let seen: Vec<usize> =
                (0..folds.of.len()).filter(|row| folds.of[*row] != fold).collect();
            let fitted = history.views(&seen, options.seed);
            let parts = views.chunks_exact_mut(VIEWS * classes).zip(rows.iter().zip(&neighbours));
            for (part, (&row, near)) in parts.filter(|(_, (row, _))| folds.of[**row] == fold) {
                let words = fitted.read(history.terms[row]);
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
