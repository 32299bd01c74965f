//! Finding the resolved tickets most like a new one, behind a trait.
//!
//! The embedded index is a view of the store and needs no care. An external one is a copy, which
//! whoever writes to the store keeps in step through [`ExternalIndex`].

mod embedded;
mod lexical;
mod memory;
mod qdrant;
mod scan;

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{Neighbour, Outcome, Ranking, TicketId, WorkspaceId};
use crate::store::StoreError;
use crate::text::Terms;
pub use embedded::EmbeddedIndex;
pub use lexical::Lexical;
pub use memory::{LEXICAL_WEIGHT, MemoryIndex};
pub use qdrant::{QdrantIndex, QdrantSettings};
pub use scan::OtherLength;

/// Why an index gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The rows behind the index could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index has more to do than it can; it may say when to come back.
    #[error("the index is overloaded: {message}")]
    Overloaded {
        /// In its own words.
        message: String,
        /// When to come back.
        retry_after: Option<Duration>,
    },
    /// The index cannot be reached or failed.
    #[error("the index is unavailable: {0}")]
    Unavailable(String),
}

/// A resolved ticket as an external index holds it: all that a search shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Which ticket.
    pub ticket_id: TicketId,
    /// Its embedding, of length 1.
    pub vector: Vec<f32>,
    /// Its subject line, redacted.
    pub subject: String,
    /// Its outcome, the resolution redacted.
    pub outcome: Outcome,
    /// ISO 639-1 code.
    pub language: Option<String>,
}

/// The resolved tickets most like a text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Both {
    /// By its vector, best first.
    pub nearest: Vec<Neighbour>,
    /// By what [`TicketIndex::ranking`] says, best first.
    pub similar: Vec<Neighbour>,
}

/// An index over the vectors of one encoder.
#[async_trait]
pub trait TicketIndex: Send + Sync {
    /// The `k` resolved tickets of the workspace most similar to a unit vector, best first (equals
    /// by id), with everything that a caller shows. `exclude` never appears: a ticket is not its
    /// own neighbour.
    async fn search(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError>;

    /// What [`TicketIndex::similar`] goes by.
    fn ranking(&self) -> Ranking {
        Ranking::Vector
    }

    /// The `k` resolved tickets most like a text, by its vector and, where the index knows them, by
    /// its words, best first. Their scores are cosines all the same.
    async fn similar(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        _terms: &Terms,
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError> {
        self.search(workspace, vector, k, exclude).await
    }

    /// What [`TicketIndex::search`] and [`TicketIndex::similar`] find, in one look.
    async fn both(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        _terms: &Terms,
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Both, IndexError> {
        let nearest = self.search(workspace, vector, k, exclude).await?;
        Ok(Both { similar: nearest.clone(), nearest })
    }

    /// How many tickets of the workspace it can find.
    async fn count(&self, workspace: &WorkspaceId) -> Result<u64, IndexError>;
}

/// An index outside the store, which has to be told of every change.
#[async_trait]
pub trait ExternalIndex: TicketIndex {
    /// Adds entries, or replaces those of the same ticket. When this returns, searches find them.
    async fn upsert(&self, workspace: &WorkspaceId, entries: &[Entry]) -> Result<(), IndexError>;

    /// Takes tickets out; one that is not there is no error. When this returns, no search finds
    /// them.
    async fn remove(&self, workspace: &WorkspaceId, ids: &[TicketId]) -> Result<(), IndexError>;

    /// The workspace's ticket ids after `after` in the order of ids, at most `limit`.
    async fn ids(
        &self,
        workspace: &WorkspaceId,
        after: Option<TicketId>,
        limit: u32,
    ) -> Result<Vec<TicketId>, IndexError>;
}
