//! The system of record behind a trait, in SQLite or PostgreSQL.
//!
//! Reads stand in [`Records`], writes in a [`Transaction`]: a use case begins one, does all that it
//! has to, and commits, so that a ticket, its suggestion, the stored answer and its jobs are there
//! together or not at all. One transaction at a time writes to a workspace. Every method that
//! touches a desk's data takes its workspace; there is no way to read across them. [`Lists`] is what
//! people look through, [`Reports`] what they made of exports; [`Access`] and [`Work`] hold what belongs to the installation: accounts,
//! claims, jobs.

mod access;
mod lists;
mod reports;
mod sql;
mod types;

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    Article, ArticleHead, ClaimId, DecisionId, ExternalRef, ImportId, ImportRecord, JobId,
    LabelField, Neighbour, Outcome, Passage, Status, Suggestion, SuggestionId, Taxonomy, Ticket,
    TicketId, WorkspaceId,
};
use crate::drafts::Votes;
pub use access::Access;
pub use lists::Lists;
pub use reports::{Reports, WriteReports};
pub use sql::{Dialect, SqlStore};
pub use types::{
    ActiveBundle, Answer, Arrival, AuditEntry, AuditRow, Claim, ClaimRequest, Claimed, Counts,
    DeskState, EntryChange, EntryRow, Job, JobKind, KeyRecord, Known, Membership, NewJob, Page,
    PassageRow, Pending, PolicySettings, Session, SignInAttempt, StoredDecision, StoredSuggestion,
    StoredTicket, SuggestionFilter, TicketHead, UserRecord, WayIn, WorkspaceSettings,
};

/// What a store can answer besides success.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data was written by an encoder whose vectors cannot be compared with this one's.
    #[error(
        "this data was written with the encoder {written}, and {running} is configured; set \
         model.name to the former, or run `deskhand reindex` to embed every ticket anew"
    )]
    OtherEncoder {
        /// The encoder of the data.
        written: String,
        /// The encoder of this process.
        running: String,
    },
    /// The disk, or the database's share of it, is full. Nothing was written.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Others kept the database busy for longer than it waits. Nothing was written.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The attempt took so long that another one took over its claim. Nothing was written.
    #[error("another attempt at this request has taken over")]
    ClaimLost,
    /// The database could not be opened, read or written.
    #[error("database: {0}")]
    Database(Box<dyn std::error::Error + Send + Sync>),
    /// Its schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row holds something that this version cannot read.
    #[error("database row: {0}")]
    Row(String),
    /// The folder could not be made.
    #[error("{path}: {source}")]
    Folder {
        /// The folder.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Everything a store does.
pub trait Store: Records + Lists + Reports + Access + Work {}

impl<T: Records + Lists + Reports + Access + Work> Store for T {}

/// A desk's records.
#[async_trait]
pub trait Records: Send + Sync {
    /// Begins a transaction that may write to the workspace. It waits for others that do, sees
    /// what they wrote, and leaves nothing behind when it is dropped before it is committed.
    async fn begin(&self, workspace: &WorkspaceId) -> Result<Box<dyn Transaction>, StoreError>;

    /// Binds the data to an encoder, once; later calls check that it is still the same.
    async fn bind_encoder(&self, fingerprint: &str) -> Result<(), StoreError>;

    /// Binds the data to another encoder, once every entry has been embedded by it. Entries of
    /// other encoders go.
    async fn rebind_encoder(&self, fingerprint: &str) -> Result<(), StoreError>;

    /// The workspaces that hold anything or have settings.
    async fn workspaces(&self) -> Result<Vec<WorkspaceId>, StoreError>;

    /// What an answer goes by, in one read, with the ticket of that name elsewhere.
    async fn desk_state(
        &self,
        workspace: &WorkspaceId,
        source: Option<&ExternalRef>,
    ) -> Result<DeskState, StoreError>;

    /// A workspace's settings; the defaults where it has none.
    async fn settings(&self, workspace: &WorkspaceId) -> Result<WorkspaceSettings, StoreError>;

    /// Changes a workspace's settings.
    async fn save_settings(
        &self,
        workspace: &WorkspaceId,
        settings: &WorkspaceSettings,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The workspace's newest taxonomy.
    async fn taxonomy(&self, workspace: &WorkspaceId) -> Result<Option<Taxonomy>, StoreError>;

    /// What is known of a ticket by its name elsewhere.
    async fn find(
        &self,
        workspace: &WorkspaceId,
        source: &ExternalRef,
    ) -> Result<Option<Known>, StoreError>;

    /// A ticket with its outcome.
    async fn ticket(
        &self,
        workspace: &WorkspaceId,
        id: TicketId,
    ) -> Result<Option<StoredTicket>, StoreError>;

    /// Tickets after one in the order of ids, at most `limit`.
    async fn tickets(
        &self,
        workspace: &WorkspaceId,
        after: Option<TicketId>,
        limit: u32,
    ) -> Result<Vec<StoredTicket>, StoreError>;

    /// Ids of tickets that came in before an instant, at most `limit`.
    async fn tickets_before(
        &self,
        workspace: &WorkspaceId,
        instant: Timestamp,
        limit: u32,
    ) -> Result<Vec<TicketId>, StoreError>;

    /// A suggestion as it was answered, and where it stands.
    async fn suggestion(
        &self,
        workspace: &WorkspaceId,
        id: SuggestionId,
    ) -> Result<Option<StoredSuggestion>, StoreError>;

    /// What happened to the workspace's entries after `seq`, oldest first, at most `limit` steps.
    async fn entry_changes(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EntryChange>, StoreError>;

    /// A ticket's entry, with its sequence number.
    async fn entry(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        id: TicketId,
    ) -> Result<Option<(i64, EntryRow)>, StoreError>;

    /// The listed tickets with these ids, in their order, with the given scores. One that is gone
    /// is left out.
    async fn neighbours(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        found: &[(TicketId, f32)],
    ) -> Result<Vec<Neighbour>, StoreError>;

    /// The workspace's articles by id; those changed before an instant are stale.
    async fn articles(
        &self,
        workspace: &WorkspaceId,
        fresh_after: Timestamp,
    ) -> Result<Vec<ArticleHead>, StoreError>;

    /// The hash that an article was imported with, if its parts were read by this encoder.
    async fn article_hash(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        id: &str,
    ) -> Result<Option<String>, StoreError>;

    /// The parts of the workspace's articles as this encoder read them. None counts as stale here.
    async fn passages(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
    ) -> Result<Vec<Passage>, StoreError>;

    /// What decisions in force made of drafted sentences, by their keys; those that none was made
    /// about are left out.
    async fn sentence_votes(
        &self,
        workspace: &WorkspaceId,
        sentences: &[u64],
    ) -> Result<HashMap<u64, Votes>, StoreError>;

    /// How much there is.
    async fn counts(&self, workspace: &WorkspaceId) -> Result<Counts, StoreError>;

    /// An import's progress.
    async fn import(
        &self,
        workspace: &WorkspaceId,
        id: ImportId,
    ) -> Result<Option<ImportRecord>, StoreError>;

    /// Imports that are still being sent and were last heard of at `before` or earlier.
    async fn stalled_imports(
        &self,
        workspace: &WorkspaceId,
        before: Timestamp,
    ) -> Result<Vec<ImportRecord>, StoreError>;

    /// The `n`-th piece of what was sent for an import, from 0.
    async fn import_chunk(&self, id: ImportId, n: u32) -> Result<Option<Vec<u8>>, StoreError>;

    /// Makes sure that what was erased stands nowhere in the database's files either. Where that
    /// has to wait for readers for too long, it is [`StoreError::Busy`], and to be done again.
    async fn scrub(&self) -> Result<(), StoreError>;

    /// Moves what was written from the database's log to its place, so that no use case has to wait
    /// for that. To be called every few seconds; does nothing where a server sees to it.
    async fn shorten_log(&self) -> Result<(), StoreError>;

    /// Finishes what is under way and closes.
    async fn close(&self);
}

/// One use case's writes to one workspace: all of them, or none.
#[async_trait]
pub trait Transaction: WriteReports {
    /// Inserts a ticket, or updates the one with the same source. Its outcome is left alone.
    /// Returns its id.
    async fn put_ticket(
        &mut self,
        new_id: TicketId,
        ticket: &Ticket,
        language: &str,
        now: Timestamp,
    ) -> Result<TicketId, StoreError>;

    /// A ticket with its outcome.
    async fn ticket(&mut self, id: TicketId) -> Result<Option<StoredTicket>, StoreError>;

    /// Those of the named tickets that are there.
    async fn present(&mut self, ids: &BTreeSet<TicketId>)
    -> Result<BTreeSet<TicketId>, StoreError>;

    /// Whether all of the named articles are there.
    async fn articles_present(&mut self, ids: &BTreeSet<String>) -> Result<bool, StoreError>;

    /// Replaces what a ticket says.
    async fn rewrite_ticket(
        &mut self,
        id: TicketId,
        ticket: &Ticket,
        language: &str,
    ) -> Result<(), StoreError>;

    /// Says what became of a ticket. The import hash tells a later import that its row is in.
    async fn set_outcome(
        &mut self,
        id: TicketId,
        outcome: &Outcome,
        import_hash: Option<&str>,
    ) -> Result<(), StoreError>;

    /// Gives every ticket with one label another. Returns how many there were.
    async fn relabel(&mut self, field: LabelField, from: &str, to: &str)
    -> Result<u64, StoreError>;

    /// The labels that tickets carry, and how many each.
    async fn labels_in_use(&mut self, field: LabelField) -> Result<Vec<(String, u64)>, StoreError>;

    /// A ticket's entry in the index.
    async fn entry(&mut self, encoder: &str, id: TicketId) -> Result<Option<EntryRow>, StoreError>;

    /// Writes a ticket's entry under a new sequence number, in place of an older one.
    async fn put_entry(
        &mut self,
        encoder: &str,
        id: TicketId,
        entry: &EntryRow,
    ) -> Result<(), StoreError>;

    /// Writes a suggestion; open ones of the same ticket are superseded.
    async fn put_suggestion(
        &mut self,
        suggestion: &Suggestion,
        taxonomy_version: u32,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// A suggestion and where it stands.
    async fn suggestion(
        &mut self,
        id: SuggestionId,
    ) -> Result<Option<StoredSuggestion>, StoreError>;

    /// Changes where a suggestion stands, and its version. One that would be open again while its
    /// ticket has a newer one is superseded.
    async fn set_status(&mut self, id: SuggestionId, status: Status) -> Result<(), StoreError>;

    /// Writes down a decision about a suggestion, or about a ticket itself.
    async fn put_decision(&mut self, decision: &StoredDecision) -> Result<(), StoreError>;

    /// The newest decision that is in force: about a suggestion, or how a ticket was resolved.
    async fn decision(
        &mut self,
        ticket: TicketId,
        suggestion: Option<SuggestionId>,
    ) -> Result<Option<StoredDecision>, StoreError>;

    /// Decisions in force about a ticket that were made after this one, the oldest first.
    async fn decisions_since(
        &mut self,
        ticket: TicketId,
        id: DecisionId,
    ) -> Result<Vec<StoredDecision>, StoreError>;

    /// Replaces what a decision changed.
    async fn rewrite_decision(&mut self, decision: &StoredDecision) -> Result<(), StoreError>;

    /// Takes a decision back.
    async fn undo(&mut self, id: DecisionId, now: Timestamp) -> Result<(), StoreError>;

    /// The newest taxonomy.
    async fn taxonomy(&mut self) -> Result<Option<Taxonomy>, StoreError>;

    /// Adds a version of the taxonomy.
    async fn save_taxonomy(
        &mut self,
        taxonomy: &Taxonomy,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The workspace's settings; the defaults where it has none.
    async fn settings(&mut self) -> Result<WorkspaceSettings, StoreError>;

    /// Changes the workspace's settings.
    async fn save_settings(
        &mut self,
        settings: &WorkspaceSettings,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Ids of the tickets that a requester sent.
    async fn tickets_of(&mut self, requester: &str) -> Result<Vec<TicketId>, StoreError>;

    /// Ids of other people's tickets in whose threads a person wrote.
    async fn threads_with(&mut self, author: &str) -> Result<Vec<TicketId>, StoreError>;

    /// Erases tickets with all that was made from them: their suggestions, drafts, decisions, their
    /// entries in the index, what other suggestions show or quote of them, and stored answers that
    /// do. Returns how many were there.
    async fn erase(&mut self, ids: &[TicketId]) -> Result<u64, StoreError>;

    /// Blanks stored answers that name a ticket: for when words are taken out of one that stays. A
    /// retry hears that its answer is gone.
    async fn erase_answers(&mut self, id: TicketId) -> Result<(), StoreError>;

    /// Writes an article with its parts, in place of the one with the same id. The hash tells a
    /// later import that it is in.
    async fn put_article(
        &mut self,
        encoder: &str,
        article: &Article,
        hash: &str,
        now: Timestamp,
        passages: &[PassageRow],
    ) -> Result<(), StoreError>;

    /// Erases an article, drafts that quote it, and stored answers that name it. Returns whether
    /// it was there.
    async fn erase_article(&mut self, id: &str) -> Result<bool, StoreError>;

    /// Notes what a decision made of drafted sentences: whether each stayed.
    async fn put_sentence_votes(
        &mut self,
        decision: DecisionId,
        votes: &[(u64, bool)],
    ) -> Result<(), StoreError>;

    /// Writes an import's progress.
    async fn put_import(&mut self, import: &ImportRecord) -> Result<(), StoreError>;

    /// Keeps a piece of what was sent for an import.
    async fn put_import_chunk(
        &mut self,
        id: ImportId,
        n: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError>;

    /// Drops what was sent for an import.
    async fn drop_import_chunks(&mut self, id: ImportId) -> Result<(), StoreError>;

    /// Promises work.
    async fn enqueue(&mut self, job: &NewJob) -> Result<(), StoreError>;

    /// Notes who did what. Never ticket text.
    async fn audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError>;

    /// Stores the answer to a request that may be sent again. Fails with
    /// [`StoreError::ClaimLost`] if another attempt has taken over.
    async fn settle(&mut self, claim: &Claim, answer: &Answer) -> Result<(), StoreError>;

    /// Makes it all so.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// Claims on requests, and promised work.
#[async_trait]
pub trait Work: Send + Sync {
    /// Claims a request that may be sent more than once, or says what became of it.
    async fn claim(
        &self,
        workspace: &WorkspaceId,
        request: &ClaimRequest,
        id: ClaimId,
        now: Timestamp,
    ) -> Result<Claimed, StoreError>;

    /// Gives a claim back: the attempt failed and wrote nothing.
    async fn release(&self, workspace: &WorkspaceId, claim: &Claim) -> Result<(), StoreError>;

    /// Takes the next due job, for as long as the lease lasts. A job whose worker died is due
    /// again when its lease has run out.
    async fn lease_job(
        &self,
        lease: ClaimId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Job>, StoreError>;

    /// Keeps a job for longer. False if the lease was lost.
    async fn extend_lease(
        &self,
        id: JobId,
        lease: ClaimId,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// A job is done.
    async fn finish_job(&self, id: JobId, lease: ClaimId) -> Result<(), StoreError>;

    /// A job failed and is to be tried again.
    async fn retry_job(
        &self,
        id: JobId,
        lease: ClaimId,
        error: &str,
        run_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Jobs that wait or are being worked on.
    async fn pending_jobs(&self) -> Result<u64, StoreError>;

    /// Drops expired answers and sessions.
    async fn sweep(&self, now: Timestamp) -> Result<(), StoreError>;
}
