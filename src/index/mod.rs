//! Finding the resolved tickets most like a new one, behind a trait.

mod embedded;

use async_trait::async_trait;

use crate::domain::{Neighbour, TicketId, WorkspaceId};
use crate::store::StoreError;
pub use embedded::EmbeddedIndex;

/// Why a search gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The rows behind the index could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An index over the vectors of one encoder.
#[async_trait]
pub trait TicketIndex: Send + Sync {
    /// The `k` resolved tickets of the workspace most similar to a unit vector, best first, with
    /// everything that a caller shows. `exclude` never appears: a ticket is not its own neighbour.
    async fn search(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError>;
}
