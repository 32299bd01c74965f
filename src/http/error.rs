//! Errors as callers see them: RFC 9457 problem documents with a stable code each.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::AccessError;
use crate::index::IndexError;
use crate::inference::InferenceError;
use crate::triage::TriageError;
use crate::writing::WritingError;

macro_rules! codes {
    ($($variant:ident $code:literal $status:ident $title:literal;)*) => {
        /// Every way a request can fail. Codes are part of the API: they are added, never changed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $title] $variant,)*
        }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it stands in the problem document.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// The problem in a few words, the same each time.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    InvalidJson "invalid_json" BAD_REQUEST "The body is not JSON.";
    InvalidUtf8 "invalid_utf8" BAD_REQUEST "The body is not UTF-8.";
    BodyUnreadable "body_unreadable" BAD_REQUEST "The body could not be read.";
    InvalidIdempotencyKey "invalid_idempotency_key" BAD_REQUEST "The Idempotency-Key is not a key.";
    Unauthorized "unauthorized" UNAUTHORIZED "A valid key or session is needed.";
    Forbidden "forbidden" FORBIDDEN "The caller may not do this.";
    CsrfMismatch "csrf_mismatch" FORBIDDEN "The X-CSRF-Token is missing or wrong.";
    NotFound "not_found" NOT_FOUND "There is nothing here.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "This method is not known here.";
    AlreadyDecided "already_decided" CONFLICT "The suggestion was decided already.";
    Superseded "superseded" CONFLICT "A newer suggestion has taken this one's place.";
    NothingToUndo "nothing_to_undo" CONFLICT "There is nothing to undo.";
    LabelsInUse "labels_in_use" CONFLICT "Labels in use would vanish.";
    Contended "contended" CONFLICT "The ticket kept changing.";
    RequestInFlight "request_in_flight" CONFLICT "A request with this Idempotency-Key is under way.";
    Erased "erased" GONE "The answer was erased.";
    PreconditionFailed "precondition_failed" PRECONDITION_FAILED "It has changed since it was read.";
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body is too large.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body is of a type that is not read here.";
    UnknownHost "unknown_host" MISDIRECTED_REQUEST "This service does not go by that name.";
    EmptyTicket "empty_ticket" UNPROCESSABLE_ENTITY "The ticket is empty.";
    InvalidField "invalid_field" UNPROCESSABLE_ENTITY "A field has a value that it cannot have.";
    InvalidParameter "invalid_parameter" UNPROCESSABLE_ENTITY "A parameter has a value that it cannot have.";
    UnknownField "unknown_field" UNPROCESSABLE_ENTITY "A field is not known.";
    UnknownLabel "unknown_label" CONFLICT "The taxonomy has no such label.";
    NoChange "no_change" UNPROCESSABLE_ENTITY "The decision changes nothing.";
    InvalidTaxonomy "invalid_taxonomy" CONFLICT "The taxonomy contradicts itself.";
    BundleRefused "bundle_refused" CONFLICT "The bundle cannot be used here.";
    ThreadFull "thread_full" UNPROCESSABLE_ENTITY "The thread has no room for more.";
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY "The Idempotency-Key was used for another request.";
    RateLimited "rate_limited" TOO_MANY_REQUESTS "Too many requests.";
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong here.";
    NotReady "not_ready" SERVICE_UNAVAILABLE "The service is still starting.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "The service is busy.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "The service cannot answer now.";
    Timeout "timeout" GATEWAY_TIMEOUT "The request took too long.";
    StorageFull "storage_full" INSUFFICIENT_STORAGE "There is no room left to store anything.";
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the code says it.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The problem in a few words, the same each time.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What went wrong, for programs.
    code: &'static str,
    /// What went wrong, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Names the request in logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// A field at fault.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldError {
    /// Which (RFC 6901).
    pointer: String,
    /// What was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// A failed request. Its source is logged once and never sent.
#[derive(Debug, Clone)]
pub struct ApiError {
    code: ErrorCode,
    detail: Option<String>,
    pointer: Option<String>,
    source: Option<Arc<str>>,
    retry_after: Option<u64>,
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self { code, detail: None, pointer: None, source: None, retry_after: None }
    }
}

impl ApiError {
    /// Says more to the caller.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the field that is at fault, as a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn source(mut self, source: &dyn std::fmt::Display) -> Self {
        self.source = Some(source.to_string().into());
        self
    }

    /// Says in how many seconds to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// What is said to the caller beyond the title.
    pub fn what(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// The cause, for the log.
    pub fn cause(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The problem document.
    pub fn problem(&self, request_id: Option<&str>) -> Problem {
        let field =
            |pointer: &String| FieldError { pointer: pointer.clone(), detail: self.detail.clone() };
        Problem {
            kind: "about:blank",
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.code(),
            detail: self.detail.clone(),
            errors: self.pointer.iter().map(field).collect(),
            request_id: request_id.map(str::to_owned),
        }
    }

    /// The answer, naming the request.
    pub fn respond(&self, request_id: Option<&str>) -> Response {
        let problem = self.problem(request_id);
        let mut response = (self.code.status(), Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        let unavailable = (self.code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        if let Some(seconds) = self.retry_after.or(unavailable) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for ApiError {
    /// Leaves itself in the response's extensions, where the outermost layer finds it, names the
    /// request in it and logs its cause.
    fn into_response(self) -> Response {
        let mut response = self.respond(None);
        response.extensions_mut().insert(self);
        response
    }
}

impl From<TriageError> for ApiError {
    fn from(error: TriageError) -> Self {
        Self::from(&error)
    }
}

impl From<&TriageError> for ApiError {
    fn from(error: &TriageError) -> Self {
        use crate::store::StoreError;
        // What callers can do something about is told to them; the rest is for the log.
        let told = |code: ErrorCode| Self::from(code).detail(error.to_string());
        let kept = |code: ErrorCode| Self::from(code).source(error);
        match error {
            TriageError::EmptyTicket => Self::from(ErrorCode::EmptyTicket).detail(
                "subject, body and messages are all blank; at least one must say something",
            ),
            TriageError::NotFound(_) => told(ErrorCode::NotFound),
            TriageError::Stale { .. } => told(ErrorCode::PreconditionFailed),
            TriageError::AlreadyDecided { .. } => told(ErrorCode::AlreadyDecided),
            TriageError::Superseded => told(ErrorCode::Superseded),
            TriageError::NothingToUndo => told(ErrorCode::NothingToUndo),
            TriageError::UnknownLabel { field, .. } => {
                told(ErrorCode::UnknownLabel).pointer(format!("/{}", field.name()))
            }
            TriageError::UnknownTarget { field, from, .. } => {
                let from = from.replace('~', "~0").replace('/', "~1");
                told(ErrorCode::UnknownLabel).pointer(format!("/mappings/{}/{from}", field.name()))
            }
            TriageError::NoChange(_) => told(ErrorCode::NoChange),
            TriageError::LabelsInUse(_) => told(ErrorCode::LabelsInUse),
            TriageError::Taxonomy(_) => told(ErrorCode::InvalidTaxonomy),
            TriageError::Bundle(_) => told(ErrorCode::BundleRefused),
            TriageError::Template { at, .. } => {
                told(ErrorCode::InvalidField).pointer(format!("/templates/{at}/text"))
            }
            TriageError::ThreadFull(_) => told(ErrorCode::ThreadFull),
            TriageError::Contended => told(ErrorCode::Contended),
            TriageError::Index(IndexError::Overloaded { retry_after, .. }) => {
                let seconds = retry_after.map_or(1, |wait| wait.as_secs().max(1));
                kept(ErrorCode::Overloaded).retry_after(seconds)
            }
            TriageError::Inference(InferenceError::Overloaded)
            | TriageError::Writing(WritingError::Overloaded)
            | TriageError::Store(StoreError::Busy(_)) => kept(ErrorCode::Overloaded),
            TriageError::Store(StoreError::Full(_)) => kept(ErrorCode::StorageFull),
            TriageError::Store(StoreError::ClaimLost) => Self::from(ErrorCode::RequestInFlight),
            TriageError::Inference(InferenceError::Stopped)
            | TriageError::Index(_)
            | TriageError::Writing(_)
            | TriageError::Store(_) => kept(ErrorCode::Unavailable),
            TriageError::Inference(_) => kept(ErrorCode::Internal),
        }
    }
}

impl From<AccessError> for ApiError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Store(error) => TriageError::from(error).into(),
            AccessError::Password | AccessError::NoPassword => {
                Self::from(ErrorCode::InvalidField).detail(error.to_string())
            }
            AccessError::Identity(_) | AccessError::Secret(_) => {
                Self::from(ErrorCode::Internal).source(&error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let codes: HashSet<_> = ErrorCode::ALL.iter().map(|c| c.code()).collect();
        assert_eq!(codes.len(), ErrorCode::ALL.len());
        assert!(
            codes.iter().all(|c| c.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '8'))
        );
        assert!(
            ErrorCode::ALL
                .iter()
                .all(|c| c.status().is_client_error() || c.status().is_server_error())
        );
    }

    #[test]
    fn the_api_document_lists_every_code() {
        let document = include_str!("../../docs/API.md");
        for code in ErrorCode::ALL {
            let row = format!("| `{}` | {} |", code.code(), code.status().as_u16());
            assert!(document.contains(&row), "docs/API.md lacks {row}");
        }
    }
}
