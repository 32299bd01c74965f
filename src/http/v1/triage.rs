//! `POST /v1/triage` and `POST /v1/triage/batch`: tickets in, suggestions out.

use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{invalid, message, name, without_nul};
use crate::domain::{ExternalRef, Message, Suggestion, Ticket, TicketText};
use crate::http::error::Problem;
use crate::http::extract::{Desk, JsonBody, may, parse};
use crate::http::idempotency::{answer, once, with_header};
use crate::http::{ApiError, ErrorCode};
use crate::store::Answer;
use crate::triage::{Receipt, TriageError};

/// Entries of a thread that are read.
const MAX_MESSAGES: usize = 1000;
/// Tickets of a batch.
const MAX_BATCH: usize = 256;

/// A ticket as callers send it. Subject, body and messages must not all be blank.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "subject": "VPN drops every few minutes",
    "body": "Working from home, GlobalProtect disconnects since the update.",
    "requester": "Ann",
    "source": {"system": "zendesk", "id": "77", "url": "https://desk.example/77"}
}))]
pub(in crate::http) struct TicketIn {
    /// The subject line, plain text or HTML.
    #[serde(default)]
    subject: String,
    /// The first message, plain text or HTML.
    #[serde(default)]
    body: String,
    /// The rest of the thread, oldest first.
    #[serde(default)]
    #[schema(max_items = 1000)]
    messages: Vec<Message>,
    /// Who asked.
    requester: Option<String>,
    /// When it was asked.
    created_at: Option<Timestamp>,
    /// Its name elsewhere. The same source means the same ticket.
    source: Option<ExternalRef>,
}

impl TicketIn {
    /// Checks what types alone cannot.
    pub(super) fn into_ticket(self) -> Result<Ticket, ApiError> {
        if self.messages.len() > MAX_MESSAGES {
            return Err(invalid("/messages", format!("expected at most {MAX_MESSAGES} messages")));
        }
        let source = self.source.map(|source| {
            Ok::<_, ApiError>(ExternalRef {
                system: name("/source/system", source.system)?,
                id: name("/source/id", source.id)?,
                url: source.url.map(without_nul),
            })
        });
        Ok(Ticket {
            text: TicketText {
                subject: without_nul(self.subject),
                body: without_nul(self.body),
                messages: self.messages.into_iter().map(message).collect(),
            },
            requester: self.requester.map(without_nul),
            created_at: self.created_at,
            source: source.transpose()?,
        })
    }
}

/// Answers a ticket. When the answer arrives, ticket and suggestion are on disk.
#[utoipa::path(
    post, path = "/v1/triage", tag = "triage", request_body = TicketIn,
    responses((status = 200, description = "The suggestion", body = Suggestion,
        headers(("ETag" = String, description = "The suggestion's version"),
                ("Location" = String, description = "Where it can be read"))))
)]
pub(in crate::http) async fn triage(
    desk: Desk<may::Triage>,
    JsonBody { value, once: key }: JsonBody<TicketIn>,
) -> Result<Response, ApiError> {
    let ticket = value.into_ticket()?;
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &rendered);
        let done = desk.triage.triage(&desk.caller.workspace, ticket, receipt).await?;
        Ok(rendered(&done))
    })
    .await
}

/// A new suggestion as it is answered.
pub(super) fn rendered(suggestion: &Suggestion) -> Answer {
    let answer = answer(StatusCode::OK, suggestion);
    let answer = with_header(answer, "etag", "\"1\"".to_owned());
    with_header(answer, "location", format!("/v1/suggestions/{}", suggestion.id))
}

/// Many tickets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct BatchIn {
    /// Tickets as `POST /v1/triage` takes them. One that it would refuse has an error of its own in
    /// the answer.
    #[schema(min_items = 1, max_items = 256, value_type = Vec<serde_json::Value>,
        example = json!([{"subject": "VPN drops"}, {"subject": "Printer jams"}]))]
    tickets: Vec<Box<serde_json::value::RawValue>>,
}

/// What became of each ticket, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct BatchOut {
    results: Vec<BatchItem>,
}

/// What became of one ticket: a suggestion, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct BatchItem {
    /// What its own request would have been answered with.
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<Suggestion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

impl BatchItem {
    fn error(error: &ApiError) -> Self {
        let status = error.code().status().as_u16();
        Self { status, suggestion: None, error: Some(error.problem(None)) }
    }
}

/// Answers up to 256 tickets, each for itself. They wait behind single ones.
#[utoipa::path(
    post, path = "/v1/triage/batch", operation_id = "triage_batch", tag = "triage", request_body = BatchIn,
    responses((status = 200, description = "An answer for each ticket", body = BatchOut))
)]
pub(in crate::http) async fn batch(
    desk: Desk<may::Triage>,
    JsonBody { value, once: key }: JsonBody<BatchIn>,
) -> Result<Response, ApiError> {
    if !(1..=MAX_BATCH).contains(&value.tickets.len()) {
        return Err(invalid("/tickets", format!("expected 1 to {MAX_BATCH} tickets")));
    }
    let read =
        |raw: &serde_json::value::RawValue| parse::<TicketIn>(raw.get().as_bytes())?.into_ticket();
    let read: Vec<Result<Ticket, ApiError>> = value.tickets.iter().map(|t| read(t)).collect();
    let sound: Vec<Ticket> = read.iter().filter_map(|t| t.as_ref().ok().cloned()).collect();
    let render = |answers: &Vec<Result<Suggestion, TriageError>>| {
        let mut answers = answers.iter();
        let mut item = |read: &Result<Ticket, ApiError>| match read {
            Err(error) => BatchItem::error(error),
            Ok(_) => match answers.next() {
                Some(Ok(suggestion)) => {
                    BatchItem { status: 200, suggestion: Some(suggestion.clone()), error: None }
                }
                Some(Err(error)) => BatchItem::error(&ApiError::from(error)),
                None => BatchItem::error(&ErrorCode::Internal.into()),
            },
        };
        answer(StatusCode::OK, &BatchOut { results: read.iter().map(&mut item).collect() })
    };
    once(&desk, key, async |claim| {
        let receipt = Receipt::new(claim.as_ref(), &render);
        let done = desk.triage.triage_batch(&desk.caller.workspace, sound, receipt).await?;
        Ok(render(&done))
    })
    .await
}
