//! The exact in-memory index: a view of the store's vectors and terms.
//!
//! Before each search it reads what has changed in the store since the last one, so it can never
//! disagree with the store, sees what other processes write, and loses nothing in a crash.
//!
//! Scans that take longer than handing them over, and changes by the batch, run on tokio's
//! blocking threads; the rest runs where it is. One that was handed over runs to its end even if
//! nobody waits for it any longer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Mutex, RwLock};

use super::memory::MemoryIndex;
use super::scan::OtherLength;
use super::{Both, IndexError, TicketIndex};
use crate::domain::{Neighbour, Ranking, TicketId, WorkspaceId};
use crate::store::{EntryChange, Store};
use crate::text::Terms;

/// Changes read at once; bounds the memory that catching up takes.
const BATCH: u32 = 4096;
/// Numbers that are scanned in place: some 2,700 tickets of 384, or 60 µs, which is what handing
/// over to another thread costs.
const SCAN_IN_PLACE: usize = 1 << 20;
/// Changes that are applied in place, which takes as long.
const APPLY_IN_PLACE: u32 = 32;
/// A scan that takes this long is most of what an answer costs.
const SLOW: Duration = Duration::from_millis(50);
/// Slow scans in a row that are no accident of a busy moment.
const USUAL: u32 = 16;

/// An exact index over one encoder's vectors, for every workspace of a store.
pub struct EmbeddedIndex {
    store: Arc<dyn Store>,
    encoder: String,
    dimensions: usize,
    shelves: Mutex<HashMap<WorkspaceId, Arc<Shelf>>>,
    pace: Arc<Pace>,
}

/// What is held of a workspace. Workspaces never wait for each other.
struct Shelf {
    /// Held by the search that catches up; the others wait instead of reading the same rows.
    turn: Mutex<()>,
    view: Arc<RwLock<View>>,
}

impl EmbeddedIndex {
    /// An index over the vectors that `encoder` (a fingerprint) wrote, of `dimensions` numbers each.
    /// Loads on first use.
    pub fn new(store: Arc<dyn Store>, encoder: String, dimensions: usize) -> Self {
        Self { store, encoder, dimensions, shelves: Mutex::default(), pace: Arc::default() }
    }

    async fn shelf(&self, workspace: &WorkspaceId) -> Arc<Shelf> {
        let mut shelves = self.shelves.lock().await;
        let shelf = shelves.entry(workspace.clone()).or_insert_with(|| {
            let view =
                View { seq: 0, dimensions: self.dimensions, tickets: MemoryIndex::default() };
            Arc::new(Shelf { turn: Mutex::default(), view: Arc::new(RwLock::new(view)) })
        });
        Arc::clone(shelf)
    }

    /// The workspace's view, up to date with the store.
    async fn view(&self, workspace: &WorkspaceId) -> Result<Arc<RwLock<View>>, IndexError> {
        let shelf = self.shelf(workspace).await;
        let _turn = shelf.turn.lock().await;
        let mut limit = APPLY_IN_PLACE;
        loop {
            let seen = shelf.view.read().await.seq;
            let changes = self.store.entry_changes(workspace, &self.encoder, seen, limit).await?;
            if changes.is_empty() {
                return Ok(Arc::clone(&shelf.view));
            }
            let mut view = Arc::clone(&shelf.view).write_owned().await;
            let (in_place, more) = (limit == APPLY_IN_PLACE, changes.len() == limit as usize);
            run(in_place, move || changes.into_iter().for_each(|change| view.apply(change)))
                .await?;
            if !more {
                return Ok(Arc::clone(&shelf.view));
            }
            limit = BATCH;
        }
    }

    /// Looks things up in the newest state, and shows them. The store is asked once.
    async fn find<const N: usize>(
        &self,
        workspace: &WorkspaceId,
        look_up: impl FnOnce(&MemoryIndex) -> [Vec<Hit>; N] + Send + 'static,
    ) -> Result<[Vec<Neighbour>; N], IndexError> {
        let view = self.view(workspace).await?.read_owned().await;
        let in_place = view.tickets.numbers() <= SCAN_IN_PLACE;
        let pace = Arc::clone(&self.pace);
        let scan = move || {
            let start = Instant::now();
            let found = look_up(&view.tickets);
            if !in_place && pace.outgrown_by(start.elapsed()) {
                tracing::warn!(
                    tickets = view.tickets.len(),
                    milliseconds = start.elapsed().as_millis(),
                    "scans of the embedded index take long; index.kind = \"qdrant\" is worth a try"
                );
            }
            found
        };
        let found = run(in_place, scan).await?;
        let mut wanted: Vec<(TicketId, f32)> = Vec::new();
        for &(id, cosine, _) in found.iter().flatten() {
            if wanted.iter().all(|w| w.0 != id) {
                wanted.push((id, cosine));
            }
        }
        let shown = self.store.neighbours(workspace, &self.encoder, &wanted).await?;
        Ok(found.map(|hits| {
            let show = |(id, _, words)| {
                let neighbour = shown.iter().find(|n| n.ticket_id == id)?;
                Some(Neighbour { words, ..neighbour.clone() })
            };
            hits.into_iter().filter_map(show).collect()
        }))
    }
}

/// Whether scans are usually slow.
#[derive(Default)]
struct Pace {
    slow_in_a_row: AtomicU32,
}

impl Pace {
    /// Notes what a scan took. True when it makes so many slow ones in a row that the index is
    /// outgrown, once for each such row.
    fn outgrown_by(&self, took: Duration) -> bool {
        if took < SLOW {
            self.slow_in_a_row.store(0, Ordering::Relaxed);
            return false;
        }
        self.slow_in_a_row.fetch_add(1, Ordering::Relaxed) + 1 == USUAL
    }
}

/// A ticket with its cosine, and what its words are worth beside that.
type Hit = (TicketId, f32, f32);

fn without_words(found: Vec<(TicketId, f32)>) -> Vec<Hit> {
    found.into_iter().map(|(id, cosine)| (id, cosine, 0.0)).collect()
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
        let vector = vector.to_vec();
        let look_up =
            move |tickets: &MemoryIndex| [without_words(tickets.nearest(&vector, k, exclude))];
        let [nearest] = self.find(workspace, look_up).await?;
        Ok(nearest)
    }

    fn ranking(&self) -> Ranking {
        Ranking::VectorAndWords
    }

    async fn similar(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        terms: &Terms,
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError> {
        let (vector, terms) = (vector.to_vec(), terms.clone());
        let [similar] = self
            .find(workspace, move |tickets| [tickets.most_similar(&vector, &terms, k, exclude)])
            .await?;
        Ok(similar)
    }

    async fn both(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        terms: &Terms,
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Both, IndexError> {
        let (vector, terms) = (vector.to_vec(), terms.clone());
        let look_up = move |tickets: &MemoryIndex| {
            let (nearest, similar) = tickets.both(&vector, &terms, k, exclude);
            [without_words(nearest), similar]
        };
        let [nearest, similar] = self.find(workspace, look_up).await?;
        Ok(Both { nearest, similar })
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<u64, IndexError> {
        let view = self.view(workspace).await?;
        let count = view.read().await.tickets.len();
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

/// What is held of one workspace's entries.
struct View {
    seq: i64,
    dimensions: usize,
    tickets: MemoryIndex,
}

impl View {
    fn apply(&mut self, change: EntryChange) {
        let EntryChange { seq, ticket_id, vector, terms } = change;
        self.seq = seq;
        let Some(vector) = vector else { return self.tickets.remove(ticket_id) };
        // One encoder's vectors have one length, so such a row is damaged. It must not be the one
        // that the others are held to.
        let put = if vector.len() == self.dimensions {
            self.tickets.put(ticket_id, &vector, &terms)
        } else {
            self.tickets.remove(ticket_id);
            Err(OtherLength)
        };
        if let Err(e) = put {
            tracing::warn!(ticket = %ticket_id, "search leaves a ticket out: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_first_row_does_not_keep_the_others_out() {
        let mut view = View { seq: 0, dimensions: 2, tickets: MemoryIndex::default() };
        for (seq, vector) in [(1, vec![1.0]), (2, vec![1.0, 0.0]), (3, vec![0.0, 1.0])] {
            let ticket_id = TicketId::new(uuid::Uuid::from_u128(seq as u128));
            let terms = Terms::default();
            view.apply(EntryChange { seq, ticket_id, vector: Some(vector), terms });
        }
        assert_eq!((view.seq, view.tickets.len()), (3, 2));
    }

    #[test]
    fn one_slow_scan_on_a_busy_machine_does_not_make_an_index_outgrown() {
        let pace = Pace::default();
        for _ in 0..100 {
            assert!(!pace.outgrown_by(SLOW * 3));
            assert!(!pace.outgrown_by(SLOW / 2));
        }
        let said = (0..100).filter(|_| pace.outgrown_by(SLOW)).count();
        assert_eq!(said, 1, "it is said once, not with every search");
    }
}
