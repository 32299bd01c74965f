//! `/v1/drafts/settings`: how a desk drafts.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::{invalid, without_nul};
use crate::domain::{DraftSettings, DraftTemplate};
use crate::http::ApiError;
use crate::http::extract::{Desk, JsonBody, may};
use crate::http::idempotency::{answer, once};
use crate::triage::TriageError;

/// Templates of a desk, and words for what is sensitive.
const MOST: usize = 200;

/// Reads how the desk drafts.
#[utoipa::path(
    get, path = "/v1/drafts/settings", operation_id = "read_draft_settings", tag = "drafts",
    responses((status = 200, description = "The settings in force", body = DraftSettings))
)]
pub(in crate::http) async fn read(desk: Desk<may::Triage>) -> Result<Response, ApiError> {
    let settings = desk.triage.store().settings(&desk.caller.workspace).await;
    Ok(Json(settings.map_err(TriageError::from)?.drafts).into_response())
}

/// Changes how the desk drafts: tone, categories that people answer themselves, templates. A
/// template is tried on samples first; one that leaves steps out, does too much or is none is
/// refused with its line.
#[utoipa::path(
    put, path = "/v1/drafts/settings", operation_id = "put_draft_settings", tag = "drafts",
    request_body = DraftSettings,
    responses((status = 200, description = "The settings in force now", body = DraftSettings))
)]
pub(in crate::http) async fn put(
    desk: Desk<may::Lead>,
    JsonBody { value, once: key }: JsonBody<DraftSettings>,
) -> Result<Response, ApiError> {
    if value.templates.len() > MOST {
        return Err(invalid("/templates", format!("expected at most {MOST}")));
    }
    if value.sensitive.len() > MOST {
        return Err(invalid("/sensitive", format!("expected at most {MOST}")));
    }
    let template = |t: DraftTemplate| DraftTemplate {
        category: t.category.map(without_nul),
        language: t.language.map(without_nul),
        text: without_nul(t.text),
    };
    let settings = DraftSettings {
        sensitive: value.sensitive.into_iter().map(without_nul).collect(),
        templates: value.templates.into_iter().map(template).collect(),
        ..value
    };
    once(&desk, key, async |_| {
        desk.triage.put_draft_settings(&desk.caller, &settings).await?;
        Ok(answer(StatusCode::OK, &settings))
    })
    .await
}
