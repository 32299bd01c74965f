//! The calls on points.

use qdrant_client::qdrant::points_selector::PointsSelectorOneOf;
use qdrant_client::qdrant::query::Variant;
use qdrant_client::qdrant::vector_input::Variant as Input;
use qdrant_client::qdrant::{
    CountPoints, CountResponse, CountResult, CreateFieldIndexCollection, DeletePoints, FieldType,
    GetPoints, GetResponse, PointStruct, PointsOperationResponse, QueryPoints, QueryResponse,
    RetrievedPoint, ScoredPoint, ScrollPoints, ScrollResponse, SearchPoints, SearchResponse,
    UpdateResult, UpdateStatus, UpsertPoints,
};
use qdrant_edge::{
    ConditionalInsertOperation, CountRequest, CreateIndex, FieldIndexOperations, NamedQuery,
    PayloadFieldSchema, PayloadSchemaType, PointInsertOperations, PointOperations, QueryEnum,
    Record, ScrollRequest, SearchParams, SearchRequest, UpdateOperation, WithPayloadInterface,
};
use tonic::Status;

use crate::collections::{Collections, field};
use crate::convert::{
    dense, engine_error, engine_id, engine_ids, engine_payload, filter, wire_id, wire_payload,
    with_payload,
};

/// What the real server takes where a request names no limit.
const DEFAULT_LIMIT: u64 = 10;

fn done() -> PointsOperationResponse {
    let result = UpdateResult { operation_id: Some(0), status: UpdateStatus::Completed.into() };
    PointsOperationResponse { result: Some(result), time: 0.0, usage: None }
}

/// `Points/CreateFieldIndex`
pub(crate) fn create_field_index(
    collections: &Collections,
    request: CreateFieldIndexCollection,
) -> Result<PointsOperationResponse, Status> {
    if request.field_type != Some(FieldType::Keyword.into()) {
        return Err(Status::unimplemented("indexes other than of keywords"));
    }
    let index = CreateIndex {
        field_name: field(&request.field_name)?,
        field_schema: Some(PayloadFieldSchema::FieldType(PayloadSchemaType::Keyword)),
    };
    let operation = UpdateOperation::FieldIndexOperation(FieldIndexOperations::CreateIndex(index));
    collections.get(&request.collection_name)?.update(operation)?;
    Ok(done())
}

/// `Points/Upsert`
pub(crate) fn upsert(
    collections: &Collections,
    request: UpsertPoints,
) -> Result<PointsOperationResponse, Status> {
    if request.update_mode.is_some_and(|mode| mode != 0) {
        return Err(Status::unimplemented("update modes"));
    }
    let collection = collections.get(&request.collection_name)?;
    let points: Vec<_> = request.points.into_iter().map(point).collect::<Result<_, _>>()?;
    let points = PointInsertOperations::PointsList(points);
    let operation = match filter(request.update_filter)? {
        None => PointOperations::UpsertPoints(points),
        Some(condition) => PointOperations::UpsertPointsConditional(ConditionalInsertOperation {
            points_op: points,
            condition,
            update_mode: None,
        }),
    };
    collection.update(UpdateOperation::PointOperation(operation))?;
    Ok(done())
}

fn point(point: PointStruct) -> Result<qdrant_edge::PointStructPersisted, Status> {
    let id = engine_id(point.id)?;
    let vector = dense(point.vectors)?;
    Ok(qdrant_edge::PointStruct::new(id, vector, engine_payload(point.payload)).into())
}

/// `Points/Delete`
pub(crate) fn delete(
    collections: &Collections,
    request: DeletePoints,
) -> Result<PointsOperationResponse, Status> {
    let collection = collections.get(&request.collection_name)?;
    let operation = match request.points.and_then(|p| p.points_selector_one_of) {
        Some(PointsSelectorOneOf::Points(list)) => {
            PointOperations::DeletePoints { ids: engine_ids(list.ids)? }
        }
        Some(PointsSelectorOneOf::Filter(by)) => {
            PointOperations::DeletePointsByFilter(filter(Some(by))?.unwrap_or_default())
        }
        None => return Err(Status::invalid_argument("PointSelector is missing")),
    };
    collection.update(UpdateOperation::PointOperation(operation))?;
    Ok(done())
}

/// `Points/Query`
pub(crate) fn query(
    collections: &Collections,
    request: QueryPoints,
) -> Result<QueryResponse, Status> {
    if !request.prefetch.is_empty() || request.using.is_some() || request.lookup_from.is_some() {
        return Err(Status::unimplemented("queries of several stages or vectors"));
    }
    let vector = match request.query.and_then(|q| q.variant) {
        Some(Variant::Nearest(input)) => match input.variant {
            Some(Input::Dense(dense)) => dense.data,
            _ => return Err(Status::unimplemented("queries other than by a dense vector")),
        },
        _ => return Err(Status::unimplemented("queries other than for the nearest")),
    };
    let result = nearest(
        collections,
        SearchPoints {
            collection_name: request.collection_name,
            vector,
            filter: request.filter,
            limit: request.limit.unwrap_or(DEFAULT_LIMIT),
            with_payload: request.with_payload,
            params: request.params,
            score_threshold: request.score_threshold,
            offset: request.offset,
            with_vectors: request.with_vectors,
            ..SearchPoints::default()
        },
    )?;
    Ok(QueryResponse { result, time: 0.0, usage: None })
}

/// `Points/Search`
pub(crate) fn search(
    collections: &Collections,
    request: SearchPoints,
) -> Result<SearchResponse, Status> {
    if request.vector_name.is_some() || request.sparse_indices.is_some() {
        return Err(Status::unimplemented("named or sparse vectors"));
    }
    Ok(SearchResponse { result: nearest(collections, request)?, time: 0.0, usage: None })
}

fn nearest(collections: &Collections, request: SearchPoints) -> Result<Vec<ScoredPoint>, Status> {
    if request.with_vectors.is_some() {
        return Err(Status::unimplemented("vectors in answers"));
    }
    if request.limit == 0 {
        return Err(Status::invalid_argument("Validation error in body: limit: value 0 invalid"));
    }
    let collection = collections.get(&request.collection_name)?;
    // There are no graphs, so the search is exact whether that was asked for or not.
    let exact = request.params.and_then(|p| p.exact).unwrap_or_default();
    let found = collection.shard.search(SearchRequest {
        query: QueryEnum::Nearest(NamedQuery::default_dense(request.vector)),
        filter: filter(request.filter)?,
        params: Some(SearchParams { exact, ..SearchParams::default() }),
        limit: request.limit as usize,
        offset: request.offset.unwrap_or_default() as usize,
        with_payload: Some(with_payload(request.with_payload, false)?),
        with_vector: None,
        score_threshold: request.score_threshold,
    });
    let scored = |point: qdrant_edge::ScoredPoint| ScoredPoint {
        id: Some(wire_id(point.id)),
        payload: wire_payload(point.payload),
        score: point.score,
        version: point.version,
        ..ScoredPoint::default()
    };
    Ok(found.map_err(engine_error)?.into_iter().map(scored).collect())
}

/// `Points/Scroll`
pub(crate) fn scroll(
    collections: &Collections,
    request: ScrollPoints,
) -> Result<ScrollResponse, Status> {
    if request.order_by.is_some() || request.with_vectors.is_some() {
        return Err(Status::unimplemented("scrolling by a field, or with vectors"));
    }
    if request.limit == Some(0) {
        return Err(Status::invalid_argument("Validation error in body: limit: value 0 invalid"));
    }
    let collection = collections.get(&request.collection_name)?;
    let (records, next) = collection
        .shard
        .scroll(ScrollRequest {
            offset: request.offset.map(|id| engine_id(Some(id))).transpose()?,
            limit: request.limit.map(|limit| limit as usize),
            filter: filter(request.filter)?,
            with_payload: Some(with_payload(request.with_payload, true)?),
            ..ScrollRequest::default()
        })
        .map_err(engine_error)?;
    Ok(ScrollResponse {
        next_page_offset: next.map(wire_id),
        result: records.into_iter().map(retrieved).collect(),
        time: 0.0,
        usage: None,
    })
}

fn retrieved(record: Record) -> RetrievedPoint {
    RetrievedPoint {
        id: Some(wire_id(record.id)),
        payload: wire_payload(record.payload),
        ..RetrievedPoint::default()
    }
}

/// `Points/Count`
pub(crate) fn count(
    collections: &Collections,
    request: CountPoints,
) -> Result<CountResponse, Status> {
    let collection = collections.get(&request.collection_name)?;
    let request = CountRequest {
        filter: filter(request.filter)?,
        exact: request.exact.unwrap_or_else(CountRequest::default_exact),
    };
    let count = collection.shard.count(request).map_err(engine_error)? as u64;
    Ok(CountResponse { result: Some(CountResult { count }), time: 0.0, usage: None })
}

/// `Points/Get`
pub(crate) fn get(collections: &Collections, request: GetPoints) -> Result<GetResponse, Status> {
    if request.with_vectors.is_some() {
        return Err(Status::unimplemented("vectors in answers"));
    }
    let collection = collections.get(&request.collection_name)?;
    let wanted: WithPayloadInterface = with_payload(request.with_payload, true)?;
    let records = collection
        .shard
        .retrieve(&engine_ids(request.ids)?, Some(wanted), None)
        .map_err(engine_error)?;
    let result = records.into_iter().map(retrieved).collect();
    Ok(GetResponse { result, time: 0.0, usage: None })
}
