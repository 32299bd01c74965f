//! `/v1/session`: agents signing in from a browser.

use axum::Json;
use axum::extract::{Extension, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

use crate::access::{Principal, SignedIn};
use crate::http::auth::{ended_cookie, session_cookie, session_token};
use crate::http::extract::JsonBody;
use crate::http::{ApiError, ErrorCode, State};

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SignIn {
    user: String,
    #[schema(format = Password)]
    password: String,
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SessionOut {
    /// A user's or a key's name; `anyone` where nobody needs one.
    name: String,
    workspace: String,
    /// What they may do: the scopes, separated by commas.
    scopes: String,
    /// To be sent as `X-CSRF-Token` with everything that changes something; only for sessions.
    csrf_token: Option<String>,
    expires_at: Option<Timestamp>,
}

/// Signs in. The session lives in a cookie that scripts cannot read.
#[utoipa::path(
    post, path = "/v1/session", tag = "session", request_body = SignIn, security(()),
    responses((status = 200, description = "Signed in", body = SessionOut))
)]
pub(in crate::http) async fn sign_in(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    JsonBody { value, .. }: JsonBody<SignIn>,
) -> Result<Response, ApiError> {
    let Some(accounts) = state.accounts.get() else {
        return Err(ApiError::from(ErrorCode::NotReady).detail(state.readiness.describe()));
    };
    if let Err(seconds) = state.sign_ins.take(&value.user) {
        return Err(ApiError::from(ErrorCode::RateLimited)
            .detail("too many attempts for this user")
            .retry_after(seconds));
    }
    let Some(SignedIn { token, session }) = accounts.sign_in(&value.user, &value.password).await?
    else {
        return Err(ApiError::from(ErrorCode::Unauthorized).detail("user and password do not fit"));
    };
    let cookie = session_cookie(&headers, &token);
    let out = SessionOut {
        name: session.user,
        workspace: session.workspace.to_string(),
        scopes: session.scopes.to_string(),
        csrf_token: Some(session.csrf),
        expires_at: Some(session.expires_at),
    };
    let mut response = Json(out).into_response();
    let cookie = HeaderValue::try_from(cookie).map_err(|_| ErrorCode::Internal)?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Says who the caller is.
#[utoipa::path(
    get, path = "/v1/session", operation_id = "read_session", tag = "session",
    responses((status = 200, description = "The caller", body = SessionOut))
)]
pub(in crate::http) async fn read(
    Shared(state): Shared<State>,
    Extension(principal): Extension<Arc<Principal>>,
    headers: HeaderMap,
) -> Result<Json<SessionOut>, ApiError> {
    let session = match (state.accounts.get(), session_token(&headers)) {
        (Some(accounts), Some(token)) => accounts.session(token).await?,
        _ => None,
    };
    Ok(Json(SessionOut {
        name: principal.name.clone(),
        workspace: principal.workspace.to_string(),
        scopes: principal.scopes.to_string(),
        csrf_token: session.as_ref().map(|s| s.csrf.clone()),
        expires_at: session.map(|s| s.expires_at),
    }))
}

/// Signs out.
#[utoipa::path(
    delete, path = "/v1/session", tag = "session",
    responses((status = 204, description = "Signed out"))
)]
pub(in crate::http) async fn sign_out(
    Shared(state): Shared<State>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if let (Some(accounts), Some(token)) = (state.accounts.get(), session_token(&headers)) {
        accounts.sign_out(token).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, ended_cookie())]).into_response())
}
