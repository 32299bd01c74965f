//! API keys of a desk.

use axum::extract::State as Shared;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use jiff::SignedDuration;

use crate::console::desk::{Answer, Page, Posted, see_other};
use crate::console::pages::{self, Visit};
use crate::domain::{KeyId, Scope};
use crate::http::{ApiError, Desk, ErrorCode, State, may};
use crate::store::KeyRecord;
use crate::triage::TriageError;

/// The desk's own keys, the newest first: keys are the installation's, and others' are not shown.
async fn known<S>(desk: &Desk<S>, visit: &Visit) -> Result<Vec<KeyRecord>, Response> {
    let keys = desk.triage.store().keys().await;
    let mut keys = keys.map_err(|error| visit.fail(TriageError::from(error)))?;
    keys.retain(|key| key.workspace == desk.caller.workspace);
    keys.reverse();
    Ok(keys)
}

pub(super) async fn show(headers: HeaderMap, page: Page<may::Admin>) -> Answer {
    let Page { desk, visit } = page;
    let keys = known(&desk, &visit).await?;
    Ok(Visit::html(&headers, pages::keys::page(&visit, &keys, None, None)))
}

/// Makes a key. Its text is shown in the answer, once; a reload asks before it makes another.
pub(super) async fn create(Shared(state): Shared<State>, posted: Posted<may::Admin>) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let Some(accounts) = state.accounts.get() else { return Err(visit.fail(ErrorCode::NotReady)) };
    let name = fields.filled("name").filter(|name| name.chars().count() <= 200);
    let scope = fields.get("scope").parse::<Scope>().ok();
    let days = fields.filled("days").map(|days| days.trim().parse::<u32>().ok());
    let days = days.map_or(Some(None), |days| days.filter(|d| (1..=36_500).contains(d)).map(Some));
    let Some(((name, scope), days)) = name.zip(scope).zip(days) else {
        let keys = known(&desk, &visit).await?;
        let page = pages::keys::page(&visit, &keys, None, Some(visit.words.key_refused));
        let mut response = Visit::html(&HeaderMap::new(), page);
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return Err(response);
    };
    let lasts = days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
    let workspace = desk.caller.workspace.clone();
    let made = accounts.create_key(workspace, name.trim().to_owned(), vec![scope], lasts).await;
    let (_, text) = made.map_err(|error| visit.fail(ApiError::from(error)))?;
    let keys = known(&desk, &visit).await?;
    let page = pages::keys::page(&visit, &keys, Some(&text), None);
    Ok(Visit::html(&HeaderMap::new(), page))
}

pub(super) async fn revoke(posted: Posted<may::Admin>) -> Answer {
    let Posted { page: Page { desk, visit }, fields } = posted;
    let id = fields.get("key").parse::<KeyId>().ok();
    let own = known(&desk, &visit).await?;
    let Some(key) = own.iter().find(|key| Some(key.id) == id) else {
        return Err(visit.fail(ErrorCode::NotFound));
    };
    let revoked = desk.triage.store().revoke_key(key.id, desk.triage.now()).await;
    revoked.map_err(|error| visit.fail(TriageError::from(error)))?;
    Ok(see_other("/keys"))
}
