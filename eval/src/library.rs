//! The answers that a draft may quote, searched as the service searches.

use anyhow::{Context, Result};
use deskhand::index::MemoryIndex;
use deskhand::text::Terms;

use crate::drafts::History;
use crate::similar::{id, row};

/// Sources that a draft is offered, as in the service.
const SOURCES: usize = 20;
/// Rows among which these are: some are near-duplicates.
const AMONG: usize = 200;
/// A ticket more similar than this is the same one again: it would give the answer away.
const NEAR_DUPLICATE: f32 = 0.95;

/// A row that may be quoted.
pub(crate) struct Found {
    pub(crate) row: usize,
    pub(crate) cosine: f32,
    /// What its words are worth beside that.
    pub(crate) words: f32,
}

/// Rows of a history, by vector and words.
#[derive(Default)]
pub(crate) struct Library {
    index: MemoryIndex,
    /// The first row that is not in it.
    next: usize,
}

impl Library {
    /// Takes in what may be quoted for a row: those before it where the history has dates, else
    /// all. Rows are asked about in their order.
    pub(crate) fn grow(
        &mut self,
        history: &History,
        vectors: &[Vec<f32>],
        row: usize,
    ) -> Result<()> {
        let until = if history.dated { row } else { history.rows.len() };
        while self.next < until {
            let id = id(self.next).context("an id has 16 bytes")?;
            self.index.put(id, &vectors[self.next], &Terms::of(&history.rows[self.next].text))?;
            self.next += 1;
        }
        Ok(())
    }

    /// Takes in every row.
    pub(crate) fn add_all(&mut self, history: &History, vectors: &[Vec<f32>]) -> Result<()> {
        self.grow(history, vectors, history.rows.len())
    }

    /// What may be quoted for a text, most similar first. Near-duplicates of a row of the history
    /// are not.
    pub(crate) fn sources(&self, vector: &[f32], text: &str, of: Option<usize>) -> Vec<Found> {
        let (terms, own) = (Terms::of(text), of.and_then(id));
        let apart = |cosine: f32| of.is_none() || cosine < NEAR_DUPLICATE;
        let all = self.index.most_similar(vector, &terms, AMONG, own);
        let similar = all.into_iter().filter(|(_, cosine, _)| apart(*cosine)).take(SOURCES);
        similar.map(|(id, cosine, words)| Found { row: row(id), cosine, words }).collect()
    }

    /// The rows nearest to one by vector alone, near-duplicates left out.
    pub(crate) fn nearest(&self, vector: &[f32], of: usize) -> Vec<usize> {
        let near = self.index.nearest(vector, AMONG, id(of));
        let apart = near.into_iter().filter(|(_, cosine)| *cosine < NEAR_DUPLICATE);
        apart.map(|(id, _)| row(id)).collect()
    }
}
