//! `DELETE /v1/requesters/{id}`: everything that a person sent and wrote.

use axum::response::Response;

use super::tickets::{ErasedOut, erased};
use crate::http::ApiError;
use crate::http::extract::{Desk, Once, PathId, may};
use crate::http::idempotency::once;
use crate::triage::Receipt;

/// Erases a person's tickets, and their messages in other people's threads.
#[utoipa::path(
    delete, path = "/v1/requesters/{id}", operation_id = "erase_requester", tag = "tickets",
    params(("id" = String, Path, description = "The requester as tickets name them")),
    responses((status = 200, description = "All of it is gone", body = ErasedOut))
)]
pub(in crate::http) async fn erase(
    desk: Desk<may::Admin>,
    PathId(requester): PathId<String>,
    key: Once,
) -> Result<Response, ApiError> {
    let requester = super::without_nul(requester);
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &erased);
        Ok(erased(&desk.triage.erase_requester(&desk.caller, &requester, receipt).await?))
    })
    .await
}
