//! `Idempotency-Key`: a request that is sent again is not done again.
//!
//! A key is claimed for its workspace, route and body before anything is done. The use case stores
//! its answer in its own transaction, so answer and effect are there together or not at all; a
//! request that comes again gets the stored bytes. An attempt that failed wrote nothing and gives
//! its claim back; one that died loses it after a few seconds.

use std::future::Future;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::extract::{Desk, Once};
use super::{ApiError, ErrorCode};
use crate::domain::ClaimId;
use crate::store::{Answer, Claim, ClaimRequest, Claimed, StoreError};
use crate::triage::TriageError;

/// Answers a request that may come more than once. `work` does what is asked, settles the claim in
/// its own transaction, and returns the answer.
pub(super) async fn once<S, F>(
    desk: &Desk<S>,
    Once(request): Once,
    work: impl FnOnce(Option<Claim>) -> F,
) -> Result<Response, ApiError>
where
    F: Future<Output = Result<Answer, TriageError>>,
{
    let Some(request) = request else {
        return Ok(respond(&work(None).await?));
    };
    let held = match claim(desk, &request).await? {
        Claimed::Yours(held) => held,
        other => return earlier(other),
    };
    match work(Some(held.clone())).await {
        Ok(answer) => Ok(respond(&answer)),
        Err(TriageError::Store(StoreError::ClaimLost)) => {
            let claimed = claim(desk, &request).await?;
            if let Claimed::Yours(held) = &claimed {
                // Whoever took over has failed since: the caller's next attempt is to find it free.
                give_back(desk, held).await;
            }
            earlier(claimed)
        }
        Err(error) => {
            give_back(desk, &held).await;
            Err(error.into())
        }
    }
}

async fn give_back<S>(desk: &Desk<S>, held: &Claim) {
    if let Err(error) = desk.triage.store().release(&desk.caller.workspace, held).await {
        tracing::warn!(%error, "a claim could not be given back; it ends by itself");
    }
}

/// What to say where another attempt has, or had, the claim.
fn earlier(claimed: Claimed) -> Result<Response, ApiError> {
    match claimed {
        Claimed::Answered(answer) => {
            let mut response = respond(&answer);
            let replayed = HeaderName::from_static("idempotency-replayed");
            response.headers_mut().insert(replayed, HeaderValue::from_static("true"));
            Ok(response)
        }
        Claimed::OtherBody => Err(ErrorCode::IdempotencyKeyReused.into()),
        Claimed::InFlight | Claimed::Yours(_) => {
            Err(ApiError::from(ErrorCode::RequestInFlight).retry_after(1))
        }
    }
}

/// An answer with a JSON body.
pub(super) fn answer(status: StatusCode, body: &impl serde::Serialize) -> Answer {
    Answer {
        status: status.as_u16(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        // Types of ours have string keys and finite numbers: they cannot fail to be written.
        body: serde_json::to_string(body).unwrap_or_default(),
    }
}

/// The same with one more header.
pub(super) fn with_header(mut answer: Answer, name: &str, value: String) -> Answer {
    answer.headers.push((name.to_owned(), value));
    answer
}

/// An answer as it is sent.
pub(super) fn respond(answer: &Answer) -> Response {
    let mut response = answer.body.clone().into_response();
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.clear();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    response
}

async fn claim<S>(desk: &Desk<S>, request: &ClaimRequest) -> Result<Claimed, ApiError> {
    let triage = &desk.triage;
    let id = ClaimId::new(triage.fresh_id());
    let claimed = triage.store().claim(&desk.caller.workspace, request, id, triage.now()).await;
    claimed.map_err(|error| TriageError::from(error).into())
}
