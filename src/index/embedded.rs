//! The exact in-memory index: a view of the store's vectors.
//!
//! Before each search it reads what has changed in the store since the last one, so it can never
//! disagree with the store, sees what other processes write, and loses nothing in a crash.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use simsimd::SpatialSimilarity;
use tokio::sync::{Mutex, RwLock};

use super::{IndexError, TicketIndex};
use crate::domain::{Neighbour, TicketId, WorkspaceId};
use crate::store::{Store, VectorChange};

/// Changes read at once; bounds the memory that catching up takes.
const BATCH: u32 = 4096;

/// An exact index over one encoder's vectors, for every workspace of a store.
pub struct EmbeddedIndex {
    store: Arc<dyn Store>,
    encoder: String,
    turn: Mutex<()>,
    views: Mutex<HashMap<WorkspaceId, Arc<RwLock<View>>>>,
}

impl EmbeddedIndex {
    /// An index over the vectors that `encoder` (a fingerprint) wrote. Loads on first use.
    pub fn new(store: Arc<dyn Store>, encoder: String) -> Self {
        Self { store, encoder, turn: Mutex::default(), views: Mutex::default() }
    }

    async fn view(&self, workspace: &WorkspaceId) -> Arc<RwLock<View>> {
        Arc::clone(self.views.lock().await.entry(workspace.clone()).or_default())
    }

    /// Brings a view up to date with the store.
    async fn follow(&self, workspace: &WorkspaceId, view: &RwLock<View>) -> Result<(), IndexError> {
        // One search catches up, the others wait for it instead of reading the same rows.
        let _turn = self.turn.lock().await;
        loop {
            let seen = view.read().await.seq;
            let changes = self.store.vector_changes(workspace, &self.encoder, seen, BATCH).await?;
            if changes.is_empty() {
                return Ok(());
            }
            let mut view = view.write().await;
            for change in changes {
                view.apply(change);
            }
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
        let view = self.view(workspace).await;
        self.follow(workspace, &view).await?;
        let found = view.read().await.nearest(vector, k, exclude);
        Ok(self.store.neighbours(workspace, &found).await?)
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<u64, IndexError> {
        let view = self.view(workspace).await;
        self.follow(workspace, &view).await?;
        Ok(view.read().await.ids.len() as u64)
    }
}

/// The vectors of one workspace, packed one after the other.
#[derive(Default)]
struct View {
    seq: i64,
    dimensions: usize,
    ids: Vec<TicketId>,
    vectors: Vec<f32>,
    positions: HashMap<TicketId, usize>,
}

impl View {
    fn apply(&mut self, change: VectorChange) {
        self.seq = change.seq;
        self.remove(change.ticket_id);
        if let Some(vector) = change.vector {
            self.dimensions = vector.len();
            self.positions.insert(change.ticket_id, self.ids.len());
            self.ids.push(change.ticket_id);
            self.vectors.extend(vector);
        }
    }

    /// Takes a ticket out by moving the last one into its place.
    fn remove(&mut self, id: TicketId) {
        let Some(at) = self.positions.remove(&id) else { return };
        let last = self.ids.len() - 1;
        let width = self.dimensions;
        self.vectors.copy_within(last * width.., at * width);
        self.vectors.truncate(last * width);
        self.ids.swap_remove(at);
        if let Some(&moved) = self.ids.get(at) {
            self.positions.insert(moved, at);
        }
    }

    fn nearest(&self, query: &[f32], k: usize, exclude: Option<TicketId>) -> Vec<(TicketId, f32)> {
        if self.dimensions == 0 || k == 0 {
            return Vec::new();
        }
        // A heap of the best `k`, the worst of them on top.
        let mut best = BinaryHeap::with_capacity(k + 1);
        for (&id, vector) in self.ids.iter().zip(self.vectors.chunks_exact(self.dimensions)) {
            // Adding zero makes −0 into 0: equal scores must be equal to the bit.
            let score = f32::dot(query, vector).map_or(f32::MIN, |dot| dot as f32 + 0.0);
            let found = Found { score, id };
            let wanted = best.len() < k || best.peek().is_some_and(|worst| found < *worst);
            if wanted && Some(id) != exclude {
                best.push(found);
                if best.len() > k {
                    best.pop();
                }
            }
        }
        best.into_sorted_vec().into_iter().map(|found| (found.id, found.score)).collect()
    }
}

/// Ordered so that the better one is the lesser: sorted, the best comes first.
#[derive(PartialEq)]
struct Found {
    score: f32,
    id: TicketId,
}

impl Eq for Found {}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.id.cmp(&other.id))
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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
                let change = VectorChange {
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
