//! `POST /v1/triage`: a ticket in, a suggestion out.

use axum::Json;
use jiff::Timestamp;
use serde::Deserialize;

use crate::domain::{ExternalRef, Message, Suggestion, Ticket, TicketText};
use crate::http::{ApiError, Desk, ErrorCode, JsonBody};

/// Entries of a thread that are read.
const MAX_MESSAGES: usize = 1000;
/// Characters of a name or an id.
const MAX_NAME: usize = 200;

/// A ticket as callers send it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct TriageIn {
    #[serde(default)]
    subject: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    messages: Vec<Message>,
    requester: Option<String>,
    created_at: Option<Timestamp>,
    source: Option<ExternalRef>,
}

impl TriageIn {
    /// Checks what types alone cannot.
    fn into_ticket(self) -> Result<Ticket, ApiError> {
        let invalid = |pointer: &str, detail: String| {
            Err(ApiError::from(ErrorCode::InvalidField).detail(detail).pointer(pointer))
        };
        if self.messages.len() > MAX_MESSAGES {
            return invalid("/messages", format!("expected at most {MAX_MESSAGES} messages"));
        }
        if let Some(source) = &self.source {
            for (pointer, text) in [("/source/system", &source.system), ("/source/id", &source.id)]
            {
                if text.trim().is_empty() || text.chars().count() > MAX_NAME {
                    return invalid(pointer, format!("expected 1 to {MAX_NAME} characters"));
                }
            }
        }
        Ok(Ticket {
            text: TicketText {
                subject: without_nul(self.subject),
                body: without_nul(self.body),
                messages: self
                    .messages
                    .into_iter()
                    .map(|m| Message { text: without_nul(m.text), ..m })
                    .collect(),
            },
            requester: self.requester.map(without_nul),
            created_at: self.created_at,
            source: self.source,
        })
    }
}

/// Databases cannot keep NUL, and no text means it.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

/// Answers with the suggestion once ticket and suggestion are on disk.
pub(in crate::http) async fn triage(
    desk: Desk,
    JsonBody(ticket): JsonBody<TriageIn>,
) -> Result<Json<Suggestion>, ApiError> {
    let suggestion = desk.triage.triage(&desk.workspace, ticket.into_ticket()?).await?;
    Ok(Json(suggestion))
}
