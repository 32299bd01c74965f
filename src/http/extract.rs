//! What handlers ask for. A handler that has a [`Desk`] has a workspace, and cannot do without.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::{ApiError, ErrorCode, State};
use crate::domain::WorkspaceId;
use crate::triage::Triage;

/// The service, and the workspace that the caller may work in.
pub struct Desk {
    /// Whose tickets.
    pub workspace: WorkspaceId,
    /// The loaded service.
    pub triage: Arc<Triage>,
}

impl FromRequestParts<State> for Desk {
    type Rejection = ApiError;

    async fn from_request_parts(_: &mut Parts, state: &State) -> Result<Self, ApiError> {
        let triage = state.triage.get().cloned().ok_or_else(|| {
            ApiError::from(ErrorCode::NotReady).detail(state.readiness.describe())
        })?;
        Ok(Self { workspace: WorkspaceId::main(), triage })
    }
}

/// A JSON body, read within the limit and with errors that name the field.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<State> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &State) -> Result<Self, ApiError> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if !media_type.is_some_and(is_json) {
            return Err(ErrorCode::UnsupportedMediaType.into());
        }
        let limit = state.limits.body_bytes;
        let body = axum::body::to_bytes(request.into_body(), limit).await.map_err(|e| {
            let too_large = std::error::Error::source(&e)
                .is_some_and(<dyn std::error::Error>::is::<http_body_util::LengthLimitError>);
            if too_large {
                ApiError::from(ErrorCode::BodyTooLarge)
                    .detail(format!("at most {limit} bytes are read"))
            } else {
                ApiError::from(ErrorCode::BodyUnreadable).source(&e)
            }
        })?;
        parse(&body).map(Self)
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.len() > 17
            && essence.get(..12).is_some_and(|s| s.eq_ignore_ascii_case("application/"))
            && essence.get(essence.len() - 5..).is_some_and(|s| s.eq_ignore_ascii_case("+json")))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
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
