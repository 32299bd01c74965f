//! A history on its way in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ImportId;

/// Where an import stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportState {
    /// Its rows are still being sent.
    Receiving,
    /// All of it is here.
    Queued,
    /// Tickets are being embedded.
    Running,
    /// Every sound row is in.
    Done,
    /// It makes no sense as a whole, or was never sent to its end.
    Failed,
}

/// A row of an import that could not be taken, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LineFault {
    /// The line that the row begins on, from 1.
    pub line: u64,
    /// The column, where one is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What was expected.
    pub reason: String,
}

/// An import and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportRecord {
    /// Its id.
    pub id: ImportId,
    /// Where it stands.
    pub state: ImportState,
    /// The ticketing system that the ids belong to.
    pub source: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When this was written.
    pub updated_at: Timestamp,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Sound rows in it; `null` until they have been counted.
    pub rows: Option<u64>,
    /// Rows dealt with.
    pub done: u64,
    /// Rows that were new or had changed.
    pub imported: u64,
    /// Rows that were there already, word for word.
    pub unchanged: u64,
    /// Rows that could not be taken.
    pub rejected: u64,
    /// Why: the first thousand of them.
    pub errors: Vec<LineFault>,
    /// Values that could not be read, in rows that were taken all the same: the first thousand.
    pub warnings: Vec<LineFault>,
    /// Why it failed as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}
