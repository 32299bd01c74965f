//! Who did what.

use axum::http::{HeaderMap, Uri};

use crate::console::desk::{Answer, Fields, Page};
use crate::console::pages::{self, Visit};
use crate::http::may;
use crate::triage::TriageError;

/// Lines of a page.
const LINES: u32 = 100;

pub(super) async fn show(headers: HeaderMap, uri: Uri, page: Page<may::Lead>) -> Answer {
    let Page { desk, visit } = page;
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let before = fields.get("before").parse().ok();
    let trail = desk.triage.store().audit_trail(&desk.caller.workspace, before, LINES).await;
    let trail = trail.map_err(|error| visit.fail(TriageError::from(error)))?;
    Ok(Visit::html(&headers, pages::audit::page(&visit, &trail)))
}
