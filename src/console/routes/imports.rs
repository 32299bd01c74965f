//! Histories on their way in. They are sent to the API itself, as a stream.

use axum::extract::Path;
use axum::http::HeaderMap;

use crate::console::desk::{Answer, Page};
use crate::console::pages::{self, Visit};
use crate::domain::ImportId;
use crate::http::{ErrorCode, may};
use crate::triage::TriageError;

/// Imports that are listed.
const LISTED: u32 = 30;

pub(super) async fn list(headers: HeaderMap, page: Page<may::Lead>) -> Answer {
    let Page { desk, visit } = page;
    let known = desk.triage.store().imports(&desk.caller.workspace, LISTED).await;
    let known = known.map_err(|error| visit.fail(TriageError::from(error)))?;
    Ok(Visit::html(&headers, pages::imports::list(&visit, &known)))
}

pub(super) async fn show(
    headers: HeaderMap,
    Path(name): Path<String>,
    page: Page<may::Lead>,
) -> Answer {
    let Page { desk, visit } = page;
    let id: ImportId = name.parse().map_err(|_| visit.fail(ErrorCode::NotFound))?;
    let found = desk.triage.store().import(&desk.caller.workspace, id).await;
    let found = found.map_err(|error| visit.fail(TriageError::from(error)))?;
    let import = found.ok_or_else(|| visit.fail(ErrorCode::NotFound))?;
    Ok(Visit::html(&headers, pages::imports::one(&visit, &import)))
}
