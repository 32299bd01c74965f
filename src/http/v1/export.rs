//! `GET /v1/export`: everything that a desk has, line by line.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use crate::domain::TicketId;
use crate::http::ApiError;
use crate::http::extract::{Desk, may};
use crate::store::StoredTicket;
use crate::triage::Triage;

/// Tickets that are read at once.
const PAGE: u32 = 500;

/// Sends every ticket with its outcome as JSON lines, in the form that an import takes.
#[utoipa::path(
    get, path = "/v1/export", tag = "imports",
    responses((status = 200, description = "One ticket a line", body = String,
        content_type = "application/x-ndjson"))
)]
pub(in crate::http) async fn export(desk: Desk<may::Lead>) -> Result<Response, ApiError> {
    let workspace = desk.caller.workspace;
    let pages = stream::try_unfold(Some(None), move |after: Option<Option<TicketId>>| {
        let (triage, workspace): (Arc<Triage>, _) = (Arc::clone(&desk.triage), workspace.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let tickets = triage.store().tickets(&workspace, after, PAGE).await.map_err(|e| {
                // The head of the answer is out already; breaking off is all that is left.
                tracing::error!(error = %e, "an export was broken off");
                std::io::Error::other("broken off")
            })?;
            let Some(last) = tickets.last().map(|t| t.id) else { return Ok(None) };
            let lines: String = tickets.into_iter().map(line).collect();
            Ok::<_, std::io::Error>(Some((Bytes::from(lines), Some(Some(last)))))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"deskhand-export.jsonl\""),
    ];
    Ok((headers, Body::from_stream(pages)).into_response())
}

fn line(stored: StoredTicket) -> String {
    let StoredTicket { id, ticket, language, received_at, outcome } = stored;
    let source = ticket.source.as_ref();
    let line = json!({
        "id": source.map_or_else(|| id.to_string(), |s| s.id.clone()),
        "ticket_id": id,
        "system": source.map(|s| &s.system),
        "url": source.and_then(|s| s.url.as_ref()),
        "subject": ticket.text.subject,
        "body": ticket.text.body,
        "messages": ticket.text.messages,
        "requester": ticket.requester,
        "created_at": ticket.created_at.unwrap_or(received_at),
        "language": language,
        "category": outcome.category,
        "team": outcome.team,
        "priority": outcome.priority,
        "resolution": outcome.resolution,
        "resolved_at": outcome.resolved_at,
        "handling_minutes": outcome.handling_minutes,
    });
    format!("{line}\n")
}
