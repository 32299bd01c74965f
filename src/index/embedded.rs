//! The exact in-memory index: a view of the store's vectors.
//!
//! Before each search it reads what has changed in the store since the last one, so it can never
//! disagree with the store, sees what other processes write, and loses nothing in a crash.
//!
//! Scans that take longer than handing them over, and changes by the batch, run on tokio's
//! blocking threads; the rest runs where it is. One that was handed over runs to its end even if
//! nobody waits for it any longer.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Mutex, RwLock};

use super::scan::Packed;
use super::{IndexError, TicketIndex};
use crate::domain::{Neighbour, TicketId, WorkspaceId};
use crate::store::{EntryChange, Store};

/// Changes read at once; bounds the memory that catching up takes.
const BATCH: u32 = 4096;
/// Numbers that are scanned in place: some 2,700 tickets of 384, or 60 µs, which is what handing
/// over to another thread costs.
const SCAN_IN_PLACE: usize = 1 << 20;
/// Changes that are applied in place, which takes as long.
const APPLY_IN_PLACE: usize = 32;

/// An exact index over one encoder's vectors, for every workspace of a store.
pub struct EmbeddedIndex {
    store: Arc<dyn Store>,
    encoder: String,
    shelves: Mutex<HashMap<WorkspaceId, Arc<Shelf>>>,
}

/// What is held of a workspace. Workspaces never wait for each other.
#[derive(Default)]
struct Shelf {
    /// Held by the search that catches up; the others wait instead of reading the same rows.
    turn: Mutex<()>,
    view: Arc<RwLock<View>>,
}

impl EmbeddedIndex {
    /// An index over the vectors that `encoder` (a fingerprint) wrote. Loads on first use.
    pub fn new(store: Arc<dyn Store>, encoder: String) -> Self {
        Self { store, encoder, shelves: Mutex::default() }
    }

    /// The workspace's view, up to date with the store.
    async fn view(&self, workspace: &WorkspaceId) -> Result<Arc<RwLock<View>>, IndexError> {
        let shelf = Arc::clone(self.shelves.lock().await.entry(workspace.clone()).or_default());
        let _turn = shelf.turn.lock().await;
        loop {
            let seen = shelf.view.read().await.seq;
            let changes = self.store.entry_changes(workspace, &self.encoder, seen, BATCH).await?;
            if changes.is_empty() {
                return Ok(Arc::clone(&shelf.view));
            }
            let mut view = Arc::clone(&shelf.view).write_owned().await;
            let in_place = changes.len() <= APPLY_IN_PLACE;
            run(in_place, move || changes.into_iter().for_each(|change| view.apply(change)))
                .await?;
        }
    }
}

#[async_trait]
impl TicketIndex for EmbeddedIndex {
    async fn search(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError> {
        let view = self.view(workspace).await?.read_owned().await;
        let vector = vector.to_vec();
        let in_place = view.packed.numbers() <= SCAN_IN_PLACE;
        let found = run(in_place, move || view.nearest(&vector, k, exclude)).await?;
        Ok(self.store.neighbours(workspace, &self.encoder, &found).await?)
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<u64, IndexError> {
        let view = self.view(workspace).await?;
        let count = view.read().await.packed.len();
        Ok(count as u64)
    }
}

/// Runs work in place if it is short, and on a blocking thread if it is not.
async fn run<T: Send + 'static>(
    in_place: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, IndexError> {
    if in_place {
        return Ok(work());
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| IndexError::Unavailable(e.to_string()))
}

/// The vectors of one workspace.
#[derive(Default)]
struct View {
    seq: i64,
    packed: Packed,
    positions: HashMap<TicketId, usize>,
}

impl View {
    fn apply(&mut self, change: EntryChange) {
        self.seq = change.seq;
        self.remove(change.ticket_id);
        let Some(vector) = change.vector else { return };
        let at = self.packed.len();
        match self.packed.push(change.ticket_id, &vector) {
            Ok(()) => {
                self.positions.insert(change.ticket_id, at);
            }
            // One encoder's vectors have one length, so this row is damaged.
            Err(e) => tracing::warn!(ticket = %change.ticket_id, "search leaves a ticket out: {e}"),
        }
    }

    fn remove(&mut self, id: TicketId) {
        let Some(at) = self.positions.remove(&id) else { return };
        self.packed.swap_remove(at);
        if let Some(moved) = self.packed.id(at) {
            self.positions.insert(moved, at);
        }
    }

    fn nearest(&self, query: &[f32], k: usize, exclude: Option<TicketId>) -> Vec<(TicketId, f32)> {
        let skip = exclude.and_then(|id| self.positions.get(&id).copied());
        self.packed.nearest(query, k, skip)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn id(n: u8) -> TicketId {
        TicketId::new(Uuid::from_u128(u128::from(n)))
    }

    proptest! {
        /// Whatever happened before, a search finds what brute force over the newest state finds.
        #[test]
        fn a_view_finds_what_brute_force_finds(
            steps in prop::collection::vec((0u8..20, prop::option::of(prop::array::uniform4(-2i8..2))), 0..80),
            query in prop::array::uniform4(-2i8..2),
            k in 0usize..8,
            exclude in prop::option::of(0u8..20),
        ) {
            // Small whole numbers: sums are exact, and many scores are equal.
            let query = query.map(f32::from);
            let mut view = View::default();
            let mut truth = HashMap::new();
            for (seq, (ticket, vector)) in (1..).zip(steps) {
                let vector = vector.map(|v| v.map(f32::from));
                let change = EntryChange {
                    seq,
                    ticket_id: id(ticket),
                    vector: vector.map(|v| v.to_vec()),
                };
                view.apply(change);
                match vector {
                    Some(vector) => truth.insert(ticket, vector),
                    None => truth.remove(&ticket),
                };
            }
            let dot = |v: &[f32; 4]| v.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>() + 0.0;
            let others = truth.iter().filter(|(ticket, _)| Some(**ticket) != exclude);
            let mut expected: Vec<_> = others.map(|(t, v)| (id(*t), dot(v))).collect();
            expected.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            expected.truncate(k);
            let found = view.nearest(&query, k, exclude.map(id));
            prop_assert_eq!(found, expected, "equals are told apart by their ids");
        }
    }
}
