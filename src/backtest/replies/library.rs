//! The answers that a draft may quote, searched as the service searches.

use super::History;
use crate::domain::TicketId;
use crate::index::{MemoryIndex, OtherLength};
use crate::text::Terms;

/// Sources that a draft is offered, as in the service.
const SOURCES: usize = 20;
/// Rows among which these are: some are near-duplicates.
const AMONG: usize = 200;
/// A ticket more similar than this is the same one again: it would give the answer away.
const NEAR_DUPLICATE: f32 = 0.95;

/// A row that may be quoted.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// Its place in the history.
    pub row: usize,
    /// How similar it is.
    pub cosine: f32,
    /// What its words are worth beside that.
    pub words: f32,
}

/// Rows of a history, by vector and words.
#[derive(Default)]
pub struct Library {
    index: MemoryIndex,
    /// The first row that is not in it.
    next: usize,
}

impl Library {
    /// Takes in what may be quoted for a row: those before it where the history has dates, else
    /// all. Rows are asked about in their order.
    ///
    /// # Errors
    /// A vector is not as long as the others.
    pub fn grow(
        &mut self,
        history: &History,
        vectors: &[Vec<f32>],
        row: usize,
    ) -> Result<(), OtherLength> {
        let until = if history.dated { row } else { history.rows.len() };
        while self.next < until {
            self.index.put(
                id(self.next),
                &vectors[self.next],
                &Terms::of(&history.rows[self.next].text),
            )?;
            self.next += 1;
        }
        Ok(())
    }

    /// Takes in every row.
    ///
    /// # Errors
    /// A vector is not as long as the others.
    pub fn add_all(&mut self, history: &History, vectors: &[Vec<f32>]) -> Result<(), OtherLength> {
        self.grow(history, vectors, history.rows.len())
    }

    /// What may be quoted for a text, most similar first. Near-duplicates of a row of the history
    /// are not.
    pub fn sources(&self, vector: &[f32], text: &str, of: Option<usize>) -> Vec<Found> {
        let (terms, own) = (Terms::of(text), of.map(id));
        let apart = |cosine: f32| of.is_none() || cosine < NEAR_DUPLICATE;
        let all = self.index.most_similar(vector, &terms, AMONG, own);
        let similar = all.into_iter().filter(|(_, cosine, _)| apart(*cosine)).take(SOURCES);
        similar.map(|(id, cosine, words)| Found { row: row(id), cosine, words }).collect()
    }

    /// The rows nearest to one by vector alone, near-duplicates left out.
    pub fn nearest(&self, vector: &[f32], of: usize) -> Vec<usize> {
        let near = self.index.nearest(vector, AMONG, Some(id(of)));
        let apart = near.into_iter().filter(|(_, cosine)| *cosine < NEAR_DUPLICATE);
        apart.map(|(id, _)| row(id)).collect()
    }
}

/// A row's place as an id.
pub fn id(row: usize) -> TicketId {
    TicketId::new(uuid::Uuid::from_u128(row as u128))
}

/// The place that an id is.
pub fn row(id: TicketId) -> usize {
    u128::from_be_bytes(*id.as_bytes()) as usize
}
