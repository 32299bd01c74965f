//! Stand-ins for what tests must be able to command: the time, and an index that breaks on demand.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use deskhand::domain::{Clock, Neighbour, TicketId, WorkspaceId};
use deskhand::index::{EmbeddedIndex, Entry, ExternalIndex, IndexError, TicketIndex};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Mutex as Turn, MutexGuard, Semaphore};

/// A clock that stands still until it is moved.
pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(crate) fn new(at: Timestamp) -> Self {
        Self(Mutex::new(at))
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        let mut at = self.0.lock().unwrap();
        *at = at.checked_add(by).unwrap();
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

/// Where searches can be stopped at the very moment when they have found what they look for.
pub(crate) struct Gate {
    turn: Turn<()>,
    searches: Semaphore,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self { turn: Turn::default(), searches: Semaphore::new(0) }
    }

    /// While this is held, no search returns.
    pub(crate) async fn hold(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Waits for one search (each counts once) to have found what it looks for.
    pub(crate) async fn searched(&self) {
        self.searches.acquire().await.unwrap().forget();
    }

    /// Forgets the searches until now.
    pub(crate) fn forget_searches(&self) {
        while let Ok(permit) = self.searches.try_acquire() {
            permit.forget();
        }
    }
}

/// The embedded index behind a gate.
pub(crate) struct GatedIndex {
    pub(crate) inner: EmbeddedIndex,
    pub(crate) gate: Arc<Gate>,
}

#[async_trait]
impl TicketIndex for GatedIndex {
    async fn search(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError> {
        let found = self.inner.search(workspace, vector, k, exclude).await;
        self.gate.searches.add_permits(1);
        drop(self.gate.turn.lock().await);
        found
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<u64, IndexError> {
        self.inner.count(workspace).await
    }
}

/// An external index in memory, which can be switched off: a real server does not fail at the very
/// moment that a test is about.
#[derive(Default)]
pub(crate) struct DoubleIndex {
    entries: Mutex<BTreeMap<(WorkspaceId, TicketId), Entry>>,
    down: AtomicBool,
}

impl DoubleIndex {
    /// From now on every call fails, or works again.
    pub(crate) fn switch(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    fn up(&self) -> Result<(), IndexError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(IndexError::Unavailable("switched off".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl TicketIndex for DoubleIndex {
    async fn search(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError> {
        self.up()?;
        let mut found: Vec<Neighbour> = {
            let entries = self.entries.lock().unwrap();
            let own =
                entries.iter().filter(|((desk, id), _)| desk == workspace && Some(*id) != exclude);
            let neighbour = |e: &Entry| Neighbour {
                ticket_id: e.ticket_id,
                score: e.vector.iter().zip(vector).map(|(a, b)| a * b).sum(),
                words: 0.0,
                subject: e.subject.clone(),
                outcome: e.outcome.clone(),
                language: e.language.clone(),
            };
            own.map(|(_, entry)| neighbour(entry)).collect()
        };
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.ticket_id.cmp(&b.ticket_id)));
        found.truncate(k);
        Ok(found)
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<u64, IndexError> {
        self.up()?;
        let entries = self.entries.lock().unwrap();
        Ok(entries.keys().filter(|(desk, _)| desk == workspace).count() as u64)
    }
}

#[async_trait]
impl ExternalIndex for DoubleIndex {
    async fn upsert(&self, workspace: &WorkspaceId, entries: &[Entry]) -> Result<(), IndexError> {
        self.up()?;
        let mut all = self.entries.lock().unwrap();
        all.extend(entries.iter().map(|e| ((workspace.clone(), e.ticket_id), e.clone())));
        Ok(())
    }

    async fn remove(&self, workspace: &WorkspaceId, ids: &[TicketId]) -> Result<(), IndexError> {
        self.up()?;
        let mut all = self.entries.lock().unwrap();
        for &id in ids {
            all.remove(&(workspace.clone(), id));
        }
        Ok(())
    }

    async fn ids(
        &self,
        workspace: &WorkspaceId,
        after: Option<TicketId>,
        limit: u32,
    ) -> Result<Vec<TicketId>, IndexError> {
        self.up()?;
        let all = self.entries.lock().unwrap();
        let own = all.keys().filter(|(desk, _)| desk == workspace).map(|(_, id)| *id);
        Ok(own.filter(|&id| after.is_none_or(|a| id > a)).take(limit as usize).collect())
    }
}
