//! What a classifier learns from.

use std::collections::BTreeSet;

use super::lexical::Terms;
use super::views::{Rows, Views};
use super::words::ClassWords;

/// Tickets as a classifier reads them; all slices have one item a ticket.
#[derive(Debug, Clone, Copy)]
pub struct Readings<'a> {
    /// Embeddings of unit length.
    pub vectors: &'a [Vec<f32>],
    /// Words and their pieces.
    pub terms: &'a [Terms],
    /// What the words mean by themselves: the encoder's `wording` of each.
    pub wordings: &'a [Vec<i8>],
    /// Near-duplicates share a number ([`crate::judge::duplicates::groups`]).
    pub groups: &'a [usize],
    /// Whether the encoder was fine-tuned on it.
    pub taught: &'a [bool],
}

/// Some of them, each with its class. It borrows what is large.
#[derive(Debug)]
pub struct Labelled<'a> {
    rows: Vec<usize>,
    vectors: Vec<&'a [f32]>,
    terms: Vec<&'a Terms>,
    wordings: Vec<&'a [i8]>,
    labels: Vec<usize>,
    groups: Vec<usize>,
    taught: Vec<bool>,
}

impl<'a> Labelled<'a> {
    /// The given rows, each with its class.
    pub fn of(readings: Readings<'a>, rows: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let (rows, labels): (Vec<usize>, Vec<usize>) = rows.into_iter().unzip();
        Self {
            vectors: rows.iter().map(|row| &readings.vectors[*row][..]).collect(),
            terms: rows.iter().map(|row| &readings.terms[*row]).collect(),
            wordings: rows.iter().map(|row| &readings.wordings[*row][..]).collect(),
            groups: rows.iter().map(|row| readings.groups[*row]).collect(),
            taught: rows.iter().map(|row| readings.taught[*row]).collect(),
            rows,
            labels,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Where some of the rows stand among them.
    pub fn positions(&self, rows: &[usize]) -> Vec<usize> {
        let rows: BTreeSet<usize> = rows.iter().copied().collect();
        (0..self.rows.len()).filter(|at| rows.contains(&self.rows[*at])).collect()
    }

    /// As something to be fitted to. `words` are the taxonomy's, by class, or nothing at all.
    pub fn history<'h>(&'h self, classes: &'h [String], words: &'h [ClassWords]) -> History<'h> {
        History {
            vectors: &self.vectors,
            terms: &self.terms,
            wordings: &self.wordings,
            labels: &self.labels,
            groups: &self.groups,
            taught: &self.taught,
            classes,
            words,
        }
    }
}

/// A labelled history; all slices but the last two have one item a ticket.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    /// Embeddings of unit length.
    pub vectors: &'a [&'a [f32]],
    /// Words and their pieces.
    pub terms: &'a [&'a Terms],
    /// What the words mean by themselves, all of one length.
    pub wordings: &'a [&'a [i8]],
    /// The class of each.
    pub labels: &'a [usize],
    /// Near-duplicates share a number ([`crate::judge::duplicates::groups`]).
    pub groups: &'a [usize],
    /// Whether the encoder was fine-tuned on it. Such a ticket is learned from, and says nothing of
    /// how good what was learned is.
    pub taught: &'a [bool],
    /// The labels, by class.
    pub classes: &'a [String],
    /// What the taxonomy says of each class, or nothing at all.
    pub words: &'a [ClassWords],
}

impl<'a> History<'a> {
    pub(super) fn rows(&self, rows: &[usize]) -> Tickets<'a> {
        Tickets {
            vectors: rows.iter().map(|i| self.vectors[*i]).collect(),
            terms: rows.iter().map(|i| self.terms[*i]).collect(),
            wordings: rows.iter().map(|i| self.wordings[*i]).collect(),
            labels: rows.iter().map(|i| self.labels[*i]).collect(),
        }
    }

    pub(super) fn views(&self, rows: &[usize], seed: u64) -> Views {
        Views::fit(self.rows(rows).as_rows(), self.words, self.classes.len(), seed)
    }
}

/// Some tickets of a history.
pub(super) struct Tickets<'a> {
    pub(super) vectors: Vec<&'a [f32]>,
    pub(super) terms: Vec<&'a Terms>,
    pub(super) wordings: Vec<&'a [i8]>,
    pub(super) labels: Vec<usize>,
}

impl Tickets<'_> {
    fn as_rows(&self) -> Rows<'_> {
        Rows {
            vectors: &self.vectors,
            terms: &self.terms,
            wordings: &self.wordings,
            labels: &self.labels,
        }
    }
}
