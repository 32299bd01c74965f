//! `/v1/policy`: how sure labels must be to be applied without a person, and what that comes to.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::invalid;
use crate::http::extract::{Desk, JsonBody, Params, if_match, may};
use crate::http::idempotency::{answer, once, respond, with_header};
use crate::http::{ApiError, ErrorCode};
use crate::judge::Estimate;
use crate::store::Answer;
use crate::triage::{FieldPromise, PolicyView, Receipt};

/// Targets that can be asked for: less is no promise, more cannot be shown to hold.
const TARGETS: std::ops::RangeInclusive<f64> = 0.5..=0.999;

/// A figure with its 95 % interval.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Interval {
    /// The figure.
    value: f64,
    /// The interval's lower end.
    low: f64,
    /// Its upper end.
    high: f64,
}

impl From<Estimate> for Interval {
    fn from(Estimate { value, low, high }: Estimate) -> Self {
        Self { value, low, high }
    }
}

/// A desk's policy, and what it comes to.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct PolicyOut {
    /// Grows by one with every change.
    version: i64,
    /// The share of applied labels that is to be right.
    target_precision: f64,
    /// The target that `fields` are shown for: the one in force, or the one to be looked at.
    shown_for: f64,
    /// The bundle that they are of; `null`: none answers, and fixed thresholds decide.
    bundle: Option<String>,
    /// By field.
    fields: BTreeMap<String, FieldOut>,
}

/// What a target precision comes to in one field.
#[derive(Debug, Serialize, ToSchema)]
struct FieldOut {
    /// Tickets that it rests on, which the model had not seen.
    held_out: usize,
    /// Labels at least this likely are applied; `null`: none is.
    threshold: Option<f32>,
    /// The share of tickets that will get a label; the interval holds for the next 1,000.
    coverage: Interval,
    /// The share of applied labels that was right.
    precision: Interval,
    /// Labels that need a higher threshold.
    stricter: Vec<StricterOut>,
}

/// A label that needs a higher threshold.
#[derive(Debug, Serialize, ToSchema)]
struct StricterOut {
    /// Which.
    label: String,
    /// Its own; `null`: it is never applied.
    threshold: Option<f32>,
}

impl From<&FieldPromise> for FieldOut {
    fn from(field: &FieldPromise) -> Self {
        let promise = &field.promise;
        let stricter = promise.stricter.iter().filter_map(|(class, threshold)| {
            let label = field.labels.get(*class)?.clone();
            Some(StricterOut { label, threshold: *threshold })
        });
        Self {
            held_out: field.held_out,
            threshold: promise.threshold,
            coverage: promise.coverage.into(),
            precision: promise.precision.into(),
            stricter: stricter.collect(),
        }
    }
}

fn rendered(view: &PolicyView) -> Answer {
    let fields = view.fields.iter().map(|(name, field)| (name.clone(), field.into()));
    let shown = PolicyOut {
        version: view.settings.version,
        target_precision: view.settings.target_precision,
        shown_for: view.shown_for,
        bundle: view.bundle.clone(),
        fields: fields.collect(),
    };
    let etag = format!("\"{}\"", view.settings.version);
    with_header(answer(StatusCode::OK, &shown), "etag", etag)
}

/// What to look at.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Preview {
    /// Shows what this target would come to; nothing changes.
    #[param(minimum = 0.5, maximum = 0.999)]
    target_precision: Option<f64>,
}

/// Reads how sure labels must be, and what that comes to: thresholds, coverage, precision.
#[utoipa::path(
    get, path = "/v1/policy", operation_id = "read_policy", tag = "policy", params(Preview),
    responses((status = 200, description = "The policy", body = PolicyOut,
        headers(("ETag" = String, description = "The version"))))
)]
pub(in crate::http) async fn read(
    desk: Desk<may::Triage>,
    Params(preview): Params<Preview>,
) -> Result<Response, ApiError> {
    if preview.target_precision.is_some_and(|target| !TARGETS.contains(&target)) {
        return Err(ApiError::from(ErrorCode::InvalidParameter).detail(expected()));
    }
    let view = desk.triage.policy(&desk.caller.workspace, preview.target_precision).await?;
    Ok(respond(&rendered(&view)))
}

fn expected() -> String {
    format!("target_precision: expected {} to {}", TARGETS.start(), TARGETS.end())
}

/// A precision to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"target_precision": 0.95}))]
pub(in crate::http) struct PolicyIn {
    /// The share of applied labels that is to be right.
    #[schema(minimum = 0.5, maximum = 0.999)]
    target_precision: f64,
}

/// Asks for another precision. It counts on the next ticket. With `If-Match` and the `ETag` that the
/// change is based on, it is refused if that is another now.
#[utoipa::path(
    put, path = "/v1/policy", operation_id = "put_policy", tag = "policy", request_body = PolicyIn,
    responses((status = 200, description = "The new policy", body = PolicyOut,
        headers(("ETag" = String, description = "The version"))))
)]
pub(in crate::http) async fn put(
    desk: Desk<may::Lead>,
    headers: HeaderMap,
    JsonBody { value, once: key }: JsonBody<PolicyIn>,
) -> Result<Response, ApiError> {
    let target = value.target_precision;
    if !TARGETS.contains(&target) {
        return Err(invalid("/target_precision", expected()));
    }
    let expected = if_match(&headers)?;
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &rendered);
        let saved = desk.triage.put_policy(&desk.caller, target, expected, receipt);
        Ok(rendered(&saved.await?))
    })
    .await
}
