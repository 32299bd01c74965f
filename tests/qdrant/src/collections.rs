//! Collections: a folder each, with one shard of the engine in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use qdrant_client::qdrant::vectors_config::Config;
use qdrant_client::qdrant::{
    CollectionConfig, CollectionDescription, CollectionExists, CollectionExistsRequest,
    CollectionExistsResponse, CollectionInfo, CollectionOperationResponse, CollectionParams,
    CollectionStatus, CreateCollection, DeleteCollection, Distance, GetCollectionInfoRequest,
    GetCollectionInfoResponse, ListCollectionsRequest, ListCollectionsResponse, OptimizerStatus,
    PayloadSchemaInfo, PayloadSchemaType, VectorParams, VectorsConfig,
};
use qdrant_edge::external::serde_json;
use qdrant_edge::{EdgeConfig, EdgeShard, EdgeVectorParamsBuilder, UpdateOperation, WalOptions};
use tonic::Status;

use crate::convert::engine_error;

/// The engine's name of the vector that has none.
const UNNAMED: &str = qdrant_edge::DEFAULT_VECTOR_NAME;

/// Room for the largest batch of a test; the engine reserves it on disk for every collection.
const LOG_BYTES: usize = 8 << 20;

/// A collection in use.
pub(crate) struct Collection {
    pub(crate) shard: EdgeShard,
    turn: Mutex<()>,
}

impl Collection {
    fn new(shard: EdgeShard) -> Self {
        Self { shard, turn: Mutex::default() }
    }

    /// Applies a change; when this returns it is visible and on disk, whether or not the caller
    /// wants to wait for that.
    pub(crate) fn update(&self, operation: UpdateOperation) -> Result<(), Status> {
        // The engine's flush panics where a write is going on at the same time. And it has to be
        // asked to flush: it does not replay its log when it is loaded again.
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.shard.update(operation).map_err(engine_error)?;
        self.shard.flush();
        Ok(())
    }

    fn info(&self) -> Result<CollectionInfo, Status> {
        let (size, distance) = {
            let config = self.shard.config();
            let vector = config
                .vectors
                .get(UNNAMED)
                .ok_or_else(|| Status::internal("a collection without its vector"))?;
            (vector.size as u64, grpc_distance(vector.distance))
        };
        let vectors = VectorParams { size, distance: distance.into(), ..VectorParams::default() };
        let info = self.shard.info();
        let indexes = info.payload_schema.into_keys().map(|path| {
            let schema = PayloadSchemaInfo {
                data_type: PayloadSchemaType::Keyword.into(),
                ..PayloadSchemaInfo::default()
            };
            (path.to_string(), schema)
        });
        let params = CollectionParams {
            shard_number: 1,
            vectors_config: Some(VectorsConfig { config: Some(Config::Params(vectors)) }),
            ..CollectionParams::default()
        };
        Ok(CollectionInfo {
            status: CollectionStatus::Green.into(),
            optimizer_status: Some(OptimizerStatus { ok: true, error: String::new() }),
            segments_count: info.segments_count as u64,
            config: Some(CollectionConfig { params: Some(params), ..CollectionConfig::default() }),
            payload_schema: indexes.collect(),
            points_count: Some(info.points_count as u64),
            indexed_vectors_count: Some(info.indexed_vectors_count as u64),
            ..CollectionInfo::default()
        })
    }
}

/// All collections of a storage folder.
pub(crate) struct Collections {
    storage: PathBuf,
    open: RwLock<BTreeMap<String, Arc<Collection>>>,
}

impl Collections {
    /// Opens what an earlier run left in the folder.
    pub(crate) fn open(storage: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&storage).with_context(|| storage.display().to_string())?;
        let mut open = BTreeMap::new();
        for entry in std::fs::read_dir(&storage)? {
            let path = entry?.path();
            let name = path.file_name().context("a folder without a name")?.to_string_lossy();
            let shard = EdgeShard::load(&path, None).with_context(|| name.clone().into_owned())?;
            open.insert(name.into_owned(), Arc::new(Collection::new(shard)));
        }
        Ok(Self { storage, open: RwLock::new(open) })
    }

    /// The collection of this name.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Collection>, Status> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.get(name).cloned().ok_or_else(|| missing(name))
    }

    fn folder(&self, name: &str) -> Result<PathBuf, Status> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if name.is_empty() || name.len() > 255 || !name.chars().all(plain) {
            return Err(Status::invalid_argument(format!("Wrong input: collection name {name:?}")));
        }
        Ok(self.storage.join(name))
    }
}

fn missing(name: &str) -> Status {
    Status::not_found(format!("Not found: Collection `{name}` doesn't exist!"))
}

/// `Collections/Create`
pub(crate) fn create(
    collections: &Collections,
    request: CreateCollection,
) -> Result<CollectionOperationResponse, Status> {
    let name = request.collection_name;
    let folder = collections.folder(&name)?;
    let Some(Config::Params(vectors)) = request.vectors_config.and_then(|v| v.config) else {
        return Err(Status::unimplemented("only collections of one unnamed vector"));
    };
    if vectors.size == 0 {
        return Err(Status::invalid_argument("Validation error in body: size must be above 0"));
    }
    let mut open = collections.open.write().unwrap_or_else(PoisonError::into_inner);
    if open.contains_key(&name) {
        let message = format!("Wrong input: Collection `{name}` already exists!");
        return Err(Status::already_exists(message));
    }
    // Settings of graphs, replicas and the like do not change what a search finds here.
    let shard = new_shard(&folder, &vectors)?;
    open.insert(name, Arc::new(Collection::new(shard)));
    Ok(CollectionOperationResponse { result: true, time: 0.0 })
}

fn new_shard(folder: &Path, vectors: &VectorParams) -> Result<EdgeShard, Status> {
    let distance = match vectors.distance() {
        Distance::Cosine => qdrant_edge::Distance::Cosine,
        Distance::Dot => qdrant_edge::Distance::Dot,
        other => return Err(Status::unimplemented(format!("distance {other:?}"))),
    };
    std::fs::create_dir_all(folder).map_err(|error| Status::internal(error.to_string()))?;
    let vector = EdgeVectorParamsBuilder::new(vectors.size as usize, distance).build();
    let log = WalOptions { segment_capacity: LOG_BYTES, ..WalOptions::default() };
    let config = EdgeConfig::builder().vector(UNNAMED, vector).wal_options(log).build();
    EdgeShard::new(folder, config).map_err(engine_error)
}

fn grpc_distance(distance: qdrant_edge::Distance) -> Distance {
    match distance {
        qdrant_edge::Distance::Cosine => Distance::Cosine,
        qdrant_edge::Distance::Dot => Distance::Dot,
        qdrant_edge::Distance::Euclid => Distance::Euclid,
        qdrant_edge::Distance::Manhattan => Distance::Manhattan,
    }
}

/// `Collections/Delete`
pub(crate) fn delete(
    collections: &Collections,
    request: DeleteCollection,
) -> Result<CollectionOperationResponse, Status> {
    let name = request.collection_name;
    let folder = collections.folder(&name)?;
    let mut open = collections.open.write().unwrap_or_else(PoisonError::into_inner);
    let Some(collection) = open.remove(&name) else {
        // As the real server: deleting what is not there is no error, and says so.
        return Ok(CollectionOperationResponse { result: false, time: 0.0 });
    };
    // The engine writes when it is dropped, so its folder must outlive the last request on it.
    while Arc::strong_count(&collection) > 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(collection);
    std::fs::remove_dir_all(folder).map_err(|error| Status::internal(error.to_string()))?;
    Ok(CollectionOperationResponse { result: true, time: 0.0 })
}

/// `Collections/Get`
pub(crate) fn get(
    collections: &Collections,
    request: GetCollectionInfoRequest,
) -> Result<GetCollectionInfoResponse, Status> {
    let info = collections.get(&request.collection_name)?.info()?;
    Ok(GetCollectionInfoResponse { result: Some(info), time: 0.0 })
}

/// `Collections/List`
pub(crate) fn list(
    collections: &Collections,
    _: ListCollectionsRequest,
) -> Result<ListCollectionsResponse, Status> {
    let open = collections.open.read().unwrap_or_else(PoisonError::into_inner);
    let names = open.keys().map(|name| CollectionDescription { name: name.clone() });
    Ok(ListCollectionsResponse { collections: names.collect(), time: 0.0 })
}

/// `Collections/CollectionExists`
pub(crate) fn exists(
    collections: &Collections,
    request: CollectionExistsRequest,
) -> Result<CollectionExistsResponse, Status> {
    let exists = collections.get(&request.collection_name).is_ok();
    Ok(CollectionExistsResponse { result: Some(CollectionExists { exists }), time: 0.0 })
}

/// The name of a field as the engine reads it.
pub(crate) fn field(name: &str) -> Result<qdrant_edge::JsonPath, Status> {
    serde_json::from_value(serde_json::Value::from(name))
        .map_err(|error| Status::invalid_argument(error.to_string()))
}
