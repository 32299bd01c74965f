//! What handlers ask for. A handler that has a [`Desk`] has a workspace, and the right to work in
//! it as it does; it cannot do without.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{ApiError, ErrorCode, State};
use crate::access::Principal;
use crate::domain::Scope;
use crate::domain::ids::hex;
use crate::store::ClaimRequest;
use crate::triage::{Caller, Triage};

/// What a handler needs its caller to be allowed.
pub trait Needs: Send + Sync {
    /// The least scope.
    const SCOPE: Scope;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// Scopes as types.
        pub mod may {
            $($(#[$doc])* #[derive(Debug)] pub struct $name;
            impl super::Needs for $name {
                const SCOPE: crate::domain::Scope = crate::domain::Scope::$name;
            })*
        }
    };
}

needs! {
    /// Send tickets in and read the answers.
    Triage;
    /// Decide about suggestions.
    Agent;
    /// Change labels, import and export.
    Lead;
    /// Erase.
    Admin;
}

/// The service, and the workspace that the caller may work in, at least as `S` says.
pub struct Desk<S> {
    /// Who asks, and for whose tickets.
    pub caller: Caller,
    /// The loaded service.
    pub triage: Arc<Triage>,
    scope: PhantomData<S>,
}

impl<S: Needs> FromRequestParts<State> for Desk<S> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let principal = parts.extensions.get::<Arc<Principal>>();
        let principal = principal.ok_or(ErrorCode::Unauthorized)?;
        if !principal.scopes.allow(S::SCOPE) {
            return Err(ApiError::from(ErrorCode::Forbidden).detail(format!(
                "this needs the scope {}; {} has {}",
                S::SCOPE,
                principal.name,
                principal.scopes
            )));
        }
        let triage = state.triage.get().cloned().ok_or_else(|| {
            ApiError::from(ErrorCode::NotReady).detail(state.readiness.describe())
        })?;
        let caller =
            Caller { workspace: principal.workspace.clone(), actor: principal.name.clone() };
        Ok(Self { caller, triage, scope: PhantomData })
    }
}

/// A JSON body, read within the limit and with errors that name the field, and the claim that the
/// caller makes on its answer.
pub struct JsonBody<T> {
    /// What was sent.
    pub value: T,
    /// What the caller's `Idempotency-Key` stands for.
    pub once: Once,
}

/// A claim on the answer to a request without a body, or to one that is read elsewhere.
#[derive(Debug, Clone)]
pub struct Once(pub Option<ClaimRequest>);

impl<T: DeserializeOwned> FromRequest<State> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if !media_type.is_some_and(is_json) {
            return Err(ErrorCode::UnsupportedMediaType.into());
        }
        let (parts, body) = request.into_parts();
        let limit = state.limits.body_bytes;
        let body = axum::body::to_bytes(body, limit).await.map_err(|e| {
            let too_large = std::error::Error::source(&e)
                .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>);
            if too_large {
                ApiError::from(ErrorCode::BodyTooLarge)
                    .detail(format!("at most {limit} bytes are read"))
            } else {
                ApiError::from(ErrorCode::BodyUnreadable).source(&e)
            }
        })?;
        Ok(Self { value: parse(&body)?, once: Once::read(&parts, &body)? })
    }
}

impl FromRequestParts<State> for Once {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, ApiError> {
        Self::read(parts, b"")
    }
}

impl Once {
    fn read(parts: &Parts, body: &[u8]) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default();
        // A quoted string, as the draft has it, or bare, as most clients send it.
        let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let sane = (1..=255).contains(&key.len())
            && key.bytes().all(|b| (b.is_ascii_graphic() || b == b' ') && b != b'"');
        if !sane {
            return Err(ApiError::from(ErrorCode::InvalidIdempotencyKey)
                .detail("expected 1 to 255 visible ASCII characters, with or without quotes"));
        }
        let mut digest = Sha256::new();
        digest.update(parts.uri.query().unwrap_or_default());
        digest.update([0]);
        digest.update(body);
        // A path may name a person whose erasure it asks for: it is not kept as it is.
        let path = hex(&Sha256::digest(parts.uri.path()));
        Ok(Self(Some(ClaimRequest {
            route: format!("{} {path}", parts.method),
            key: key.to_owned(),
            body_hash: hex(&digest.finalize()),
        })))
    }
}

/// Parameters of a query, with errors that name them.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<State> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, ApiError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(value)| Self(value))
            .map_err(|e| ApiError::from(ErrorCode::InvalidParameter).detail(e.body_text()))
    }
}

/// An identifier in a path. One that is none names nothing.
pub(super) struct PathId<T>(pub(super) T);

impl<T: std::str::FromStr> FromRequestParts<State> for PathId<T>
where
    T::Err: std::fmt::Display,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|e| ApiError::from(ErrorCode::NotFound).detail(e.body_text()))?;
        let id = text.parse::<T>();
        id.map(Self).map_err(|e| ApiError::from(ErrorCode::NotFound).detail(e.to_string()))
    }
}

/// The version that `If-Match` names; `None` where any will do.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<i64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    match value.to_str().unwrap_or_default().trim() {
        "*" => Ok(None),
        text => text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .and_then(|version| version.parse().ok())
            .map(Some)
            .ok_or_else(|| {
                ApiError::from(ErrorCode::PreconditionFailed)
                    .detail("expected If-Match as an ETag of ours, such as \"3\"")
            }),
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 17
            && essence.get(..12).is_some_and(|s| s.eq_ignore_ascii_case("application/"))
            && essence.get(essence.len() - 5..).is_some_and(|s| s.eq_ignore_ascii_case("+json")))
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(body).map_err(|e| {
        ApiError::from(ErrorCode::InvalidUtf8)
            .detail(format!("the byte at offset {} is not UTF-8", e.valid_up_to()))
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut deserializer).map_err(|e| {
        let pointer = pointer(e.path());
        let reason = e.inner().to_string();
        if e.inner().is_data() {
            let unknown = reason.starts_with("unknown field");
            let code = if unknown { ErrorCode::UnknownField } else { ErrorCode::InvalidField };
            ApiError::from(code).detail(reason).pointer(pointer)
        } else {
            ApiError::from(ErrorCode::InvalidJson).detail(reason)
        }
    })?;
    deserializer.end().map_err(|e| ApiError::from(ErrorCode::InvalidJson).detail(e.to_string()))?;
    Ok(parsed)
}

/// A path as a JSON pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => {
                pointer.push('/');
                pointer.push_str(&index.to_string());
            }
            Segment::Map { key } | Segment::Enum { variant: key } => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Segment::Unknown => {}
        }
    }
    pointer
}
