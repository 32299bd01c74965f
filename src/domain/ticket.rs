//! Tickets: what a requester wrote, and what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Labels, TicketId};

/// A ticket's name in the system that it came from. The same reference means the same ticket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalRef {
    /// The ticketing system, for example `zendesk`.
    #[schema(min_length = 1, max_length = 200, pattern = r"[^\s\x00-\x1f\x7f-\x9f]")]
    pub system: String,
    /// Its own id for the ticket.
    #[schema(min_length = 1, max_length = 200, pattern = r"[^\s\x00-\x1f\x7f-\x9f]")]
    pub id: String,
    /// Where a person can open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A later entry in a ticket's thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who wrote it, as the source system names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What it says.
    pub text: String,
}

/// What a person wrote: the only part of a ticket that a model reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TicketText {
    /// The subject line, as written.
    pub subject: String,
    /// The first message, as written: plain text or HTML.
    pub body: String,
    /// The rest of the thread, oldest first.
    pub messages: Vec<Message>,
}

/// A ticket as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// What was written.
    pub text: TicketText,
    /// Who asked.
    pub requester: Option<String>,
    /// When it was asked, if the source system says.
    pub created_at: Option<Timestamp>,
    /// Its name elsewhere.
    pub source: Option<ExternalRef>,
}

/// What a ticket turned out to be, once people had dealt with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outcome {
    /// The category's label.
    pub category: Option<String>,
    /// The team that solved it.
    pub team: Option<String>,
    /// The priority's label.
    pub priority: Option<String>,
    /// How it was solved, in the technician's words.
    pub resolution: Option<String>,
    /// When it was solved.
    pub resolved_at: Option<Timestamp>,
    /// Working time that it took.
    pub handling_minutes: Option<u32>,
}

impl Outcome {
    /// The labels in it.
    pub fn labels(&self) -> Labels {
        Labels {
            category: self.category.clone(),
            team: self.team.clone(),
            priority: self.priority.clone(),
        }
    }

    /// Whether nothing is known at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A ticket together with its outcome: what history is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTicket {
    /// As it came in; `source` is always present, so that a second import finds it again.
    pub ticket: Ticket,
    /// What became of it.
    pub outcome: Outcome,
}

/// A resolved ticket as search shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Which ticket.
    pub ticket_id: TicketId,
    /// Cosine similarity to the query, −1 to 1.
    pub score: f32,
    /// What the words that it shares with the query are worth beside that; 0 where they were not
    /// asked for.
    pub words: f32,
    /// Its subject line.
    pub subject: String,
    /// Its outcome.
    pub outcome: Outcome,
    /// ISO 639-1 code of the language it is written in, if known.
    pub language: Option<String>,
}
