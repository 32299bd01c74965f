//! An index kept by a [Qdrant](https://qdrant.tech) server, for more tickets than one process
//! should hold in memory.
//!
//! One collection per encoder, all workspaces in it; every read and every write names the
//! workspace. It is told of changes through [`ExternalIndex`] and may be rebuilt from the store at
//! any time, so nothing in it is precious.

mod calls;
mod collection;
mod point;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, DeletePointsBuilder, Filter, PointId, PointsOperationResponse,
    QueryPointsBuilder, ScrollPointsBuilder, SearchParamsBuilder, UpdateResult, UpdateStatus,
    UpsertPointsBuilder,
};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Entry, ExternalIndex, IndexError, TicketIndex};
use crate::domain::{Neighbour, TicketId, WorkspaceId};
use collection::Collection;
use point::WORKSPACE;

/// Entries written in one request: some hundred kilobytes, far from any message limit, and soon
/// enough done that one request's time-out suits it.
const BATCH: usize = 256;

/// Workspaces below this are searched exactly, by comparing with every ticket. At 384 dimensions
/// that reads 77 MB, about 10 ms of one core, less than embedding the question took. Above, the
/// graph's few missed neighbours are worth the time.
const EXACT_BELOW: u64 = 50_000;

/// Asked for beyond `k`, so that equals at the cut are told apart by their ids as the embedded
/// index does it. Where more than this many share the score at the cut, the server has chosen
/// among them by its own order: asking for all of them has no bound.
const SPARE: usize = 16;

/// Where the server is, and how to treat it.
#[derive(Clone)]
pub struct QdrantSettings {
    /// Its gRPC address, such as `http://127.0.0.1:6334`.
    pub url: String,
    /// Its API key, if it asks for one. Goes in clear unless the address is `https`.
    pub api_key: Option<String>,
    /// The longest that a search, or one batch of changes, may take; its retries included.
    pub timeout: Duration,
    /// The longest that opening a connection may take.
    pub connect_timeout: Duration,
    /// The most operations in flight; further ones are turned away at once.
    pub concurrency: usize,
    /// How often a request is sent again after a passing failure.
    pub retries: u32,
}

impl Default for QdrantSettings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:6334".to_owned(),
            api_key: None,
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(2),
            concurrency: 32,
            retries: 2,
        }
    }
}

impl fmt::Debug for QdrantSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QdrantSettings")
            .field("url", &self.url)
            .field("api_key", &self.api_key.as_ref().map(|_| "[hidden]"))
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("concurrency", &self.concurrency)
            .field("retries", &self.retries)
            .finish()
    }
}

/// The index in a Qdrant server.
pub struct QdrantIndex(Collection);

impl QdrantIndex {
    /// An index over vectors of this length that `encoder_fingerprint` wrote. Opens no connection:
    /// the server may come up later, and the collection is made before its first use.
    ///
    /// # Errors
    /// The settings make no sense.
    pub fn connect(
        settings: &QdrantSettings,
        encoder_fingerprint: &str,
        dimensions: usize,
    ) -> Result<Self, IndexError> {
        Collection::new(settings, encoder_fingerprint, dimensions).map(Self)
    }

    /// The name of the collection.
    pub fn collection(&self) -> &str {
        self.0.name()
    }

    /// Whether to compare with every ticket.
    async fn exact(&self, workspace: &WorkspaceId, deadline: Instant) -> Result<bool, IndexError> {
        if let Some(count) = self.0.known_count(workspace) {
            return Ok(count < EXACT_BELOW);
        }
        // An estimate from the payload index does for this.
        let count = self.counted(workspace, false, deadline).await?;
        self.0.remember_count(workspace, count);
        Ok(count < EXACT_BELOW)
    }

    async fn counted(
        &self,
        workspace: &WorkspaceId,
        exact: bool,
        deadline: Instant,
    ) -> Result<u64, IndexError> {
        let request =
            CountPointsBuilder::new(self.collection()).filter(of(workspace)).exact(exact).build();
        let answer = self.0.ask(deadline, |client| client.count(request.clone())).await?.result;
        answer.map(|r| r.count).ok_or_else(|| unavailable("a count came without a number"))
    }
}

#[async_trait]
impl TicketIndex for QdrantIndex {
    async fn search(
        &self,
        workspace: &WorkspaceId,
        vector: &[f32],
        k: usize,
        exclude: Option<TicketId>,
    ) -> Result<Vec<Neighbour>, IndexError> {
        if k == 0 {
            return Ok(Vec::new());
        }
        let (_place, deadline) = self.0.begin().await?;
        let exact = self.exact(workspace, deadline).await?;
        let mut filter = of(workspace);
        filter.must_not =
            exclude.map(|id| Condition::has_id([point::point_id(id)])).into_iter().collect();
        let request = QueryPointsBuilder::new(self.collection())
            .query(vector.to_vec())
            .filter(filter)
            .limit(k.saturating_add(SPARE) as u64)
            .params(SearchParamsBuilder::default().exact(exact))
            .with_payload(true)
            .build();
        let answer = self.0.ask(deadline, |client| client.query(request.clone())).await?;
        let mut found = Vec::with_capacity(answer.result.len());
        for point in answer.result {
            let id = point.id.clone();
            match point::to_neighbour(workspace, point) {
                Ok(neighbour) => found.push(neighbour),
                Err(fault) => tracing::warn!(?id, fault, "a point in Qdrant cannot be read"),
            }
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.ticket_id.cmp(&b.ticket_id)));
        found.truncate(k);
        Ok(found)
    }

    async fn count(&self, workspace: &WorkspaceId) -> Result<u64, IndexError> {
        let (_place, deadline) = self.0.begin().await?;
        let count = self.counted(workspace, true, deadline).await?;
        self.0.remember_count(workspace, count);
        Ok(count)
    }
}

#[async_trait]
impl ExternalIndex for QdrantIndex {
    async fn upsert(&self, workspace: &WorkspaceId, entries: &[Entry]) -> Result<(), IndexError> {
        for batch in entries.chunks(BATCH) {
            let (_place, deadline) = self.0.begin().await?;
            let points: Vec<_> = batch.iter().map(|e| point::from_entry(workspace, e)).collect();
            let request = UpsertPointsBuilder::new(self.collection(), points)
                .wait(true)
                // An id is never in two workspaces; if it were, the other's point would stay as
                // it is. Servers before 1.16 do not look at this.
                .update_filter(of(workspace))
                .build();
            let answer =
                self.0.ask(deadline, |client| client.upsert_points(request.clone())).await?;
            applied(&answer)?;
        }
        Ok(())
    }

    async fn remove(&self, workspace: &WorkspaceId, ids: &[TicketId]) -> Result<(), IndexError> {
        for batch in ids.chunks(BATCH) {
            let (_place, deadline) = self.0.begin().await?;
            let mut filter = of(workspace);
            filter.must.push(Condition::has_id(batch.iter().copied().map(point::point_id)));
            let request =
                DeletePointsBuilder::new(self.collection()).points(filter).wait(true).build();
            let answer =
                self.0.ask(deadline, |client| client.delete_points(request.clone())).await?;
            applied(&answer)?;
        }
        Ok(())
    }

    async fn ids(
        &self,
        workspace: &WorkspaceId,
        after: Option<TicketId>,
        limit: u32,
    ) -> Result<Vec<TicketId>, IndexError> {
        // Pages begin with an id that they include.
        let from = match after.map(|id| u128::from_be_bytes(*id.as_bytes()).checked_add(1)) {
            None => Uuid::nil(),
            Some(Some(next)) => Uuid::from_u128(next),
            Some(None) => return Ok(Vec::new()),
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        let (_place, deadline) = self.0.begin().await?;
        let request = ScrollPointsBuilder::new(self.collection())
            .filter(of(workspace))
            .offset(PointId::from(from.to_string()))
            .limit(limit)
            .with_payload(false)
            .build();
        let answer = self.0.ask(deadline, |client| client.scroll(request.clone())).await?;
        Ok(answer.result.into_iter().filter_map(|point| point::ticket_id(point.id)).collect())
    }
}

/// What every request is confined to.
fn of(workspace: &WorkspaceId) -> Filter {
    Filter::must([Condition::matches(WORKSPACE, workspace.to_string())])
}

/// That a change is not only on its way, but done.
fn applied(answer: &PointsOperationResponse) -> Result<(), IndexError> {
    match answer.result.as_ref().map(UpdateResult::status) {
        Some(UpdateStatus::Completed) => Ok(()),
        other => Err(unavailable(format!("a change was not applied: {other:?}"))),
    }
}

fn unavailable(message: impl Into<String>) -> IndexError {
    IndexError::Unavailable(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_never_shown() {
        let settings =
            QdrantSettings { api_key: Some("s3cret".to_owned()), ..QdrantSettings::default() };
        let shown = format!("{settings:?}");
        assert!(shown.contains("[hidden]") && !shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn senseless_settings_are_refused() {
        let refused = |change: fn(&mut QdrantSettings)| {
            let mut settings = QdrantSettings::default();
            change(&mut settings);
            QdrantIndex::connect(&settings, "test:0", 4).is_err()
        };
        assert!(!refused(|_| ()));
        assert!(refused(|s| "127.0.0.1:6334".clone_into(&mut s.url)));
        assert!(refused(|s| "http://".clone_into(&mut s.url)));
        assert!(refused(|s| s.concurrency = 0));
        assert!(refused(|s| s.timeout = Duration::ZERO));
    }

    #[test]
    fn a_collection_is_named_by_its_encoder() {
        let index = |fingerprint| QdrantIndex::connect(&QdrantSettings::default(), fingerprint, 4);
        let name = |fingerprint| index(fingerprint).unwrap().collection().to_owned();
        assert_eq!(name("all-MiniLM-L6-v2:53aa51172d14"), "deskhand_all-MiniLM-L6-v2_53aa51172d14");
        assert_eq!(name("../ä"), "deskhand_____");
    }
}
