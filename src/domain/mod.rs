//! Plain types of the field: tickets, taxonomies, suggestions. No I/O, no clocks, no randomness.

pub mod access;
pub mod article;
pub mod decision;
pub mod draft;
pub mod ids;
pub mod import;
pub mod report;
pub mod suggestion;
pub mod taxonomy;
pub mod ticket;
pub mod time;

pub use access::{Scope, Scopes};
pub use article::{Article, ArticleHead, Passage};
pub use decision::{Action, AgentDecision, Effort, LabelField, Labels, RejectReason, Status};
pub use draft::{
    Draft, DraftField, DraftReason, DraftSentence, DraftSettings, DraftTemplate, FieldKind,
    Rewriting, SentenceKind, SourceKind, SourceRef, Tone,
};
pub use ids::{
    ClaimId, DecisionId, IdSource, ImportId, JobId, KeyId, ReportId, SuggestionId, TicketId,
    UserId, WorkspaceId,
};
pub use import::{ImportRecord, ImportState, LineFault};
pub use report::{Headline, ReportRecord, ReportState};
pub use suggestion::{
    Alternative, Decision, Degraded, LabelDecision, ModelVersions, Ranking, Reason, Regime,
    Similar, Suggestion, Support, TeamDecision, Timings,
};
pub use taxonomy::{Category, Taxonomy, TaxonomyError, Team};
pub use ticket::{ExternalRef, Message, Neighbour, Outcome, ResolvedTicket, Ticket, TicketText};
pub use time::{Clock, Entropy};
