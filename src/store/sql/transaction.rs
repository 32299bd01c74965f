//! One use case's writes.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Row};

use super::records::{NEWEST_TAXONOMY, entry_query, suggestion_query, ticket_query};
use super::rows::{self, from_json, micros, to_json, uuid};
use super::{Dialect, erasure};
use crate::domain::decision::Before;
use crate::domain::{
    DecisionId, ImportId, ImportRecord, LabelField, Outcome, Status, Suggestion, SuggestionId,
    Taxonomy, Ticket, TicketId, WorkspaceId,
};
use crate::store::{
    Answer, AuditEntry, Claim, EntryRow, NewJob, StoreError, StoredDecision, StoredSuggestion,
    StoredTicket, Transaction,
};

/// A transaction that holds its workspace's turn to write.
pub(super) struct SqlTransaction {
    tx: sqlx::Transaction<'static, sqlx::Any>,
    workspace: WorkspaceId,
}

impl SqlTransaction {
    pub(super) async fn begin(
        pool: &AnyPool,
        dialect: Dialect,
        workspace: &WorkspaceId,
    ) -> Result<Self, StoreError> {
        let mut tx = match dialect {
            Dialect::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await?,
            Dialect::Postgres => pool.begin().await?,
        };
        if dialect == Dialect::Postgres {
            // One writer a workspace, as in SQLite. Sequence numbers then become visible in their
            // order; without the lock a view could pass over one that is committed late.
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(workspace.as_str())
                .execute(&mut *tx)
                .await?;
        }
        Ok(Self { tx, workspace: workspace.clone() })
    }

    pub(super) fn connection(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }

    pub(super) async fn finish(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }

    async fn ids(&mut self, sql: &'static str, text: &str) -> Result<Vec<TicketId>, StoreError> {
        let workspace = self.workspace.to_string();
        let query = sqlx::query(sql).bind(workspace).bind(text);
        let found = query.fetch_all(self.connection()).await?;
        found.iter().map(|row| Ok(TicketId::new(uuid(row, "id")?))).collect()
    }
}

#[async_trait]
impl Transaction for SqlTransaction {
    async fn put_ticket(
        &mut self,
        new_id: TicketId,
        ticket: &Ticket,
        language: &str,
        now: Timestamp,
    ) -> Result<TicketId, StoreError> {
        let source = ticket.source.as_ref();
        // The import hash goes: the row may no longer say what was imported.
        let row = sqlx::query(
            "INSERT INTO tickets (id, workspace, source_system, source_id, source_url, subject,
                 body, messages, requester, language, created_at, received_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (workspace, source_system, source_id) WHERE source_id IS NOT NULL
             DO UPDATE SET subject = excluded.subject, body = excluded.body,
                 messages = excluded.messages, language = excluded.language,
                 source_url = coalesce(excluded.source_url, tickets.source_url),
                 requester = coalesce(excluded.requester, tickets.requester),
                 created_at = coalesce(excluded.created_at, tickets.created_at),
                 import_hash = NULL
             RETURNING id",
        )
        .bind(&new_id.as_bytes()[..])
        .bind(self.workspace.to_string())
        .bind(source.map(|s| s.system.clone()))
        .bind(source.map(|s| s.id.clone()))
        .bind(source.and_then(|s| s.url.clone()))
        .bind(&ticket.text.subject)
        .bind(&ticket.text.body)
        .bind(to_json(&ticket.text.messages)?)
        .bind(ticket.requester.clone())
        .bind(language)
        .bind(micros(ticket.created_at))
        .bind(now.as_microsecond())
        .fetch_one(self.connection())
        .await?;
        Ok(TicketId::new(uuid(&row, "id")?))
    }

    async fn ticket(&mut self, id: TicketId) -> Result<Option<StoredTicket>, StoreError> {
        let query = ticket_query(&self.workspace, id);
        let row = query.fetch_optional(self.connection()).await?;
        row.as_ref().map(rows::ticket).transpose()
    }

    async fn rewrite_ticket(
        &mut self,
        id: TicketId,
        ticket: &Ticket,
        language: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE tickets SET subject = $3, body = $4, messages = $5, language = $6,
                 import_hash = NULL WHERE workspace = $1 AND id = $2",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .bind(&ticket.text.subject)
        .bind(&ticket.text.body)
        .bind(to_json(&ticket.text.messages)?)
        .bind(language)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn set_outcome(
        &mut self,
        id: TicketId,
        outcome: &Outcome,
        import_hash: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE tickets SET category = $3, team = $4, priority = $5, resolution = $6,
                 resolved_at = $7, handling_minutes = $8, import_hash = $9
             WHERE workspace = $1 AND id = $2",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .bind(outcome.category.clone())
        .bind(outcome.team.clone())
        .bind(outcome.priority.clone())
        .bind(outcome.resolution.clone())
        .bind(micros(outcome.resolved_at))
        .bind(outcome.handling_minutes.map(i64::from))
        .bind(import_hash.map(str::to_owned))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn relabel(
        &mut self,
        field: LabelField,
        from: &str,
        to: &str,
    ) -> Result<u64, StoreError> {
        let column = field.name();
        let sql =
            format!("UPDATE tickets SET {column} = $3 WHERE workspace = $1 AND {column} = $2");
        let done = sqlx::query(AssertSqlSafe(sql))
            .bind(self.workspace.to_string())
            .bind(from)
            .bind(to)
            .execute(self.connection())
            .await?;
        Ok(done.rows_affected())
    }

    async fn labels_in_use(&mut self, field: LabelField) -> Result<Vec<(String, u64)>, StoreError> {
        let column = field.name();
        let sql = format!(
            "SELECT {column} AS label, count(*) AS n FROM tickets
             WHERE workspace = $1 AND {column} IS NOT NULL GROUP BY {column} ORDER BY {column}"
        );
        let found = sqlx::query(AssertSqlSafe(sql))
            .bind(self.workspace.to_string())
            .fetch_all(self.connection())
            .await?;
        let count =
            |row: &AnyRow| Ok((row.try_get("label")?, row.try_get::<i64, _>("n")?.unsigned_abs()));
        found.iter().map(count).collect()
    }

    async fn entry(&mut self, encoder: &str, id: TicketId) -> Result<Option<EntryRow>, StoreError> {
        let query = entry_query(&self.workspace, encoder, id);
        let row = query.fetch_optional(self.connection()).await?;
        row.as_ref().map(rows::entry).transpose()
    }

    async fn put_entry(
        &mut self,
        encoder: &str,
        id: TicketId,
        entry: &EntryRow,
    ) -> Result<(), StoreError> {
        let workspace = self.workspace.to_string();
        sqlx::query("DELETE FROM entries WHERE workspace = $1 AND encoder = $2 AND ticket_id = $3")
            .bind(&workspace)
            .bind(encoder)
            .bind(&id.as_bytes()[..])
            .execute(self.connection())
            .await?;
        sqlx::query(
            "INSERT INTO entries
                 (workspace, encoder, ticket_id, listed, vector, subject, resolution)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&workspace)
        .bind(encoder)
        .bind(&id.as_bytes()[..])
        .bind(i64::from(entry.listed && entry.vector.is_some()))
        .bind(entry.vector.as_deref().map(rows::bytes))
        .bind(&entry.subject)
        .bind(entry.resolution.clone())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn put_suggestion(
        &mut self,
        suggestion: &Suggestion,
        taxonomy_version: u32,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let workspace = self.workspace.to_string();
        let ticket = suggestion.ticket_id;
        sqlx::query(
            "UPDATE suggestions SET status = 'superseded', version = version + 1
             WHERE workspace = $1 AND ticket_id = $2 AND status = 'open'",
        )
        .bind(&workspace)
        .bind(&ticket.as_bytes()[..])
        .execute(self.connection())
        .await?;
        let decision = serde_json::to_value(suggestion.category.decision)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default();
        let plain = Suggestion { draft: None, ..suggestion.clone() };
        sqlx::query(
            "INSERT INTO suggestions (id, workspace, ticket_id, created_at, version, status,
                 category, team, decision, language, bundle, policy, taxonomy_version, document)
             VALUES ($1, $2, $3, $4, 1, 'open', $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(&suggestion.id.as_bytes()[..])
        .bind(&workspace)
        .bind(&ticket.as_bytes()[..])
        .bind(now.as_microsecond())
        .bind(suggestion.category.label.clone())
        .bind(suggestion.team.decision.label.clone())
        .bind(decision)
        .bind(&suggestion.language)
        .bind(&suggestion.model.bundle)
        .bind(&suggestion.model.policy)
        .bind(i64::from(taxonomy_version))
        .bind(to_json(&plain)?)
        .execute(self.connection())
        .await?;
        if let Some(draft) = &suggestion.draft {
            sqlx::query(
                "INSERT INTO drafts (suggestion_id, workspace, document) VALUES ($1, $2, $3)",
            )
            .bind(&suggestion.id.as_bytes()[..])
            .bind(&workspace)
            .bind(to_json(draft)?)
            .execute(self.connection())
            .await?;
        }
        for mentioned in erasure::mentions(suggestion) {
            sqlx::query(
                "INSERT INTO mentions (workspace, ticket_id, suggestion_id) VALUES ($1, $2, $3)",
            )
            .bind(&workspace)
            .bind(&mentioned.as_bytes()[..])
            .bind(&suggestion.id.as_bytes()[..])
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    async fn suggestion(
        &mut self,
        id: SuggestionId,
    ) -> Result<Option<StoredSuggestion>, StoreError> {
        let query = suggestion_query(&self.workspace, id);
        let row = query.fetch_optional(self.connection()).await?;
        row.as_ref().map(rows::suggestion).transpose()
    }

    async fn set_status(&mut self, id: SuggestionId, status: Status) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE suggestions SET status = $3, version = version + 1
             WHERE workspace = $1 AND id = $2",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .bind(status.name())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn put_decision(&mut self, decision: &StoredDecision) -> Result<(), StoreError> {
        let made = &decision.decision;
        sqlx::query(
            "INSERT INTO decisions (id, workspace, ticket_id, suggestion_id, action, actor, at,
                 document, previous)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&made.id.as_bytes()[..])
        .bind(self.workspace.to_string())
        .bind(&decision.ticket.as_bytes()[..])
        .bind(decision.suggestion.map(|id| id.as_bytes().to_vec()))
        .bind(made.action.name())
        .bind(&made.by)
        .bind(made.at.as_microsecond())
        .bind(to_json(made)?)
        .bind(to_json(&(&decision.before, &decision.after))?)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn decision(
        &mut self,
        ticket: TicketId,
        suggestion: Option<SuggestionId>,
    ) -> Result<Option<StoredDecision>, StoreError> {
        let resolved = i64::from(suggestion.is_none());
        let row = sqlx::query(
            "SELECT document, previous FROM decisions
             WHERE workspace = $1 AND ticket_id = $2 AND undone_at IS NULL
                 AND (($3 = 1 AND action = 'resolve') OR suggestion_id = $4)
             ORDER BY seq DESC LIMIT 1",
        )
        .bind(self.workspace.to_string())
        .bind(&ticket.as_bytes()[..])
        .bind(resolved)
        .bind(suggestion.map_or_else(Vec::new, |id| id.as_bytes().to_vec()))
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let (document, previous): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let (before, after): (Before, Outcome) = from_json(&previous)?;
        let decision = from_json(&document)?;
        Ok(Some(StoredDecision { decision, ticket, suggestion, before, after }))
    }

    async fn undo(&mut self, id: DecisionId, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE decisions SET undone_at = $3 WHERE workspace = $1 AND id = $2")
            .bind(self.workspace.to_string())
            .bind(&id.as_bytes()[..])
            .bind(now.as_microsecond())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn taxonomy(&mut self) -> Result<Option<Taxonomy>, StoreError> {
        let query = sqlx::query(NEWEST_TAXONOMY).bind(self.workspace.to_string());
        let row = query.fetch_optional(self.connection()).await?;
        row.map(|row| from_json(row.try_get(0)?)).transpose()
    }

    async fn save_taxonomy(
        &mut self,
        taxonomy: &Taxonomy,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO taxonomies (workspace, version, document, created_at)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(self.workspace.to_string())
        .bind(i64::from(taxonomy.version))
        .bind(to_json(taxonomy)?)
        .bind(now.as_microsecond())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn tickets_of(&mut self, requester: &str) -> Result<Vec<TicketId>, StoreError> {
        self.ids("SELECT id FROM tickets WHERE workspace = $1 AND requester = $2", requester).await
    }

    async fn threads_with(&mut self, author: &str) -> Result<Vec<TicketId>, StoreError> {
        // The name as it stands in a JSON document; what only looks like it is sorted out later.
        let quoted = to_json(&author)?.replace(['%', '_'], "_");
        self.ids(
            "SELECT id FROM tickets WHERE workspace = $1 AND messages LIKE $2",
            &format!("%\"author\":{}%", quoted.replace('\\', "_")),
        )
        .await
    }

    async fn erase(&mut self, id: TicketId) -> Result<bool, StoreError> {
        let workspace = self.workspace.clone();
        erasure::erase(self.connection(), &workspace, id).await
    }

    async fn put_import(&mut self, import: &ImportRecord) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO imports (id, workspace, state, source, created_at, updated_at, document)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state,
                 updated_at = excluded.updated_at, document = excluded.document",
        )
        .bind(&import.id.as_bytes()[..])
        .bind(self.workspace.to_string())
        .bind(to_json(&import.state)?)
        .bind(&import.source)
        .bind(import.created_at.as_microsecond())
        .bind(import.updated_at.as_microsecond())
        .bind(to_json(import)?)
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn put_import_chunk(
        &mut self,
        id: ImportId,
        n: u32,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO import_chunks (import_id, n, bytes) VALUES ($1, $2, $3)")
            .bind(&id.as_bytes()[..])
            .bind(i64::from(n))
            .bind(bytes)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn drop_import_chunks(&mut self, id: ImportId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM import_chunks WHERE import_id = $1")
            .bind(&id.as_bytes()[..])
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn enqueue(&mut self, job: &NewJob) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO jobs (id, workspace, kind, subject, run_at, lease, lease_until, attempts)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 0)",
        )
        .bind(&job.id.as_bytes()[..])
        .bind(self.workspace.to_string())
        .bind(job.kind.name())
        .bind(&job.subject)
        .bind(job.run_at.as_microsecond())
        .bind(job.lease.map(|(id, _)| id.as_bytes().to_vec()))
        .bind(job.lease.map(|(_, until)| until.as_microsecond()))
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn audit(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO audit (workspace, at, actor, action, subject, detail)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.workspace.to_string())
        .bind(entry.at.as_microsecond())
        .bind(&entry.actor)
        .bind(entry.action)
        .bind(&entry.subject)
        .bind(entry.detail.to_string())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn settle(&mut self, claim: &Claim, answer: &Answer) -> Result<(), StoreError> {
        let settled = sqlx::query(
            "UPDATE receipts SET status = $5, headers = $6, body = $7
             WHERE workspace = $1 AND route = $2 AND key = $3 AND claim = $4 AND status IS NULL",
        )
        .bind(self.workspace.to_string())
        .bind(&claim.route)
        .bind(&claim.key)
        .bind(&claim.id.as_bytes()[..])
        .bind(i64::from(answer.status))
        .bind(to_json(&answer.headers)?)
        .bind(&answer.body)
        .execute(self.connection())
        .await?;
        if settled.rows_affected() == 1 { Ok(()) } else { Err(StoreError::ClaimLost) }
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.finish().await
    }
}
