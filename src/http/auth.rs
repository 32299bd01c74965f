//! Who is asking: a key in `Authorization`, or the session cookie of a browser.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::{Quota, RateLimiter, state::keyed::DashMapStateStore};
use sha2::{Digest, Sha256};

use super::{ApiError, ErrorCode, SignIns, State};
use crate::access::{Principal, same_secret};

/// The cookie that a browser's session lives in.
pub(super) const COOKIE: &str = "deskhand_session";
/// What a page of ours sends along to change anything.
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
/// The window of the rate limit in seconds.
const WINDOW: u32 = 60;

/// Counts what callers ask for. One entry a key or user, so it cannot grow without bound.
pub struct RateLimit {
    limiter:
        RateLimiter<String, DashMapStateStore<String>, DefaultClock, StateInformationMiddleware>,
    quota: u32,
}

impl RateLimit {
    /// So many requests a minute for each caller; `None` for 0, which means no limit.
    pub fn per_minute(requests: u32) -> Option<Self> {
        let quota = NonZeroU32::new(requests)?;
        let limiter = RateLimiter::dashmap(Quota::per_minute(quota))
            .with_middleware::<StateInformationMiddleware>();
        Some(Self { limiter, quota: requests })
    }

    /// Takes one request. Says how many are left, or in how many seconds to come back.
    fn take(&self, caller: &str) -> Result<u32, u64> {
        match self.limiter.check_key(&caller.to_owned()) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                Err(wait.as_secs() + 1)
            }
        }
    }
}

impl SignIns {
    /// Takes one attempt for a name, or says in how many seconds to come back.
    pub(super) fn take(&self, name: &str) -> Result<(), u64> {
        let digest = Sha256::digest(name);
        let counter = &self.0[usize::from(digest[0]) % self.0.len()];
        match counter {
            Some(limit) => limit.take("").map(drop),
            None => Ok(()),
        }
    }
}

/// Lets in whoever may, or says what is missing; counts the request; tells what is left.
pub(super) async fn authenticate(
    Shared(state): Shared<State>,
    mut request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let principal = match principal(&state, &parts).await {
        Ok(principal) => principal,
        Err(error) => return error.into_response(),
    };
    request = Request::from_parts(parts, body);
    let left = state.rate_limit.as_ref().map(|limit| (limit.quota, limit.take(&principal.id)));
    request.extensions_mut().insert(Arc::new(principal));
    let mut response = match left {
        Some((_, Err(seconds))) => ApiError::from(ErrorCode::RateLimited)
            .detail(format!("come back in {seconds} s"))
            .retry_after(seconds)
            .into_response(),
        _ => next.run(request).await,
    };
    if let Some((quota, left)) = left {
        let (remaining, reset) = match left {
            Ok(remaining) => (remaining, u64::from(WINDOW)),
            Err(seconds) => (0, seconds),
        };
        let headers = response.headers_mut();
        let mut set = |name, value: String| {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("ratelimit-policy", format!("\"default\";q={quota};w={WINDOW}"));
        set("ratelimit", format!("\"default\";r={remaining};t={reset}"));
    }
    response
}

async fn principal(state: &State, parts: &Parts) -> Result<Principal, ApiError> {
    let Some(accounts) = state.accounts.get() else {
        return Err(ApiError::from(ErrorCode::NotReady).detail(state.readiness.describe()));
    };
    if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
        let key = value.to_str().ok().and_then(|text| {
            let (scheme, key) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
        });
        let known = match key {
            Some(key) => accounts.with_key(key).await?,
            None => None,
        };
        return known.ok_or_else(|| {
            ApiError::from(ErrorCode::Unauthorized)
                .detail("the key is not known, has expired or was revoked; expected `Authorization: Bearer dh_…`")
        });
    }
    if let Some(token) = cookie(&parts.headers) {
        let session = accounts.session(token).await?.ok_or_else(|| {
            ApiError::from(ErrorCode::Unauthorized).detail("the session has ended; sign in again")
        })?;
        let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let sent = parts.headers.get(CSRF_HEADER).and_then(|v| v.to_str().ok());
        if !safe && !sent.is_some_and(|sent| same_secret(sent, &session.csrf)) {
            return Err(ErrorCode::CsrfMismatch.into());
        }
        return Ok(session.into());
    }
    if state.open && !accounts.required().await? {
        return Ok(Principal::anyone());
    }
    Err(ApiError::from(ErrorCode::Unauthorized)
        .detail("send a key: `Authorization: Bearer dh_…`; `deskhand keys create` makes one"))
}

/// The session's token, if the browser sent one.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .map(|(_, token)| token)
}
