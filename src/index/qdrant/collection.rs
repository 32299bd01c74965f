//! The collection: made before its first use, checked, and made again where it was lost.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    CollectionInfo, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance,
    FieldType, HnswConfigDiffBuilder, KeywordIndexParamsBuilder, VectorParamsBuilder,
};
use qdrant_client::{Qdrant, QdrantError};
use tokio::sync::{Mutex, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::calls::{Calls, Failure};
use super::point::WORKSPACE;
use super::{QdrantSettings, unavailable};
use crate::domain::WorkspaceId;
use crate::index::IndexError;

/// How long a count is good for choosing the kind of search. A wrong choice costs a little time
/// or a distant neighbour, so this need not be short.
const COUNT_LASTS: Duration = Duration::from_mins(1);

/// Links of each point in its workspace's graph; Qdrant's own default for graphs.
const LINKS: u64 = 16;

/// One encoder's collection, and the connection to it.
pub(super) struct Collection {
    client: Qdrant,
    calls: Calls,
    name: String,
    dimensions: usize,
    /// Whether it has been found sound since it was last found missing.
    sound: AtomicBool,
    turn: Mutex<()>,
    counts: StdMutex<HashMap<WorkspaceId, (u64, Instant)>>,
}

impl Collection {
    pub(super) fn new(
        settings: &QdrantSettings,
        fingerprint: &str,
        dimensions: usize,
    ) -> Result<Self, IndexError> {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let name = format!("deskhand_{}", fingerprint.chars().map(plain).collect::<String>());
        let url = settings.url.as_str();
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            let message = format!("Qdrant's address should begin with http:// or https://: {url}");
            return Err(unavailable(message));
        }
        if settings.concurrency == 0 || settings.timeout.is_zero() {
            return Err(unavailable("Qdrant's concurrency and time-out should be above 0"));
        }
        let mut config = Qdrant::from_url(url)
            .api_key(settings.api_key.as_deref())
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            // It would open a connection here and now, and print to standard output.
            .skip_compatibility_check();
        // Requests share a connection well, and after the server's restart only one is broken.
        config.set_pool_size(1);
        let client = config
            .build()
            .map_err(|error| unavailable(format!("Qdrant's address {url}: {error}")))?;
        Ok(Self {
            client,
            calls: Calls::new(settings),
            name,
            dimensions,
            sound: AtomicBool::new(false),
            turn: Mutex::default(),
            counts: StdMutex::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Begins an operation: a place among those in flight, until when it has to be done, and a
    /// collection to work on.
    pub(super) async fn begin(&self) -> Result<(SemaphorePermit<'_>, Instant), IndexError> {
        let place = self.calls.admit()?;
        let deadline = self.calls.deadline();
        self.ensure(deadline).await?;
        Ok((place, deadline))
    }

    /// Sends a request to the collection.
    pub(super) async fn ask<'a, T, F>(
        &'a self,
        deadline: Instant,
        request: impl Fn(&'a Qdrant) -> F,
    ) -> Result<T, IndexError>
    where
        F: Future<Output = Result<T, QdrantError>>,
    {
        let outcome = self.calls.run(deadline, || request(&self.client)).await;
        outcome.map_err(|failure| {
            if let Failure::Missing(cause) = &failure {
                // This answer is an error; the next use makes the collection again.
                self.sound.store(false, Ordering::Release);
                self.counts().clear();
                tracing::error!(
                    collection = self.name,
                    cause,
                    "the collection is gone from Qdrant; it is made again empty, and only \
                     `deskhand reindex` fills it"
                );
            }
            failure.into()
        })
    }

    /// A workspace's count, if it was taken lately.
    pub(super) fn known_count(&self, workspace: &WorkspaceId) -> Option<u64> {
        let counts = self.counts();
        let (count, at) = counts.get(workspace)?;
        (at.elapsed() < COUNT_LASTS).then_some(*count)
    }

    /// Keeps a count for a while.
    pub(super) fn remember_count(&self, workspace: &WorkspaceId, count: u64) {
        self.counts().insert(workspace.clone(), (count, Instant::now()));
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<WorkspaceId, (u64, Instant)>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the collection is there, with the index that every filter uses.
    async fn ensure(&self, deadline: Instant) -> Result<(), IndexError> {
        if self.sound.load(Ordering::Acquire) {
            return Ok(());
        }
        // One looks, the others wait for what it finds; but not past their own deadlines.
        let Ok(_turn) = timeout_at(deadline, self.turn.lock()).await else {
            return Err(self.calls.late().into());
        };
        if self.sound.load(Ordering::Acquire) {
            return Ok(());
        }
        let info = match self.info(deadline).await {
            Err(Failure::Missing(_)) => {
                self.create(deadline).await?;
                self.info(deadline).await?
            }
            found => found?,
        };
        self.check(&info)?;
        if !info.payload_schema.contains_key(WORKSPACE) {
            self.index_workspaces(deadline).await?;
        }
        self.sound.store(true, Ordering::Release);
        Ok(())
    }

    async fn info(&self, deadline: Instant) -> Result<CollectionInfo, Failure> {
        let answer =
            self.calls.run(deadline, || self.client.collection_info(self.name.as_str())).await?;
        answer.result.ok_or_else(|| Failure::Refused("a collection without a description".into()))
    }

    async fn create(&self, deadline: Instant) -> Result<(), Failure> {
        let request = CreateCollectionBuilder::new(self.name.as_str())
            // The same figure as the embedded index computes; vectors are of length 1 already.
            .vectors_config(VectorParamsBuilder::new(self.dimensions as u64, Distance::Dot))
            // Every search stays within a workspace, so a graph across all of them would be built
            // and never walked; each large workspace gets its own.
            .hnsw_config(HnswConfigDiffBuilder::default().m(0).payload_m(LINKS))
            .build();
        let made = self.calls.run(deadline, || self.client.create_collection(request.clone()));
        match made.await {
            // Another process may have been faster.
            Ok(_) | Err(Failure::Exists) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn index_workspaces(&self, deadline: Instant) -> Result<(), Failure> {
        let name = self.name.as_str();
        let request = CreateFieldIndexCollectionBuilder::new(name, WORKSPACE, FieldType::Keyword)
            .field_index_params(KeywordIndexParamsBuilder::default().is_tenant(true))
            .wait(true)
            .build();
        self.calls.run(deadline, || self.client.create_field_index(request.clone())).await?;
        Ok(())
    }

    /// A collection that someone else has made is used as it is, if its scores are ours.
    fn check(&self, info: &CollectionInfo) -> Result<(), IndexError> {
        let params = info.config.as_ref().and_then(|c| c.params.as_ref());
        let vectors = params.and_then(|p| p.vectors_config.as_ref()?.config.as_ref());
        let same = match vectors {
            Some(Config::Params(p)) => {
                // On vectors of length 1 both give the same scores.
                let distance = [Distance::Dot, Distance::Cosine].contains(&p.distance());
                distance && p.size == self.dimensions as u64
            }
            _ => false,
        };
        if same {
            return Ok(());
        }
        let (name, dimensions) = (&self.name, self.dimensions);
        Err(unavailable(format!(
            "the collection {name} does not hold single vectors of {dimensions} dimensions with \
             the distance Dot or Cosine; delete it and run `deskhand reindex`"
        )))
    }
}
