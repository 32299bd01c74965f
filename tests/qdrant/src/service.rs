//! Qdrant's services as tables: a call with a function is answered, one without is not known.

use std::sync::Arc;

use qdrant_client::qdrant as api;
use tonic::{Request, Response, Status};

use crate::collections::{self, Collections};
use crate::faults::Faults;
use crate::points;

/// What Deskhand's client is told that it talks to.
const VERSION: &str = "1.19.0";

/// All services of one server.
#[derive(Clone)]
pub(crate) struct Server {
    collections: Arc<Collections>,
    faults: Arc<Faults>,
}

impl Server {
    pub(crate) fn new(collections: Collections, faults: Faults) -> Self {
        Self { collections: Arc::new(collections), faults: Arc::new(faults) }
    }

    /// Answers a call on a thread that may block, because the engine does.
    async fn answer<Q: Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        function: fn(&Collections, Q) -> Result<A, Status>,
    ) -> Result<Response<A>, Status> {
        self.faults.check(request.metadata()).await?;
        let collections = Arc::clone(&self.collections);
        let work = move || function(&collections, request.into_inner());
        let answer = tokio::task::spawn_blocking(work).await;
        answer.map_err(|error| Status::internal(error.to_string()))?.map(Response::new)
    }
}

macro_rules! answer {
    ($server:ident, $request:ident, $function:path) => {
        $server.answer($request, $function).await
    };
    ($server:ident, $request:ident) => {{
        let _ = ($server, $request);
        Err(Status::unimplemented("the test server does not know this call"))
    }};
}

macro_rules! service {
    ($service:path: $($name:ident($ask:ident) -> $answer:ident $(= $function:path)?;)*) => {
        #[tonic::async_trait]
        impl $service for Server {
            $(
                async fn $name(
                    &self,
                    request: Request<api::$ask>,
                ) -> Result<Response<api::$answer>, Status> {
                    answer!(self, request $(, $function)?)
                }
            )*
        }
    };
}

service! { api::qdrant_server::Qdrant:
    health_check(HealthCheckRequest) -> HealthCheckReply = health;
}

service! { api::collections_server::Collections:
    get(GetCollectionInfoRequest) -> GetCollectionInfoResponse = collections::get;
    list(ListCollectionsRequest) -> ListCollectionsResponse = collections::list;
    create(CreateCollection) -> CollectionOperationResponse = collections::create;
    update(UpdateCollection) -> CollectionOperationResponse;
    delete(DeleteCollection) -> CollectionOperationResponse = collections::delete;
    update_aliases(ChangeAliases) -> CollectionOperationResponse;
    list_collection_aliases(ListCollectionAliasesRequest) -> ListAliasesResponse;
    list_aliases(ListAliasesRequest) -> ListAliasesResponse;
    collection_cluster_info(CollectionClusterInfoRequest) -> CollectionClusterInfoResponse;
    collection_exists(CollectionExistsRequest) -> CollectionExistsResponse = collections::exists;
    update_collection_cluster_setup(UpdateCollectionClusterSetupRequest)
        -> UpdateCollectionClusterSetupResponse;
    create_shard_key(CreateShardKeyRequest) -> CreateShardKeyResponse;
    delete_shard_key(DeleteShardKeyRequest) -> DeleteShardKeyResponse;
    list_shard_keys(ListShardKeysRequest) -> ListShardKeysResponse;
}

service! { api::points_server::Points:
    upsert(UpsertPoints) -> PointsOperationResponse = points::upsert;
    delete(DeletePoints) -> PointsOperationResponse = points::delete;
    get(GetPoints) -> GetResponse = points::get;
    update_vectors(UpdatePointVectors) -> PointsOperationResponse;
    delete_vectors(DeletePointVectors) -> PointsOperationResponse;
    set_payload(SetPayloadPoints) -> PointsOperationResponse;
    overwrite_payload(SetPayloadPoints) -> PointsOperationResponse;
    delete_payload(DeletePayloadPoints) -> PointsOperationResponse;
    clear_payload(ClearPayloadPoints) -> PointsOperationResponse;
    create_field_index(CreateFieldIndexCollection) -> PointsOperationResponse
        = points::create_field_index;
    delete_field_index(DeleteFieldIndexCollection) -> PointsOperationResponse;
    create_vector_name(CreateVectorNameRequest) -> PointsOperationResponse;
    delete_vector_name(DeleteVectorNameRequest) -> PointsOperationResponse;
    search(SearchPoints) -> SearchResponse = points::search;
    search_batch(SearchBatchPoints) -> SearchBatchResponse;
    search_groups(SearchPointGroups) -> SearchGroupsResponse;
    scroll(ScrollPoints) -> ScrollResponse = points::scroll;
    recommend(RecommendPoints) -> RecommendResponse;
    recommend_batch(RecommendBatchPoints) -> RecommendBatchResponse;
    recommend_groups(RecommendPointGroups) -> RecommendGroupsResponse;
    discover(DiscoverPoints) -> DiscoverResponse;
    discover_batch(DiscoverBatchPoints) -> DiscoverBatchResponse;
    count(CountPoints) -> CountResponse = points::count;
    update_batch(UpdateBatchPoints) -> UpdateBatchResponse;
    query(QueryPoints) -> QueryResponse = points::query;
    query_batch(QueryBatchPoints) -> QueryBatchResponse;
    query_groups(QueryPointGroups) -> QueryGroupsResponse;
    facet(FacetCounts) -> FacetResponse;
    search_matrix_pairs(SearchMatrixPoints) -> SearchMatrixPairsResponse;
    search_matrix_offsets(SearchMatrixPoints) -> SearchMatrixOffsetsResponse;
}

fn health(_: &Collections, _: api::HealthCheckRequest) -> Result<api::HealthCheckReply, Status> {
    let title = "deskhand-test-qdrant".to_owned();
    Ok(api::HealthCheckReply { title, version: VERSION.to_owned(), commit: None })
}
