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
use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::layers::is_loopback;
use super::{ApiError, ErrorCode, SignIns, State};
use crate::access::{Principal, SESSION_LASTS, same_secret};
use crate::domain::WorkspaceId;
use crate::store::Session;

/// The cookie that a browser's session lives in.
pub(super) const COOKIE: &str = "deskhand_session";
/// The cookie that says at which desk a browser works, where nobody needs an account.
pub const DESK_COOKIE: &str = "deskhand_desk";
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
    ///
    /// # Errors
    /// There were too many.
    pub fn take(&self, name: &str) -> Result<(), u64> {
        let digest = Sha256::digest(name);
        let counter = &self.names[usize::from(digest[0]) % self.names.len()];
        take_one(counter.as_ref())
    }

    /// Takes one sign-in that begins at a provider, or says in how many seconds to come back.
    ///
    /// # Errors
    /// There were too many.
    pub fn take_beginning(&self) -> Result<(), u64> {
        take_one(self.beginnings.as_ref())
    }
}

fn take_one(counter: Option<&RateLimit>) -> Result<(), u64> {
    counter.map_or(Ok(()), |limit| limit.take("").map(drop))
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
    let visitor = visitor(state, parts).await?;
    if let Some(session) = &visitor.session {
        let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let sent = parts.headers.get(CSRF_HEADER).and_then(|v| v.to_str().ok());
        if !safe && !sent.is_some_and(|sent| same_secret(sent, &session.csrf)) {
            return Err(ErrorCode::CsrfMismatch.into());
        }
    } else if is_from_elsewhere(state, parts) {
        // Nobody needs a key here, so a page from anywhere could have sent it.
        return Err(ErrorCode::CsrfMismatch.into());
    }
    Ok(visitor.principal)
}

/// Somebody at a browser.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who they are, and what they may do.
    pub principal: Principal,
    /// Their session; none where nobody needs one.
    pub session: Option<Session>,
}

/// Who is at the browser. Whether they meant to change something is not asked here.
///
/// # Errors
/// There are accounts and they are not signed in, the service is not ready, or the store failed.
pub async fn visitor(state: &State, parts: &Parts) -> Result<Visitor, ApiError> {
    let Some(accounts) = state.accounts.get() else {
        return Err(ApiError::from(ErrorCode::NotReady).detail(state.readiness.describe()));
    };
    if let Some(token) = cookie(&parts.headers, COOKIE) {
        let session = accounts.session(token).await?.ok_or_else(|| {
            ApiError::from(ErrorCode::Unauthorized).detail("the session has ended; sign in again")
        })?;
        return Ok(Visitor { principal: session.clone().into(), session: Some(session) });
    }
    if state.open && !accounts.required().await? {
        // Where nobody needs an account everybody may go to every desk.
        let desk = cookie(&parts.headers, DESK_COOKIE).map(str::to_owned);
        let workspace = desk.and_then(|name| WorkspaceId::try_from(name).ok());
        let mut principal = Principal::anyone();
        principal.workspace = workspace.unwrap_or(principal.workspace);
        return Ok(Visitor { principal, session: None });
    }
    Err(ApiError::from(ErrorCode::Unauthorized)
        .detail("send a key: `Authorization: Bearer dh_…`; `deskhand keys create` makes one"))
}

/// Whether a page of another site, whose origin is not named, means to change something.
fn is_from_elsewhere(state: &State, parts: &Parts) -> bool {
    let origin = parts.headers.get(header::ORIGIN);
    let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let named = origin.is_some_and(|origin| state.origins.contains(origin));
    let from_a_page = origin.is_some() || parts.headers.contains_key("sec-fetch-site");
    !safe && from_a_page && !named && !is_from_our_page(&parts.headers)
}

/// Whether a page of this server sent the request. Browsers say so themselves, out of the reach of
/// scripts: in `Sec-Fetch-Site`, and where the connection is not trusted in `Origin`.
pub fn is_from_our_page(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = text(&HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let origin = text(&header::ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, name)| text(&header::HOST).is_some_and(|host| host == name))
}

/// The cookie of a session that has begun.
pub fn session_cookie(headers: &HeaderMap, token: &str) -> String {
    set_cookie(headers, COOKIE, token, SESSION_LASTS)
}

/// A cookie of ours. Other sites' links bring it along, their forms do not, and no script reads it.
/// It is never sent in the clear, save on this computer.
pub fn set_cookie(headers: &HeaderMap, name: &str, value: &str, lasts: SignedDuration) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // Behind a proxy that ends TLS as well.
    let forwarded = headers.get("x-forwarded-proto").is_some_and(|p| p == "https");
    let secure = forwarded || !host.is_some_and(is_loopback);
    format!(
        "{name}={value}; HttpOnly; SameSite=Lax; Path=/; Max-Age={}{}",
        lasts.as_secs(),
        if secure { "; Secure" } else { "" }
    )
}

/// What takes that cookie away.
pub fn ended_cookie() -> String {
    format!("{COOKIE}=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0")
}

/// The session's token, if the browser sent one.
pub fn session_token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, COOKIE)
}

/// A cookie's value.
pub fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}
