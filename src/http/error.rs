//! Errors as callers see them: RFC 9457 problem documents with a stable code each.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::inference::InferenceError;
use crate::triage::TriageError;

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
    NotFound "not_found" NOT_FOUND "There is nothing here.";
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED "This method is not known here.";
    UnknownHost "unknown_host" MISDIRECTED_REQUEST "This service does not go by that name.";
    BodyTooLarge "body_too_large" PAYLOAD_TOO_LARGE "The body is too large.";
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body must be application/json.";
    EmptyTicket "empty_ticket" UNPROCESSABLE_ENTITY "The ticket is empty.";
    InvalidField "invalid_field" UNPROCESSABLE_ENTITY "A field has a value that it cannot have.";
    UnknownField "unknown_field" UNPROCESSABLE_ENTITY "A field is not known.";
    Internal "internal" INTERNAL_SERVER_ERROR "Something went wrong here.";
    NotReady "not_ready" SERVICE_UNAVAILABLE "The service is still starting.";
    Overloaded "overloaded" SERVICE_UNAVAILABLE "The service is busy.";
    Unavailable "unavailable" SERVICE_UNAVAILABLE "The service cannot answer now.";
    Timeout "timeout" GATEWAY_TIMEOUT "The request took too long.";
}

/// A failed request. Its source is logged once and never sent.
#[derive(Debug, Clone)]
pub struct ApiError {
    code: ErrorCode,
    detail: Option<String>,
    pointer: Option<String>,
    source: Option<Arc<str>>,
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> Self {
        Self { code, detail: None, pointer: None, source: None }
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

    /// The code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The cause, for the log.
    pub fn cause(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The problem document, naming the request.
    pub fn respond(&self, request_id: Option<&str>) -> Response {
        let mut problem = json!({
            "type": "about:blank",
            "title": self.code.title(),
            "status": self.code.status().as_u16(),
            "code": self.code.code(),
        });
        if let Some(detail) = &self.detail {
            problem["detail"] = json!(detail);
        }
        if let Some(pointer) = &self.pointer {
            problem["errors"] = json!([{ "pointer": pointer, "detail": self.detail }]);
        }
        if let Some(id) = request_id {
            problem["request_id"] = json!(id);
        }
        let mut response = (self.code.status(), Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
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
        let code = match &error {
            TriageError::EmptyTicket => {
                return Self::from(ErrorCode::EmptyTicket).detail(
                    "subject, body and messages are all blank; at least one must say something",
                );
            }
            TriageError::Inference(InferenceError::Overloaded) => ErrorCode::Overloaded,
            TriageError::Inference(InferenceError::Stopped) | TriageError::Store(_) => {
                ErrorCode::Unavailable
            }
            TriageError::Inference(_) => ErrorCode::Internal,
        };
        Self::from(code).source(&error)
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
