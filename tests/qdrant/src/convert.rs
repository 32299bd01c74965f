//! Between the wire's types and the engine's.

use std::collections::HashMap;

use qdrant_client::qdrant::condition::ConditionOneOf;
use qdrant_client::qdrant::r#match::MatchValue;
use qdrant_client::qdrant::point_id::PointIdOptions;
use qdrant_client::qdrant::value::Kind;
use qdrant_client::qdrant::vectors::VectorsOptions;
use qdrant_client::qdrant::with_payload_selector::SelectorOptions;
use qdrant_client::qdrant::{
    Condition, Filter, ListValue, PointId, Struct, Value, Vector, Vectors, WithPayloadSelector,
    vector,
};
use qdrant_edge::external::serde_json::{self, Map, Value as Json, json};
use qdrant_edge::external::uuid::Uuid;
use qdrant_edge::{OperationError, Payload};
use tonic::Status;

use crate::collections::field;

/// The engine's refusal as the real server puts it.
pub(crate) fn engine_error(error: OperationError) -> Status {
    let message = format!("Wrong input: {error}");
    match error {
        OperationError::WrongVectorDimension { .. }
        | OperationError::VectorNameNotExists { .. }
        | OperationError::TypeError { .. }
        | OperationError::TypeInferenceError { .. }
        | OperationError::ValidationError { .. }
        | OperationError::WrongSparse
        | OperationError::WrongMulti => Status::invalid_argument(message),
        OperationError::PointIdError { .. } => Status::not_found(message),
        other => Status::internal(other.to_string()),
    }
}

/// A point's id for the engine.
pub(crate) fn engine_id(id: Option<PointId>) -> Result<qdrant_edge::PointId, Status> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Num(number)) => Ok(qdrant_edge::PointId::NumId(number)),
        Some(PointIdOptions::Uuid(text)) => Uuid::parse_str(&text)
            .map(qdrant_edge::PointId::Uuid)
            .map_err(|_| Status::invalid_argument(format!("Unable to parse UUID: {text}"))),
        None => Err(Status::invalid_argument("Empty ID is not allowed")),
    }
}

/// Several ids for the engine.
pub(crate) fn engine_ids(ids: Vec<PointId>) -> Result<Vec<qdrant_edge::PointId>, Status> {
    ids.into_iter().map(|id| engine_id(Some(id))).collect()
}

/// A point's id for the wire.
pub(crate) fn wire_id(id: qdrant_edge::PointId) -> PointId {
    match id {
        qdrant_edge::PointId::NumId(number) => PointId::from(number),
        qdrant_edge::PointId::Uuid(uuid) => PointId::from(uuid.to_string()),
    }
}

/// The one unnamed vector of a point.
pub(crate) fn dense(vectors: Option<Vectors>) -> Result<Vec<f32>, Status> {
    match vectors.and_then(|v| v.vectors_options) {
        Some(VectorsOptions::Vector(vector)) => dense_vector(vector),
        Some(VectorsOptions::Vectors(_)) => Err(Status::unimplemented("named vectors")),
        None => Err(Status::invalid_argument("Expected some vectors")),
    }
}

#[expect(deprecated, reason = "clients before 1.16 send vectors in this field")]
fn dense_vector(vector: Vector) -> Result<Vec<f32>, Status> {
    match vector.vector {
        Some(vector::Vector::Dense(dense)) => Ok(dense.data),
        None if vector.indices.is_none() && vector.vectors_count.is_none() => Ok(vector.data),
        _ => Err(Status::unimplemented("vectors other than dense ones")),
    }
}

/// A payload for the engine.
pub(crate) fn engine_payload(payload: HashMap<String, Value>) -> Json {
    Json::Object(payload.into_iter().map(|(name, value)| (name, json_of(value))).collect())
}

fn json_of(value: Value) -> Json {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(b)) => Json::from(b),
        Some(Kind::IntegerValue(n)) => Json::from(n),
        Some(Kind::DoubleValue(x)) => Json::from(x),
        Some(Kind::StringValue(text)) => Json::from(text),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(json_of).collect(),
        Some(Kind::StructValue(fields)) => engine_payload(fields.fields),
    }
}

/// A payload for the wire.
pub(crate) fn wire_payload(payload: Option<Payload>) -> HashMap<String, Value> {
    payload.map(|p| wire_fields(p.0)).unwrap_or_default()
}

fn wire_fields(fields: Map<String, Json>) -> HashMap<String, Value> {
    fields.into_iter().map(|(name, value)| (name, wire_value(value))).collect()
}

fn wire_value(value: Json) -> Value {
    let kind = match value {
        Json::Null => Kind::NullValue(0),
        Json::Bool(b) => Kind::BoolValue(b),
        Json::Number(n) => match n.as_i64() {
            Some(whole) => Kind::IntegerValue(whole),
            None => Kind::DoubleValue(n.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Kind::StringValue(text),
        Json::Array(values) => {
            Kind::ListValue(ListValue { values: values.into_iter().map(wire_value).collect() })
        }
        Json::Object(fields) => Kind::StructValue(Struct { fields: wire_fields(fields) }),
    };
    Value { kind: Some(kind) }
}

/// Whether a request wants the payload, where it says nothing `unless_told`.
pub(crate) fn with_payload(
    selector: Option<WithPayloadSelector>,
    unless_told: bool,
) -> Result<qdrant_edge::WithPayloadInterface, Status> {
    let wanted = match selector.and_then(|s| s.selector_options) {
        None => unless_told,
        Some(SelectorOptions::Enable(wanted)) => wanted,
        Some(_) => return Err(Status::unimplemented("parts of a payload")),
    };
    Ok(qdrant_edge::WithPayloadInterface::Bool(wanted))
}

/// A filter for the engine.
pub(crate) fn filter(filter: Option<Filter>) -> Result<Option<qdrant_edge::Filter>, Status> {
    let Some(filter) = filter else { return Ok(None) };
    if !filter.should.is_empty() || filter.min_should.is_some() {
        return Err(Status::unimplemented("filters of alternatives"));
    }
    let must = conditions(filter.must)?;
    let must_not = conditions(filter.must_not)?;
    // The engine's own form of a filter in JSON is the shortest way to its types.
    serde_json::from_value(json!({"must": must, "must_not": must_not}))
        .map(Some)
        .map_err(|error| Status::invalid_argument(error.to_string()))
}

fn conditions(list: Vec<Condition>) -> Result<Vec<Json>, Status> {
    list.into_iter().map(condition).collect()
}

fn condition(condition: Condition) -> Result<Json, Status> {
    match condition.condition_one_of {
        Some(ConditionOneOf::Field(condition)) => {
            match condition.r#match.and_then(|m| m.match_value) {
                Some(MatchValue::Keyword(keyword)) => {
                    let key = field(&condition.key)?.to_string();
                    Ok(json!({"key": key, "match": {"value": keyword}}))
                }
                _ => Err(Status::unimplemented("conditions on fields other than a keyword")),
            }
        }
        Some(ConditionOneOf::HasId(condition)) => {
            let ids = engine_ids(condition.has_id)?;
            Ok(json!({ "has_id": ids }))
        }
        _ => Err(Status::unimplemented("conditions other than a keyword or ids")),
    }
}
