//! Version 1 of the API, one resource a file.

pub(super) mod embeddings;
pub(super) mod export;
pub(super) mod imports;
pub(super) mod requesters;
pub(super) mod session;
pub(super) mod similar;
pub(super) mod suggestions;
pub(super) mod taxonomy;
pub(super) mod tickets;
pub(super) mod triage;

use super::{ApiError, ErrorCode};
use crate::domain::Message;

/// Characters of a name, a label or an id.
const MAX_NAME: usize = 200;

/// A field's value that it cannot have.
fn invalid(pointer: &str, detail: impl Into<String>) -> ApiError {
    ApiError::from(ErrorCode::InvalidField).detail(detail).pointer(pointer)
}

/// A name as databases can keep it, of a length that a name has.
fn name(pointer: &str, text: String) -> Result<String, ApiError> {
    let text = without_nul(text);
    if text.trim().is_empty() || text.chars().count() > MAX_NAME {
        return Err(invalid(pointer, format!("expected 1 to {MAX_NAME} characters")));
    }
    Ok(text)
}

/// Databases cannot keep NUL, and no text means it.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

fn message(message: Message) -> Message {
    Message {
        author: message.author.map(without_nul),
        at: message.at,
        text: without_nul(message.text),
    }
}
