//! `/v1/bundles`: what was learned from a desk's tickets, and which of it answers.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::policy::Interval;
use crate::http::ApiError;
use crate::http::extract::{Desk, Once, PathId, may};
use crate::http::idempotency::{answer, once, respond};
use crate::store::Answer;
use crate::triage::{BundleRecord, Receipt};

/// A bundle.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct BundleOut {
    /// Its id, as `model.bundle` of an answer names it.
    id: String,
    /// Whether it answers.
    active: bool,
    /// Whether it answered before the active one.
    previous: bool,
    /// When it was fitted, or first activated if it was fitted elsewhere.
    fitted_at: Option<Timestamp>,
    /// The labelled tickets that there were then.
    tickets: Option<u64>,
    /// The encoder whose vectors it reads.
    encoder: Option<String>,
    /// The taxonomy that it was fitted to.
    taxonomy: Option<String>,
    /// SHA-256 of what it was fitted on.
    data: Option<String>,
    /// How that was split.
    split: Option<String>,
    /// By field.
    fields: BTreeMap<String, BundleFieldOut>,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// One field of a bundle.
#[derive(Debug, Serialize, ToSchema)]
struct BundleFieldOut {
    /// How many labels it tells apart.
    labels: usize,
    /// Tickets that it was fitted on.
    tickets: u64,
    /// Tickets that `accuracy` rests on, which the model had not seen.
    held_out: usize,
    /// The share whose likeliest label was right; `null` where too few were held out.
    accuracy: Option<Interval>,
}

impl From<&BundleRecord> for BundleOut {
    fn from(record: &BundleRecord) -> Self {
        let manifest = record.manifest.as_ref();
        let fields = manifest.into_iter().flat_map(|m| &m.fields).map(|(name, field)| {
            let out = BundleFieldOut {
                labels: field.classes.len(),
                tickets: field.support.iter().map(|n| u64::from(*n)).sum(),
                held_out: field.metrics.as_ref().map_or(0, |m| m.n),
                accuracy: field.metrics.as_ref().map(|m| m.accuracy.into()),
            };
            (name.clone(), out)
        });
        Self {
            id: record.id.clone(),
            active: record.active,
            previous: record.previous,
            fitted_at: record.fitted_at,
            tickets: record.tickets,
            encoder: manifest.map(|m| m.encoder.clone()),
            taxonomy: manifest.and_then(|m| m.taxonomy.clone()),
            data: manifest.map(|m| m.data.clone()),
            split: manifest.map(|m| m.split.clone()),
            fields: fields.collect(),
            fault: record.fault.clone(),
        }
    }
}

/// A desk's bundles.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct BundlesOut {
    /// The newest first.
    items: Vec<BundleOut>,
}

/// Lists the desk's bundles.
#[utoipa::path(
    get, path = "/v1/bundles", operation_id = "list_bundles", tag = "policy",
    responses((status = 200, description = "The newest first", body = BundlesOut))
)]
pub(in crate::http) async fn list(desk: Desk<may::Triage>) -> Result<Response, ApiError> {
    let found = desk.triage.bundles().list(&desk.caller.workspace).await?;
    let items = found.iter().map(BundleOut::from).collect();
    Ok(respond(&answer(StatusCode::OK, &BundlesOut { items })))
}

fn rendered(record: &BundleRecord) -> Answer {
    answer(StatusCode::OK, &BundleOut::from(record))
}

/// Makes a bundle the one that answers, from the next ticket on; going back to an earlier one is
/// the same. One that cannot be used is refused, and the running one stays.
#[utoipa::path(
    post, path = "/v1/bundles/{id}/activate", operation_id = "activate_bundle", tag = "policy",
    params(("id" = String, Path, description = "The bundle")),
    responses((status = 200, description = "The bundle that answers now", body = BundleOut))
)]
pub(in crate::http) async fn activate(
    desk: Desk<may::Lead>,
    PathId(id): PathId<String>,
    key: Once,
) -> Result<Response, ApiError> {
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &rendered);
        let activated = desk.triage.activate_bundle(&desk.caller, &id, receipt);
        Ok(rendered(&activated.await?))
    })
    .await
}
