//! How good the answers are.

use axum::http::{HeaderMap, Uri};

use crate::console::desk::{Answer, Fields, Page};
use crate::console::pages::{self, Visit};
use crate::http::may;
use crate::triage::TriageError;

pub(super) async fn show(headers: HeaderMap, uri: Uri, page: Page<may::Lead>) -> Answer {
    let Page { desk, visit } = page;
    let all = Fields::read(uri.query().unwrap_or_default().as_bytes()).get("of") == "all";
    let workspace = &desk.caller.workspace;
    let read = async {
        let settings = desk.triage.store().settings(workspace).await?;
        let bundle = settings.bundle.map(|active| active.id);
        let asked = bundle.as_deref().filter(|_| !all);
        Ok((desk.triage.quality(workspace, asked).await?, bundle))
    };
    let (quality, bundle) = read
        .await
        .map_err(|error: crate::store::StoreError| visit.fail(TriageError::from(error)))?;
    let page = pages::quality::page(&visit, &quality, bundle.as_deref(), all);
    Ok(Visit::html(&headers, page))
}
