//! Plain types of the field: tickets, taxonomies, suggestions. No I/O, no clocks, no randomness.

pub mod ids;
pub mod suggestion;
pub mod taxonomy;
pub mod ticket;
pub mod time;

pub use ids::{IdSource, SuggestionId, TicketId, WorkspaceId};
pub use suggestion::{
    Alternative, Decision, Degraded, Draft, DraftReason, DraftSentence, LabelDecision,
    ModelVersions, Reason, Regime, SentenceKind, Similar, SourceKind, SourceRef, Suggestion,
    TeamDecision, Timings,
};
pub use taxonomy::{Category, Taxonomy, TaxonomyError, Team};
pub use ticket::{ExternalRef, Message, Neighbour, Outcome, ResolvedTicket, Ticket, TicketText};
pub use time::Clock;
