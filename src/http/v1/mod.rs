//! Version 1 of the API, one resource a file.

pub(super) mod articles;
pub(super) mod bundles;
pub(super) mod drafts;
pub(super) mod embeddings;
pub(super) mod export;
pub(super) mod imports;
pub(super) mod policy;
pub(super) mod requesters;
pub(super) mod session;
pub(super) mod similar;
pub(super) mod suggestions;
pub(super) mod taxonomy;
pub(super) mod tickets;
pub(super) mod triage;

use super::{ApiError, ErrorCode};
use crate::domain::Message;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Characters of a name, a label or an id.
const MAX_NAME: usize = 200;

/// A field's value that it cannot have.
fn invalid(pointer: &str, detail: impl Into<String>) -> ApiError {
    ApiError::from(ErrorCode::InvalidField).detail(detail).pointer(pointer)
}

/// A name as databases can keep it, of a length that a name has.
fn name(pointer: &str, text: String) -> Result<String, ApiError> {
    let text = without_nul(text);
    if is_blank(&text) || text.chars().count() > MAX_NAME {
        return Err(invalid(pointer, format!("expected 1 to {MAX_NAME} characters")));
    }
    Ok(text)
}

/// Whether nothing in a text can be seen.
fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control())
}

/// A whole number, also where it is written as JSON allows: `32.0`.
fn whole<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let float = || number.as_f64().filter(|f| f.fract() == 0.0 && (0.0..9e15).contains(f));
    let whole = number.as_u64().or_else(|| float().map(|f| f as u64));
    let fits = whole.and_then(|n| T::try_from(n).ok());
    fits.map(Some).ok_or_else(|| D::Error::custom("expected a whole number in range"))
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
