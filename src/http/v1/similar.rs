//! `POST /v1/similar`: resolved tickets like a text.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{invalid, without_nul};
use crate::domain::{Degraded, Ranking, Similar, TicketText};
use crate::http::ApiError;
use crate::http::extract::{Desk, JsonBody, may};

/// Tickets of one answer, at most and unless asked otherwise.
const MAX_LIMIT: usize = 100;
const LIMIT: usize = 10;

/// A text to look for. Not both of subject and body may be blank.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"subject": "VPN drops every few minutes", "limit": 5}))]
pub(in crate::http) struct SimilarIn {
    /// A line.
    #[serde(default)]
    subject: String,
    /// More.
    #[serde(default)]
    body: String,
    /// At most so many.
    #[serde(default, deserialize_with = "super::whole")]
    #[schema(minimum = 1, maximum = 100, default = 10)]
    limit: Option<usize>,
}

/// What was found, most similar first.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SimilarOut {
    similar: Vec<Similar>,
    /// What they are ordered by.
    ranking: Ranking,
    /// What this answer had to do without.
    degraded: Vec<Degraded>,
}

/// Finds the resolved tickets most like a text. Nothing is stored.
#[utoipa::path(
    post, path = "/v1/similar", tag = "triage", request_body = SimilarIn,
    responses((status = 200, description = "Resolved tickets, most similar first", body = SimilarOut))
)]
pub(in crate::http) async fn similar(
    desk: Desk<may::Triage>,
    JsonBody { value, .. }: JsonBody<SimilarIn>,
) -> Result<Json<SimilarOut>, ApiError> {
    let limit = value.limit.unwrap_or(LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(invalid("/limit", format!("expected 1 to {MAX_LIMIT}")));
    }
    let text = TicketText {
        subject: without_nul(value.subject),
        body: without_nul(value.body),
        messages: Vec::new(),
    };
    let (similar, degraded) = desk.triage.similar(&desk.caller.workspace, &text, limit).await?;
    Ok(Json(SimilarOut { similar, ranking: desk.triage.ranking(), degraded }))
}
