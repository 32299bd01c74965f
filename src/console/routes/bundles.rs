//! Which bundle answers.

use axum::http::{HeaderMap, Uri};

use crate::console::desk::{Answer, Fields, Page, Posted, see_other};
use crate::console::pages::{self, Visit};
use crate::http::{ApiError, Desk, may};
use crate::triage::{BundleRecord, Receipt};

async fn read<S>(
    desk: &Desk<S>,
    visit: &Visit,
) -> Result<Vec<BundleRecord>, axum::response::Response> {
    desk.triage.bundles().list(&desk.caller.workspace).await.map_err(|error| visit.fail(error))
}

pub(super) async fn show(headers: HeaderMap, uri: Uri, page: Page<may::Lead>) -> Answer {
    let Page { desk, visit } = page;
    let fields = Fields::read(uri.query().unwrap_or_default().as_bytes());
    let bundles = read(&desk, &visit).await?;
    let said = (fields.get("done") == "1").then_some(visit.words.bundle_answers);
    Ok(Visit::html(&headers, pages::bundles::page(&visit, &bundles, said, None)))
}

pub(super) async fn activate(posted: Posted<may::Lead>) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let id = fields.get("bundle");
    let activated = desk.triage.activate_bundle(&desk.caller, id, Receipt::none()).await;
    let Err(error) = activated else { return Ok(see_other("/bundles?done=1")) };
    let bundles = read(&desk, &visit).await?;
    let page = pages::bundles::page(&visit, &bundles, None, Some(&error.to_string()));
    let mut response = Visit::html(&HeaderMap::new(), page);
    *response.status_mut() = ApiError::from(&error).code().status();
    Err(response)
}
