//! `/v1/tickets`: threads, resolutions, erasure.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{invalid, message, without_nul};
use crate::domain::{Degraded, ExternalRef, Labels, Message, Suggestion, TicketId};
use crate::http::ApiError;
use crate::http::extract::{Desk, JsonBody, Once, PathId, may};
use crate::http::idempotency::{answer, once, respond};
use crate::store::{Answer, StoredTicket};
use crate::triage::{Erased, Receipt, Resolution, TriageError};

/// Characters of a resolution.
const MAX_RESOLUTION: usize = 64 * 1024;

/// A ticket as it is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TicketOut {
    id: TicketId,
    subject: String,
    body: String,
    messages: Vec<Message>,
    requester: Option<String>,
    /// When it was asked, as its own system says.
    created_at: Option<Timestamp>,
    /// When it came in here.
    received_at: Timestamp,
    source: Option<ExternalRef>,
    /// ISO 639-1 code.
    language: Option<String>,
    category: Option<String>,
    team: Option<String>,
    priority: Option<String>,
    /// How it was solved.
    resolution: Option<String>,
    resolved_at: Option<Timestamp>,
    handling_minutes: Option<u32>,
    /// What this answer had to do without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    degraded: Vec<Degraded>,
}

impl TicketOut {
    pub(super) fn new(stored: StoredTicket, degraded: Vec<Degraded>) -> Self {
        let StoredTicket { id, ticket, language, received_at, outcome } = stored;
        Self {
            id,
            subject: ticket.text.subject,
            body: ticket.text.body,
            messages: ticket.text.messages,
            requester: ticket.requester,
            created_at: ticket.created_at,
            received_at,
            source: ticket.source,
            language,
            category: outcome.category,
            team: outcome.team,
            priority: outcome.priority,
            resolution: outcome.resolution,
            resolved_at: outcome.resolved_at,
            handling_minutes: outcome.handling_minutes,
            degraded,
        }
    }
}

fn rendered(stored: StoredTicket, degraded: Vec<Degraded>) -> Answer {
    answer(StatusCode::OK, &TicketOut::new(stored, degraded))
}

/// Reads a ticket.
#[utoipa::path(
    get, path = "/v1/tickets/{id}", operation_id = "read_ticket", tag = "tickets",
    params(("id" = TicketId, Path, description = "The ticket's id")),
    responses((status = 200, description = "The ticket", body = TicketOut))
)]
pub(in crate::http) async fn read(
    desk: Desk<may::Agent>,
    PathId(id): PathId<TicketId>,
) -> Result<Response, ApiError> {
    let stored = desk.triage.store().ticket(&desk.caller.workspace, id).await;
    let stored = stored.map_err(TriageError::from)?.ok_or(TriageError::NotFound("ticket"))?;
    Ok(respond(&rendered(stored, Vec::new())))
}

/// Adds a message to a ticket's thread and answers the ticket anew.
#[utoipa::path(
    post, path = "/v1/tickets/{id}/messages", operation_id = "add_message", tag = "tickets", request_body = Message,
    params(("id" = TicketId, Path, description = "The ticket's id")),
    responses((status = 200, description = "The new suggestion", body = Suggestion))
)]
pub(in crate::http) async fn add_message(
    desk: Desk<may::Triage>,
    PathId(id): PathId<TicketId>,
    JsonBody { value, once: key }: JsonBody<Message>,
) -> Result<Response, ApiError> {
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &super::triage::rendered);
        let done = desk.triage.add_message(&desk.caller, id, message(value), receipt).await?;
        Ok(super::triage::rendered(&done))
    })
    .await
}

/// How a ticket was resolved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"resolution": "Installed client 6.2.6.", "category": "VPN"}))]
pub(in crate::http) struct ResolutionIn {
    /// In the technician's words.
    #[schema(min_length = 1, max_length = 65536, pattern = r"[^\s\x00-\x1f\x7f-\x9f]")]
    resolution: String,
    /// What it turned out to be about; what is left out stays.
    category: Option<String>,
    /// Who solved it.
    team: Option<String>,
    /// How urgent it was.
    priority: Option<String>,
    /// When, if not now.
    resolved_at: Option<Timestamp>,
    /// Working time that it took.
    #[serde(default, deserialize_with = "super::whole")]
    #[schema(minimum = 0, maximum = 4_294_967_295_u32)]
    handling_minutes: Option<u32>,
}

/// Says how a ticket was resolved. It is found, and quoted, from now on.
#[utoipa::path(
    post, path = "/v1/tickets/{id}/resolution", operation_id = "resolve_ticket", tag = "tickets", request_body = ResolutionIn,
    params(("id" = TicketId, Path, description = "The ticket's id")),
    responses((status = 200, description = "The ticket as it stands now", body = TicketOut))
)]
pub(in crate::http) async fn resolve(
    desk: Desk<may::Agent>,
    PathId(id): PathId<TicketId>,
    JsonBody { value, once: key }: JsonBody<ResolutionIn>,
) -> Result<Response, ApiError> {
    if super::is_blank(&value.resolution) || value.resolution.chars().count() > MAX_RESOLUTION {
        return Err(invalid("/resolution", format!("expected 1 to {MAX_RESOLUTION} characters")));
    }
    let resolution = Resolution {
        text: without_nul(value.resolution),
        labels: Labels {
            category: value.category.map(without_nul),
            team: value.team.map(without_nul),
            priority: value.priority.map(without_nul),
        },
        resolved_at: value.resolved_at,
        handling_minutes: value.handling_minutes,
    };
    let render = |stored: &StoredTicket| rendered(stored.clone(), Vec::new());
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &render);
        let (stored, degraded) = desk.triage.resolve(&desk.caller, id, resolution, receipt).await?;
        Ok(rendered(stored, degraded))
    })
    .await
}

/// Takes a ticket's resolution back.
#[utoipa::path(
    delete, path = "/v1/tickets/{id}/resolution", operation_id = "reopen_ticket", tag = "tickets",
    params(("id" = TicketId, Path, description = "The ticket's id")),
    responses((status = 200, description = "The ticket as it stands now", body = TicketOut))
)]
pub(in crate::http) async fn reopen(
    desk: Desk<may::Agent>,
    PathId(id): PathId<TicketId>,
    key: Once,
) -> Result<Response, ApiError> {
    let render = |stored: &StoredTicket| rendered(stored.clone(), Vec::new());
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &render);
        let (stored, degraded) = desk.triage.reopen(&desk.caller, id, receipt).await?;
        Ok(rendered(stored, degraded))
    })
    .await
}

/// What an erasure took out.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ErasedOut {
    /// Tickets that are gone.
    tickets: u64,
    /// Other people's tickets from whose threads messages are gone.
    threads: u64,
}

pub(super) fn erased(done: &Erased) -> Answer {
    answer(StatusCode::OK, &ErasedOut { tickets: done.tickets, threads: done.threads })
}

/// Erases a ticket: from the store, the index, other tickets' suggestions and stored answers.
#[utoipa::path(
    delete, path = "/v1/tickets/{id}", operation_id = "erase_ticket", tag = "tickets",
    params(("id" = TicketId, Path, description = "The ticket's id")),
    responses((status = 200, description = "It is gone", body = ErasedOut))
)]
pub(in crate::http) async fn erase(
    desk: Desk<may::Admin>,
    PathId(id): PathId<TicketId>,
    key: Once,
) -> Result<Response, ApiError> {
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &erased);
        Ok(erased(&desk.triage.erase_ticket(&desk.caller, id, receipt).await?))
    })
    .await
}
