//! The system of record behind a trait: use cases, one transaction each.
//!
//! Every method takes the workspace that it works in; there is no way to read across them.

mod sqlite;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    ExternalRef, Neighbour, ResolvedTicket, Suggestion, SuggestionId, Taxonomy, Ticket, TicketId,
    WorkspaceId,
};
pub use sqlite::SqliteStore;

/// What a store can answer besides success.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data was written by an encoder whose vectors cannot be compared with this one's.
    #[error(
        "this data folder was written with the encoder {written}, and {running} is configured; \
         set model.name to the former, or use another data folder and import again"
    )]
    OtherEncoder {
        /// The encoder of the data.
        written: String,
        /// The encoder of this process.
        running: String,
    },
    /// The database could not be opened, read or written.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
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

/// What is known of a ticket by its name elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Our id.
    pub id: TicketId,
    /// The hash of the row it was imported from, if it still says the same.
    pub import_hash: Option<String>,
}

/// A resolved ticket on its way into the store.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// Its id if it is new; a known ticket keeps its own.
    pub new_id: TicketId,
    /// The ticket and its outcome.
    pub resolved: ResolvedTicket,
    /// Tells whether the row has changed since it was last imported.
    pub import_hash: String,
    /// ISO 639-1 code.
    pub language: String,
    /// Its embedding.
    pub vector: Vec<f32>,
}

/// A triaged ticket on its way into the store.
#[derive(Debug, Clone)]
pub struct TriageRecord {
    /// The ticket as it came in.
    pub ticket: Ticket,
    /// ISO 639-1 code.
    pub language: String,
    /// Its embedding; `None` when nothing was left to embed.
    pub vector: Option<Vec<f32>>,
    /// The answer. Its ticket id is used if the ticket is new.
    pub suggestion: Suggestion,
}

/// One step in the history of a workspace's vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorChange {
    /// Grows with every change.
    pub seq: i64,
    /// Whose.
    pub ticket_id: TicketId,
    /// The embedding, or `None` if the ticket is to be found no longer.
    pub vector: Option<Vec<f32>>,
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

/// The system of record.
#[async_trait]
pub trait Store: Send + Sync {
    /// Binds the data to an encoder, once; later calls check that it is still the same.
    async fn bind_encoder(&self, fingerprint: &str) -> Result<(), StoreError>;

    /// The workspace's newest taxonomy.
    async fn taxonomy(&self, workspace: &WorkspaceId) -> Result<Option<Taxonomy>, StoreError>;

    /// Adds a version of the taxonomy. Returns whether it was added: a version that is there
    /// already stays as it is.
    async fn save_taxonomy(
        &self,
        workspace: &WorkspaceId,
        taxonomy: &Taxonomy,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// What is known of a ticket by its name elsewhere.
    async fn find(
        &self,
        workspace: &WorkspaceId,
        source: &ExternalRef,
    ) -> Result<Option<Known>, StoreError>;

    /// Writes resolved tickets and their vectors: all of them, or none.
    async fn import(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        rows: &[ImportRow],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Writes a ticket with its suggestion: both, or neither. Returns the suggestion as stored,
    /// with the ticket's true id. A ticket that search can find gets its new vector.
    async fn record(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        record: TriageRecord,
        now: Timestamp,
    ) -> Result<Suggestion, StoreError>;

    /// A suggestion as it was answered.
    async fn suggestion(
        &self,
        workspace: &WorkspaceId,
        id: SuggestionId,
    ) -> Result<Option<Suggestion>, StoreError>;

    /// What happened to the workspace's vectors after `seq`, oldest first, at most `limit` steps.
    async fn vector_changes(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<VectorChange>, StoreError>;

    /// The resolved tickets with these ids, in their order, with the given scores. One that is
    /// gone is left out.
    async fn neighbours(
        &self,
        workspace: &WorkspaceId,
        found: &[(TicketId, f32)],
    ) -> Result<Vec<Neighbour>, StoreError>;

    /// How much there is.
    async fn counts(&self, workspace: &WorkspaceId) -> Result<Counts, StoreError>;
}
