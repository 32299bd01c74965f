//! What goes into a store and comes out of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::decision::Before;
use crate::domain::{
    AgentDecision, ClaimId, DraftSettings, ExternalRef, JobId, KeyId, Outcome, Scopes, Status,
    Suggestion, SuggestionId, Ticket, TicketId, UserId, WorkspaceId,
};
use crate::text::{RuleSettings, Terms};

/// What a desk goes by at the moment.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskState {
    /// Its settings; the defaults where it has none.
    pub settings: WorkspaceSettings,
    /// The version of its own labels, where it has any. What a version says never changes.
    pub taxonomy: Option<u32>,
    /// A number that grows with every change of its articles.
    pub articles: i64,
    /// The ticket that was asked for, if it has come before.
    pub ticket: Option<TicketId>,
}

/// What is known of a ticket by its name elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Our id.
    pub id: TicketId,
    /// The hash of the row it was imported from, if it still says the same.
    pub import_hash: Option<String>,
}

/// A ticket as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTicket {
    /// Our id.
    pub id: TicketId,
    /// What came in.
    pub ticket: Ticket,
    /// ISO 639-1 code.
    pub language: Option<String>,
    /// When it came in.
    pub received_at: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
}

/// As much of a ticket as a list of suggestions shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketHead {
    /// The subject line.
    pub subject: String,
    /// Who asked.
    pub requester: Option<String>,
    /// Its name elsewhere.
    pub source: Option<ExternalRef>,
}

/// A suggestion as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSuggestion {
    /// Its place among the workspace's suggestions: later ones have a higher one.
    pub seq: i64,
    /// As it was answered.
    pub suggestion: Suggestion,
    /// The ticket it is for.
    pub ticket: TicketHead,
    /// Where it stands.
    pub status: Status,
    /// Grows with every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// The decision in force.
    pub decision: Option<AgentDecision>,
}

/// Which suggestions are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SuggestionFilter {
    /// Only those that stand so.
    pub status: Option<Status>,
    /// Only those that suggested this category.
    pub category: Option<String>,
    /// Only those that suggested this team.
    pub team: Option<String>,
    /// Only those whose category was decided so: `auto`, `suggest`, `abstain`.
    pub decision: Option<String>,
    /// Only those of this ticket.
    pub ticket: Option<TicketId>,
    /// Only those that suggested this priority.
    pub priority: Option<String>,
    /// Only those of tickets whose subject, first message, requester or id has this in it,
    /// whatever its case.
    pub text: Option<String>,
    /// Only those made at this instant or later.
    pub from: Option<Timestamp>,
    /// Only those made before this instant.
    pub until: Option<Timestamp>,
    /// Priorities, lowest first: the most urgent suggestions come first, the newest of them
    /// before others. Empty: the newest come first.
    pub urgency: Vec<String>,
    /// Only those before this place in the list: a `seq`.
    pub before: Option<i64>,
    /// The urgency of that place, as [`SuggestionFilter::rank`] has it.
    pub before_rank: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl SuggestionFilter {
    /// How urgent a priority is in this list: higher comes first.
    pub fn rank(&self, priority: Option<&str>) -> i64 {
        let known = priority.and_then(|p| self.urgency.iter().position(|known| known == p));
        known.map_or(0, |at| i64::try_from(at + 1).unwrap_or(i64::MAX))
    }
}

/// Open suggestions of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The category that was suggested.
    pub category: Option<String>,
    /// The team.
    pub team: Option<String>,
    /// The priority.
    pub priority: Option<String>,
    /// What was decided about the category: `auto`, `suggest`, `abstain`.
    pub decision: String,
    /// How many there are.
    pub count: u64,
}

/// A line of the audit trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Its place: later ones have a higher one.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// A key's or a user's name.
    pub actor: String,
    /// What, for example `suggestion.approve`.
    pub action: String,
    /// To what: an id's text.
    pub subject: String,
    /// Versions, labels, counts.
    pub detail: serde_json::Value,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page begins, if there is more.
    pub next: Option<i64>,
}

/// A decision with what it changed.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDecision {
    /// The decision.
    pub decision: AgentDecision,
    /// The ticket.
    pub ticket: TicketId,
    /// The suggestion; `None` for how a ticket was resolved.
    pub suggestion: Option<SuggestionId>,
    /// What was there before.
    pub before: Before,
    /// What it made of it.
    pub after: Outcome,
}

/// What the index holds of a ticket.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntryRow {
    /// Whether search finds it.
    pub listed: bool,
    /// The embedding; `None` if nothing was left to embed.
    pub vector: Option<Vec<f32>>,
    /// The terms of the text that was embedded; `None` in rows from before there were any.
    pub terms: Option<Terms>,
    /// The subject line, redacted.
    pub subject: String,
    /// How it was solved, redacted.
    pub resolution: Option<String>,
}

/// A part of an article on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct PassageRow {
    /// What it says, redacted.
    pub text: String,
    /// Its embedding.
    pub vector: Vec<f32>,
}

/// One step in the history of a workspace's entries.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryChange {
    /// Grows with every change.
    pub seq: i64,
    /// Whose.
    pub ticket_id: TicketId,
    /// The embedding, or `None` if the ticket is not, or no longer, to be found.
    pub vector: Option<Vec<f32>>,
    /// The terms of the text that was embedded, where they are known.
    pub terms: Terms,
}

/// How much a workspace holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tickets of any kind.
    pub tickets: u64,
    /// Those that search can find.
    pub searchable: u64,
    /// Answers given.
    pub suggestions: u64,
}

/// What a workspace decides for itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceSettings {
    /// Tickets older than so many days are erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// What is taken out of texts before they are embedded.
    #[serde(default)]
    pub redaction: RuleSettings,
    /// How sure labels must be to be applied without a person.
    #[serde(default)]
    pub policy: PolicySettings,
    /// Which trained labels answer; none: similar tickets and descriptions do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<ActiveBundle>,
    /// How replies are drafted.
    #[serde(default)]
    pub drafts: DraftSettings,
}

/// How sure labels must be to be applied without a person.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySettings {
    /// Grows with every change.
    pub version: i64,
    /// The share of applied labels that is to be right.
    pub target_precision: f64,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self { version: 1, target_precision: 0.95 }
    }
}

/// Which bundle answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveBundle {
    /// Its id.
    pub id: String,
    /// The one that it took the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// Kinds of promised work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Bring an external index in step with one ticket.
    Index,
    /// Bring it in step with the whole workspace.
    Reindex,
    /// Take in an import.
    Import,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Index, Self::Reindex, Self::Import];

    /// As it stands in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Reindex => "reindex",
            Self::Import => "import",
        }
    }
}

/// Work to be promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub kind: JobKind,
    /// To what: an id's text.
    pub subject: String,
    /// When it is due.
    pub run_at: Timestamp,
    /// Who works on it from the start, and until when others leave it alone.
    pub lease: Option<(ClaimId, Timestamp)>,
}

/// Work that was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose desk.
    pub workspace: WorkspaceId,
    /// What is to be done.
    pub kind: JobKind,
    /// To what.
    pub subject: String,
    /// How often it was begun, this time included.
    pub attempts: u32,
}

/// A request that may be sent more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// Method and path.
    pub route: String,
    /// The caller's `Idempotency-Key`.
    pub key: String,
    /// SHA-256 of the body, in hexadecimal.
    pub body_hash: String,
}

/// The right to answer a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// This attempt.
    pub id: ClaimId,
    /// Method and path.
    pub route: String,
    /// The caller's key.
    pub key: String,
}

/// What became of a request that may have been sent before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody is at it: answer it.
    Yours(Claim),
    /// Another attempt is under way.
    InFlight,
    /// The key was used for something else.
    OtherBody,
    /// It was answered before.
    Answered(Answer),
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers that belong to it.
    pub headers: Vec<(String, String)>,
    /// JSON, byte for byte.
    pub body: String,
}

/// Who did what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// A key's or a user's name.
    pub actor: String,
    /// What, for example `suggestion.approve`.
    pub action: &'static str,
    /// To what: an id's text.
    pub subject: String,
    /// Versions, labels, counts. Never ticket text.
    pub detail: serde_json::Value,
}

/// An API key as it is kept: without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public part.
    pub id: KeyId,
    /// Whose desk it opens.
    pub workspace: WorkspaceId,
    /// What it is for, in its owner's words.
    pub name: String,
    /// SHA-256 of the secret part.
    pub secret_hash: Vec<u8>,
    /// What it allows.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

/// An agent's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Its id.
    pub id: UserId,
    /// Whose desk it opens.
    pub workspace: WorkspaceId,
    /// What they are called, and sign in with if they have a password. No two have the same.
    pub name: String,
    /// How they sign in.
    pub way_in: WayIn,
    /// What they may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How somebody signs in: one way, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayIn {
    /// With a password: its argon2id hash, as a PHC string.
    Password(String),
    /// Through a provider of identities.
    Provider {
        /// Which.
        issuer: String,
        /// Who, for that provider.
        subject: String,
    },
}

/// What became of somebody's account when they came from their provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The account as it is now.
    pub user: UserRecord,
    /// As it was; none if it is new.
    pub before: Option<UserRecord>,
}

/// A sign-in that has begun at a provider and has not come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInAttempt {
    /// A hash of what must come back with the browser.
    pub state_hash: Vec<u8>,
    /// A hash of what the browser keeps, so that no other one can bring it back.
    pub browser_hash: Vec<u8>,
    /// What the provider's token must name.
    pub nonce: String,
    /// What proves to the provider that the same service asks.
    pub verifier: String,
    /// Where somebody goes afterwards.
    pub next: String,
    /// Until when it may come back.
    pub expires_at: Timestamp,
}

/// A desk that a user may work at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Which.
    pub workspace: WorkspaceId,
    /// What they may do there.
    pub scopes: Scopes,
}

/// An agent who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user: String,
    /// The desk that they work at now.
    pub workspace: WorkspaceId,
    /// What they may do there.
    pub scopes: Scopes,
    /// What a page of ours must send along to change anything.
    pub csrf: String,
    /// When it ends.
    pub expires_at: Timestamp,
}
