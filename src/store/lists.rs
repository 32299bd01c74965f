//! What people look through: the queue, decided suggestions, the audit trail, imports.

use async_trait::async_trait;

use super::{AuditRow, Page, Pending, StoreError, StoredSuggestion, SuggestionFilter};
use crate::domain::{ImportRecord, WorkspaceId};

/// Lists of a desk's records.
#[async_trait]
pub trait Lists: Send + Sync {
    /// Suggestions, in the order that the filter asks for.
    async fn suggestions(
        &self,
        workspace: &WorkspaceId,
        filter: &SuggestionFilter,
    ) -> Result<Page<StoredSuggestion>, StoreError>;

    /// How many suggestions a filter lets through, wherever in the list they are.
    async fn count_suggestions(
        &self,
        workspace: &WorkspaceId,
        filter: &SuggestionFilter,
    ) -> Result<u64, StoreError>;

    /// How many suggestions are open, by what was suggested.
    async fn pending(&self, workspace: &WorkspaceId) -> Result<Vec<Pending>, StoreError>;

    /// Suggestions with a decision in force, the newest first, at most `limit`; of one bundle if
    /// one is named.
    async fn decided(
        &self,
        workspace: &WorkspaceId,
        bundle: Option<&str>,
        limit: u32,
    ) -> Result<Vec<StoredSuggestion>, StoreError>;

    /// The audit trail, newest first: what stands before a place, at most `limit` lines.
    async fn audit_trail(
        &self,
        workspace: &WorkspaceId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Page<AuditRow>, StoreError>;

    /// Imports, newest first, at most `limit`.
    async fn imports(
        &self,
        workspace: &WorkspaceId,
        limit: u32,
    ) -> Result<Vec<ImportRecord>, StoreError>;
}
