//! Between rows and types.

use jiff::Timestamp;
use uuid::Uuid;

use super::query::Row;
use crate::domain::{
    AgentDecision, ExternalRef, Outcome, Status, Suggestion, Ticket, TicketId, TicketText,
};
use crate::store::{EntryRow, StoreError, StoredSuggestion, StoredTicket, TicketHead};
use crate::text::Terms;

/// The columns that [`ticket`] reads.
pub(super) const TICKET: &str = "id, source_system, source_id, source_url, subject, body, messages,
    requester, language, created_at, received_at, category, team, priority, resolution,
    resolved_at, handling_minutes";

/// The columns and tables that [`suggestion`] reads.
pub(super) const SUGGESTION: &str = "SELECT s.seq, s.created_at, s.version, s.status, s.document,
        s.draft, t.subject, t.requester, t.source_system, t.source_id, t.source_url,
        c.document AS decision
    FROM suggestions s JOIN tickets t ON t.id = s.ticket_id AND t.workspace = s.workspace
    LEFT JOIN decisions c
        ON c.suggestion_id = s.id AND c.workspace = s.workspace AND c.undone_at IS NULL";

pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Row(e.to_string()))
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Row(e.to_string()))
}

/// A vector as little-endian bytes.
pub(super) fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect()
}

pub(super) fn uuid(row: &Row, column: &str) -> Result<Uuid, StoreError> {
    Uuid::from_slice(row.try_get(column)?)
        .map_err(|_| StoreError::Row(format!("{column} is no identifier")))
}

pub(super) fn time(row: &Row, column: &str) -> Result<Timestamp, StoreError> {
    instant(column, row.try_get(column)?)
}

pub(super) fn maybe_time(row: &Row, column: &str) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> = row.try_get(column)?;
    at.map(|at| instant(column, at)).transpose()
}

fn instant(column: &str, microseconds: i64) -> Result<Timestamp, StoreError> {
    // By hand, because `from_microsecond` refuses the calendar's last second.
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000);
    Timestamp::new(seconds, rest as i32 * 1000)
        .map_err(|e| StoreError::Row(format!("{column}: {e}")))
}

pub(super) fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::as_microsecond)
}

pub(super) fn outcome(row: &Row) -> Result<Outcome, StoreError> {
    let minutes: Option<i64> = row.try_get("handling_minutes")?;
    Ok(Outcome {
        category: row.try_get("category")?,
        team: row.try_get("team")?,
        priority: row.try_get("priority")?,
        resolution: row.try_get("resolution")?,
        resolved_at: maybe_time(row, "resolved_at")?,
        handling_minutes: minutes.and_then(|m| u32::try_from(m).ok()),
    })
}

fn source(row: &Row) -> Result<Option<ExternalRef>, StoreError> {
    let system: Option<String> = row.try_get("source_system")?;
    let id: Option<String> = row.try_get("source_id")?;
    let url = row.try_get("source_url")?;
    Ok(system.zip(id).map(|(system, id)| ExternalRef { system, id, url }))
}

pub(super) fn ticket(row: &Row) -> Result<StoredTicket, StoreError> {
    let messages: String = row.try_get("messages")?;
    Ok(StoredTicket {
        id: TicketId::new(uuid(row, "id")?),
        ticket: Ticket {
            text: TicketText {
                subject: row.try_get("subject")?,
                body: row.try_get("body")?,
                messages: from_json(&messages)?,
            },
            requester: row.try_get("requester")?,
            created_at: maybe_time(row, "created_at")?,
            source: source(row)?,
        },
        language: row.try_get("language")?,
        received_at: time(row, "received_at")?,
        outcome: outcome(row)?,
    })
}

pub(super) fn suggestion(row: &Row) -> Result<StoredSuggestion, StoreError> {
    let document: String = row.try_get("document")?;
    let mut suggestion: Suggestion = from_json(&document)?;
    let draft: Option<String> = row.try_get("draft")?;
    suggestion.draft = draft.map(|d| from_json(&d)).transpose()?;
    let decision: Option<String> = row.try_get("decision")?;
    let status: String = row.try_get("status")?;
    Ok(StoredSuggestion {
        seq: row.try_get("seq")?,
        suggestion,
        ticket: TicketHead {
            subject: row.try_get("subject")?,
            requester: row.try_get("requester")?,
            source: source(row)?,
        },
        status: Status::ALL
            .into_iter()
            .find(|s| s.name() == status)
            .ok_or_else(|| StoreError::Row(format!("status {status:?}")))?,
        version: row.try_get("version")?,
        created_at: time(row, "created_at")?,
        decision: decision.map(|d| from_json::<AgentDecision>(&d)).transpose()?,
    })
}

pub(super) fn entry(row: &Row) -> Result<EntryRow, StoreError> {
    let vector: Option<Vec<u8>> = row.try_get("vector")?;
    Ok(EntryRow {
        listed: row.try_get::<i64>("listed")? != 0,
        vector: vector.map(|v| floats(&v)),
        terms: row.try_get::<Option<&[u8]>>("terms")?.map(Terms::from_bytes),
        subject: row.try_get("subject")?,
        resolution: row.try_get("resolution")?,
    })
}
