//! Signing in through a provider: going there, and coming back.

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use jiff::SignedDuration;

use super::session::{go_with, refused};
use crate::access::{ATTEMPT_LASTS, AccessError, Outcome, Return};
use crate::console::desk::{Answer, Fields, encoded, own_place};
use crate::console::pages::Visit;
use crate::http::{ApiError, ErrorCode, State, cookie, session_cookie, set_cookie};
use crate::identity::{IdentityError, Provider};

/// The cookie that ties a sign-in to the browser that began it.
const COOKIE: &str = "deskhand_sign_in";
/// Bytes of a place to come back to, which is kept meanwhile.
const MAX_NEXT: usize = 2000;
/// Letters of a provider's error that are logged.
const MAX_ERROR: usize = 64;

pub(super) async fn begin(Shared(state): Shared<State>, parts: Parts) -> Answer {
    let fields = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
    let next = Some(own_place(fields.get("next"))).filter(|next| next.len() <= MAX_NEXT);
    let next = next.unwrap_or("/");
    let visit = returning_to(&parts, next);
    let Some(accounts) = state.accounts.get() else {
        return Err(visit.fail(ErrorCode::NotReady));
    };
    if let Err(seconds) = state.sign_ins.take_beginning() {
        let said = (visit.words.too_many_sign_ins)(seconds);
        return Err(refused(&state, &visit, next, StatusCode::TOO_MANY_REQUESTS, &said));
    }
    match accounts.begin(next).await {
        Ok(Some(begun)) => {
            let cookie = set_cookie(&parts.headers, COOKIE, &begun.browser, ATTEMPT_LASTS);
            Ok(go_with(&begun.url, [cookie]))
        }
        Ok(None) => Err(visit.fail(ErrorCode::NotFound)),
        Err(AccessError::Identity(error)) => Err(failed(&state, &visit, next, &error)),
        Err(error) => Err(visit.fail(ApiError::from(error))),
    }
}

pub(super) async fn callback(Shared(state): Shared<State>, parts: Parts) -> Answer {
    let fields = Fields::read(parts.uri.query().unwrap_or_default().as_bytes());
    let visit = returning_to(&parts, "/");
    let Some(accounts) = state.accounts.get() else {
        return Err(visit.fail(ErrorCode::NotReady));
    };
    let error: String =
        fields.get("error").chars().filter(char::is_ascii_graphic).take(MAX_ERROR).collect();
    let back = Return {
        browser: cookie(&parts.headers, COOKIE).unwrap_or_default(),
        state: fields.get("state"),
        code: fields.filled("code").filter(|_| error.is_empty()).ok_or(error.as_str()),
        issuer: fields.filled("iss"),
    };
    let ended = accounts.finish(back).await.map_err(|e| visit.fail(ApiError::from(e)))?;
    let w = visit.words;
    let name = accounts.provider().map(Provider::name).unwrap_or_default();
    let refuse = |next: &str, status, said: &str| {
        let visit = returning_to(&parts, next);
        refused(&state, &visit, next, status, said)
    };
    match ended {
        Outcome::In(signed_in, next) => {
            let session = session_cookie(&parts.headers, &signed_in.token);
            let done = set_cookie(&parts.headers, COOKIE, "", SignedDuration::ZERO);
            Ok(go_with(own_place(&next), [session, done]))
        }
        Outcome::Stale => Err(refuse("/", StatusCode::BAD_REQUEST, w.provider_stale)),
        Outcome::Cancelled(next) => {
            Err(refuse(&next, StatusCode::UNAUTHORIZED, &(w.provider_cancelled)(name)))
        }
        Outcome::NoRole(who) => {
            tracing::info!("somebody whom the provider gives no role was not let in");
            Err(refuse("/", StatusCode::FORBIDDEN, &(w.no_role)(name, &who)))
        }
        Outcome::Failed(error, next) => {
            let visit = returning_to(&parts, &next);
            Err(failed(&state, &visit, &next, &error))
        }
    }
}

/// A visit whose address is the sign-in page's: that of a callback can be used once.
fn returning_to(parts: &Parts, next: &str) -> Visit {
    Visit { here: format!("/sign-in?next={}", encoded(next)), ..Visit::new(parts, None) }
}

/// The sign-in page, saying what is wrong with the provider; the log says why.
fn failed(state: &State, visit: &Visit, next: &str, error: &IdentityError) -> Response {
    tracing::warn!(%error, "a sign-in through the provider failed");
    let name = state.accounts.get().and_then(|accounts| accounts.provider()).map(Provider::name);
    let name = name.unwrap_or_default();
    let w = visit.words;
    let (status, said) = match error {
        IdentityError::Refused(_) => (StatusCode::BAD_GATEWAY, (w.provider_refused)(name)),
        IdentityError::Unreachable(_) | IdentityError::Setup(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, (w.provider_down)(name))
        }
    };
    refused(state, visit, next, status, &said)
}
