//! One use case's writes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use super::database::Turn;
use super::query::{Row, query};
use super::records::{
    NEWEST_TAXONOMY, SAVE_SETTINGS, SETTINGS, entry_query, suggestion_query, ticket_query,
};
use super::rows::{self, from_json, micros, to_json, uuid};
use super::{Dialect, SqlStore, erasure, places, rounded_up};
use crate::domain::{
    Article, DecisionId, ImportId, ImportRecord, ImportState, LabelField, Outcome, Status,
    Suggestion, SuggestionId, Taxonomy, Ticket, TicketId, WorkspaceId,
};
use crate::store::{
    Answer, AuditEntry, Claim, EntryRow, NewJob, PassageRow, StoreError, StoredDecision,
    StoredSuggestion, StoredTicket, Transaction, WorkspaceSettings,
};
use crate::text::Terms;

/// A transaction that holds its workspace's turn to write.
pub(super) struct SqlTransaction {
    tx: Turn,
    pub(super) dialect: Dialect,
    pub(super) workspace: WorkspaceId,
}

impl SqlTransaction {
    pub(super) async fn begin(
        store: &SqlStore,
        workspace: &WorkspaceId,
    ) -> Result<Self, StoreError> {
        let (mut tx, dialect) = (store.write().await?, store.dialect);
        if dialect == Dialect::Postgres {
            // One writer a workspace, as in SQLite. Sequence numbers then become visible in their
            // order; without the lock a view could pass over one that is committed late.
            query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(workspace.as_str())
                .execute(&mut tx)
                .await?;
        }
        Ok(Self { tx, dialect, workspace: workspace.clone() })
    }

    pub(super) fn connection(&mut self) -> &mut Turn {
        &mut self.tx
    }

    pub(super) async fn finish(self) -> Result<(), StoreError> {
        self.tx.commit().await
    }
}

fn ids(rows: &[Row]) -> Result<Vec<TicketId>, StoreError> {
    rows.iter().map(|row| Ok(TicketId::new(uuid(row, "id")?))).collect()
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
        let (dialect, source) = (self.dialect, ticket.source.as_ref());
        // The import hash goes: the row may no longer say what was imported.
        let row = query(
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
        .bind(source.map(|s| dialect.text(&s.system)))
        .bind(source.map(|s| dialect.text(&s.id)))
        .bind(dialect.maybe_text(source.and_then(|s| s.url.as_deref())))
        .bind(dialect.text(&ticket.text.subject))
        .bind(dialect.text(&ticket.text.body))
        .bind(to_json(&ticket.text.messages)?)
        .bind(dialect.maybe_text(ticket.requester.as_deref()))
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

    async fn present(
        &mut self,
        ids: &BTreeSet<TicketId>,
    ) -> Result<BTreeSet<TicketId>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let ids = rounded_up(&ids.iter().copied().collect::<Vec<_>>());
        let sql = format!(
            // An expression, so that no index by workspace is walked in place of a few ids.
            "SELECT id FROM tickets WHERE workspace || '' = $1 AND id IN ({})",
            places(2, ids.len())
        );
        let mut query = query(sql).bind(self.workspace.to_string());
        for id in &ids {
            query = query.bind(&id.as_bytes()[..]);
        }
        Ok(self::ids(&query.fetch_all(self.connection()).await?)?.into_iter().collect())
    }

    async fn articles_present(&mut self, ids: &BTreeSet<String>) -> Result<bool, StoreError> {
        self.has_articles(ids).await
    }

    async fn rewrite_ticket(
        &mut self,
        id: TicketId,
        ticket: &Ticket,
        language: &str,
    ) -> Result<(), StoreError> {
        query(
            "UPDATE tickets SET subject = $3, body = $4, messages = $5, language = $6,
                 import_hash = NULL WHERE workspace = $1 AND id = $2",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .bind(self.dialect.text(&ticket.text.subject))
        .bind(self.dialect.text(&ticket.text.body))
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
        query(
            "UPDATE tickets SET category = $3, team = $4, priority = $5, resolution = $6,
                 resolved_at = $7, handling_minutes = $8, import_hash = $9
             WHERE workspace = $1 AND id = $2",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .bind(self.dialect.maybe_text(outcome.category.as_deref()))
        .bind(self.dialect.maybe_text(outcome.team.as_deref()))
        .bind(self.dialect.maybe_text(outcome.priority.as_deref()))
        .bind(self.dialect.maybe_text(outcome.resolution.as_deref()))
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
        let done = query(sql)
            .bind(self.workspace.to_string())
            .bind(self.dialect.text(from))
            .bind(self.dialect.text(to))
            .aside()
            .execute(self.connection())
            .await?;
        Ok(done)
    }

    async fn labels_in_use(&mut self, field: LabelField) -> Result<Vec<(String, u64)>, StoreError> {
        let column = field.name();
        let sql = format!(
            "SELECT {column} AS label, count(*) AS n FROM tickets
             WHERE workspace = $1 AND {column} IS NOT NULL GROUP BY {column}"
        );
        let found = query(sql)
            .bind(self.workspace.to_string())
            .aside()
            .fetch_all(self.connection())
            .await?;
        let count =
            |row: &Row| Ok((row.try_get("label")?, row.try_get::<i64>("n")?.unsigned_abs()));
        let mut labels: Vec<_> = found.iter().map(count).collect::<Result<_, StoreError>>()?;
        labels.sort();
        Ok(labels)
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
        // A row that replaces another gets a sequence number of its own in SQLite; PostgreSQL's
        // has to be asked for.
        let sql = self.dialect.pick(
            "INSERT OR REPLACE INTO entries
                 (workspace, encoder, ticket_id, listed, vector, terms, subject, resolution)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            "INSERT INTO entries
                 (workspace, encoder, ticket_id, listed, vector, terms, subject, resolution)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (workspace, encoder, ticket_id) DO UPDATE SET
                 seq = DEFAULT, listed = excluded.listed, vector = excluded.vector,
                 terms = excluded.terms, subject = excluded.subject,
                 resolution = excluded.resolution",
        );
        query(sql)
            .bind(self.workspace.to_string())
            .bind(encoder)
            .bind(&id.as_bytes()[..])
            .bind(i64::from(entry.listed && entry.vector.is_some()))
            .bind(entry.vector.as_deref().map(rows::bytes))
            .bind(entry.terms.as_ref().map(Terms::to_bytes))
            .bind(self.dialect.text(&entry.subject))
            .bind(self.dialect.maybe_text(entry.resolution.as_deref()))
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
        self.insert_suggestion(suggestion, taxonomy_version, now).await
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
        self.update_status(id, status).await
    }

    async fn put_decision(&mut self, decision: &StoredDecision) -> Result<(), StoreError> {
        self.insert_decision(decision).await
    }

    async fn decision(
        &mut self,
        ticket: TicketId,
        suggestion: Option<SuggestionId>,
    ) -> Result<Option<StoredDecision>, StoreError> {
        self.decision_in_force(ticket, suggestion).await
    }

    async fn decisions_since(
        &mut self,
        ticket: TicketId,
        id: DecisionId,
    ) -> Result<Vec<StoredDecision>, StoreError> {
        self.in_force_since(ticket, id).await
    }

    async fn rewrite_decision(&mut self, decision: &StoredDecision) -> Result<(), StoreError> {
        self.rewrite_change(decision).await
    }

    async fn undo(&mut self, id: DecisionId, now: Timestamp) -> Result<(), StoreError> {
        self.take_back(id, now).await
    }

    async fn taxonomy(&mut self) -> Result<Option<Taxonomy>, StoreError> {
        let query = query(NEWEST_TAXONOMY).bind(self.workspace.to_string());
        let row = query.fetch_optional(self.connection()).await?;
        row.map(|row| from_json(row.try_get(0)?)).transpose()
    }

    async fn save_taxonomy(
        &mut self,
        taxonomy: &Taxonomy,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(
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

    async fn settings(&mut self) -> Result<WorkspaceSettings, StoreError> {
        let query = query(SETTINGS).bind(self.workspace.to_string());
        let row = query.fetch_optional(self.connection()).await?;
        row.map_or(Ok(WorkspaceSettings::default()), |row| from_json(row.try_get(0)?))
    }

    async fn save_settings(
        &mut self,
        settings: &WorkspaceSettings,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(SAVE_SETTINGS)
            .bind(self.workspace.to_string())
            .bind(to_json(settings)?)
            .bind(now.as_microsecond())
            .execute(self.connection())
            .await?;
        Ok(())
    }

    async fn tickets_of(&mut self, requester: &str) -> Result<Vec<TicketId>, StoreError> {
        let found = query("SELECT id FROM tickets WHERE workspace = $1 AND requester = $2")
            .bind(self.workspace.to_string())
            .bind(self.dialect.text(requester))
            .fetch_all(self.connection())
            .await?;
        ids(&found)
    }

    async fn threads_with(&mut self, author: &str) -> Result<Vec<TicketId>, StoreError> {
        // The name as it stands in a JSON document; what only looks like it is sorted out later.
        let sql = self.dialect.pick(
            "SELECT id FROM tickets WHERE workspace = $1 AND instr(messages, $2) > 0
                 AND (requester IS NULL OR requester <> $3)",
            "SELECT id FROM tickets WHERE workspace = $1 AND strpos(messages, $2) > 0
                 AND (requester IS NULL OR requester <> $3)",
        );
        let found = query(sql)
            .bind(self.workspace.to_string())
            .bind(format!("\"author\":{}", to_json(&author)?))
            .bind(self.dialect.text(author))
            .aside()
            .fetch_all(self.connection())
            .await?;
        ids(&found)
    }

    async fn erase(&mut self, ids: &[TicketId]) -> Result<u64, StoreError> {
        let workspace = self.workspace.clone();
        erasure::erase(self.connection(), &workspace, ids).await
    }

    async fn erase_answers(&mut self, id: TicketId) -> Result<(), StoreError> {
        let workspace = self.workspace.clone();
        erasure::erase_answers(self.connection(), &workspace, id).await
    }

    async fn put_article(
        &mut self,
        encoder: &str,
        article: &Article,
        hash: &str,
        now: Timestamp,
        passages: &[PassageRow],
    ) -> Result<(), StoreError> {
        self.write_article(encoder, article, hash, now, passages).await
    }

    async fn erase_article(&mut self, id: &str) -> Result<bool, StoreError> {
        self.remove_article(id).await
    }

    async fn put_sentence_votes(
        &mut self,
        decision: DecisionId,
        votes: &[(u64, bool)],
    ) -> Result<(), StoreError> {
        self.write_sentence_votes(decision, votes).await
    }

    async fn put_import(&mut self, import: &ImportRecord) -> Result<(), StoreError> {
        query(
            "INSERT INTO imports (id, workspace, state, source, created_at, updated_at, document)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state,
                 updated_at = excluded.updated_at, document = excluded.document
             WHERE imports.workspace = excluded.workspace",
        )
        .bind(&import.id.as_bytes()[..])
        .bind(self.workspace.to_string())
        .bind(to_json(&import.state)?)
        .bind(self.dialect.text(&import.source))
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
        let kept = query(
            "INSERT INTO import_chunks (import_id, n, bytes)
             SELECT id, $3, $4 FROM imports WHERE workspace = $1 AND id = $2 AND state = $5",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .bind(i64::from(n))
        .bind(bytes)
        .bind(to_json(&ImportState::Receiving)?)
        .aside()
        .execute(self.connection())
        .await?;
        let open = kept == 1;
        if open { Ok(()) } else { Err(StoreError::Row(format!("no import {id} is being sent"))) }
    }

    async fn drop_import_chunks(&mut self, id: ImportId) -> Result<(), StoreError> {
        query(
            "DELETE FROM import_chunks WHERE import_id IN
                 (SELECT id FROM imports WHERE workspace = $1 AND id = $2)",
        )
        .bind(self.workspace.to_string())
        .bind(&id.as_bytes()[..])
        .aside()
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn enqueue(&mut self, job: &NewJob) -> Result<(), StoreError> {
        query(
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
        query(
            "INSERT INTO audit (workspace, at, actor, action, subject, detail)
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.workspace.to_string())
        .bind(entry.at.as_microsecond())
        .bind(self.dialect.text(&entry.actor))
        .bind(entry.action)
        .bind(self.dialect.text(&entry.subject))
        .bind(entry.detail.to_string())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn settle(&mut self, claim: &Claim, answer: &Answer) -> Result<(), StoreError> {
        let settled = query(
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
        if settled == 1 { Ok(()) } else { Err(StoreError::ClaimLost) }
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.finish().await
    }
}
