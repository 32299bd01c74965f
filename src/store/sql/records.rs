//! Reading a desk's records.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::query::{Query, Row, query};
use super::rows::{self, SUGGESTION, TICKET, from_json, outcome, to_json, uuid};
use super::transaction::SqlTransaction;
use super::{Dialect, SqlStore, places, rounded_up};
use crate::domain::{
    ArticleHead, ExternalRef, ImportId, ImportRecord, ImportState, Neighbour, Passage,
    SuggestionId, Taxonomy, TicketId, WorkspaceId,
};
use crate::drafts::Votes;
use crate::store::{
    Counts, DeskState, EntryChange, EntryRow, Known, Records, StoreError, StoredSuggestion,
    StoredTicket, Transaction, WorkspaceSettings,
};
use crate::text::Terms;

/// Entries that are read in less time than it takes to hand them to another thread.
const AT_ONCE: u32 = 64;

impl SqlStore {
    /// A row by its key.
    pub(super) async fn one(&self, query: Query) -> Result<Option<Row>, StoreError> {
        query.fetch_optional(&self.readers).await
    }

    /// Rows that may be many.
    pub(super) async fn all(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        query.aside().fetch_all(&self.readers).await
    }
}

#[async_trait]
impl Records for SqlStore {
    async fn begin(&self, workspace: &WorkspaceId) -> Result<Box<dyn Transaction>, StoreError> {
        Ok(Box::new(SqlTransaction::begin(self, workspace).await?))
    }

    async fn bind_encoder(&self, fingerprint: &str) -> Result<(), StoreError> {
        query("INSERT INTO facts (name, value) VALUES ('encoder', $1) ON CONFLICT DO NOTHING")
            .bind(fingerprint.to_owned())
            .execute(&self.writer)
            .await?;
        let written =
            query("SELECT value FROM facts WHERE name = 'encoder'").fetch_one(&self.writer).await?;
        let written: String = written.try_get(0)?;
        if written == fingerprint {
            return Ok(());
        }
        Err(StoreError::OtherEncoder { written, running: fingerprint.to_owned() })
    }

    async fn rebind_encoder(&self, fingerprint: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        if self.dialect == Dialect::Postgres {
            // Whoever is writing entries ends first; rows locked one by one could deadlock.
            query("LOCK TABLE entries IN SHARE ROW EXCLUSIVE MODE").execute(&mut tx).await?;
        }
        query(
            "INSERT INTO facts (name, value) VALUES ('encoder', $1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(fingerprint.to_owned())
        .execute(&mut tx)
        .await?;
        for sql in
            ["DELETE FROM entries WHERE encoder <> $1", "DELETE FROM passages WHERE encoder <> $1"]
        {
            query(sql).bind(fingerprint.to_owned()).aside().execute(&mut tx).await?;
        }
        tx.commit().await
    }

    async fn workspaces(&self) -> Result<Vec<WorkspaceId>, StoreError> {
        let found = self
            .all(query(
                "SELECT name FROM workspaces UNION SELECT workspace FROM taxonomies
                 UNION SELECT workspace FROM tickets UNION SELECT workspace FROM imports",
            ))
            .await?;
        let name = |row: &Row| {
            let name: String = row.try_get(0)?;
            WorkspaceId::try_from(name).map_err(|e| StoreError::Row(e.to_string()))
        };
        let mut names: Vec<_> = found.iter().map(name).collect::<Result<_, StoreError>>()?;
        // Here, because every database has an alphabet of its own.
        names.sort();
        Ok(names)
    }

    async fn desk_state(
        &self,
        workspace: &WorkspaceId,
        source: Option<&ExternalRef>,
    ) -> Result<DeskState, StoreError> {
        let row = query(
            "SELECT (SELECT settings FROM workspaces WHERE name = $1) AS settings,
                    (SELECT max(version) FROM taxonomies WHERE workspace = $1) AS taxonomy,
                    (SELECT coalesce(max(seq), 0) FROM articles WHERE workspace = $1) AS articles,
                    (SELECT id FROM tickets WHERE workspace = $1
                         AND source_system = $2 AND source_id = $3) AS ticket",
        )
        .bind(workspace.to_string())
        .bind(source.map(|source| self.dialect.text(&source.system)))
        .bind(source.map(|source| self.dialect.text(&source.id)))
        .fetch_one(&self.readers)
        .await?;
        let settings: Option<&str> = row.try_get("settings")?;
        let taxonomy: Option<i64> = row.try_get("taxonomy")?;
        let ticket: Option<&[u8]> = row.try_get("ticket")?;
        Ok(DeskState {
            settings: settings.map_or(Ok(WorkspaceSettings::default()), from_json)?,
            taxonomy: taxonomy.and_then(|version| u32::try_from(version).ok()),
            articles: row.try_get("articles")?,
            ticket: ticket.map(|_| uuid(&row, "ticket").map(TicketId::new)).transpose()?,
        })
    }

    async fn settings(&self, workspace: &WorkspaceId) -> Result<WorkspaceSettings, StoreError> {
        let query = query(SETTINGS);
        let row = self.one(query.bind(workspace.to_string())).await?;
        row.map_or(Ok(WorkspaceSettings::default()), |row| from_json(row.try_get(0)?))
    }

    async fn save_settings(
        &self,
        workspace: &WorkspaceId,
        settings: &WorkspaceSettings,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        query(SAVE_SETTINGS)
            .bind(workspace.to_string())
            .bind(to_json(settings)?)
            .bind(now.as_microsecond())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    async fn taxonomy(&self, workspace: &WorkspaceId) -> Result<Option<Taxonomy>, StoreError> {
        let query = query(NEWEST_TAXONOMY).bind(workspace.to_string());
        self.one(query).await?.map(|row| from_json(row.try_get(0)?)).transpose()
    }

    async fn find(
        &self,
        workspace: &WorkspaceId,
        source: &ExternalRef,
    ) -> Result<Option<Known>, StoreError> {
        let query = query(
            "SELECT id, import_hash FROM tickets
             WHERE workspace = $1 AND source_system = $2 AND source_id = $3",
        )
        .bind(workspace.to_string())
        .bind(self.dialect.text(&source.system))
        .bind(self.dialect.text(&source.id));
        let known = |row: Row| {
            Ok(Known { id: TicketId::new(uuid(&row, "id")?), import_hash: row.try_get(1)? })
        };
        self.one(query).await?.map(known).transpose()
    }

    async fn ticket(
        &self,
        workspace: &WorkspaceId,
        id: TicketId,
    ) -> Result<Option<StoredTicket>, StoreError> {
        let row = self.one(ticket_query(workspace, id)).await?;
        row.as_ref().map(rows::ticket).transpose()
    }

    async fn tickets(
        &self,
        workspace: &WorkspaceId,
        after: Option<TicketId>,
        limit: u32,
    ) -> Result<Vec<StoredTicket>, StoreError> {
        let sql = format!(
            "SELECT {TICKET} FROM tickets WHERE workspace = $1 AND id > $2 ORDER BY id LIMIT $3"
        );
        let query = query(sql)
            .bind(workspace.to_string())
            .bind(after.map_or_else(Vec::new, |id| id.as_bytes().to_vec()))
            .bind(i64::from(limit));
        self.all(query).await?.iter().map(rows::ticket).collect()
    }

    async fn tickets_before(
        &self,
        workspace: &WorkspaceId,
        instant: Timestamp,
        limit: u32,
    ) -> Result<Vec<TicketId>, StoreError> {
        // What was asked long ago counts as old even if it was imported yesterday.
        let query = query(
            "SELECT id FROM tickets WHERE workspace = $1
                 AND coalesce(resolved_at, created_at, received_at) < $2 LIMIT $3",
        )
        .bind(workspace.to_string())
        .bind(instant.as_microsecond())
        .bind(i64::from(limit));
        self.all(query).await?.iter().map(|row| Ok(TicketId::new(uuid(row, "id")?))).collect()
    }

    async fn suggestion(
        &self,
        workspace: &WorkspaceId,
        id: SuggestionId,
    ) -> Result<Option<StoredSuggestion>, StoreError> {
        let row = self.one(suggestion_query(workspace, id)).await?;
        row.as_ref().map(rows::suggestion).transpose()
    }

    async fn entry_changes(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EntryChange>, StoreError> {
        // SQLite would plan anew each time that a limit is bound.
        let sql = format!(
            "SELECT seq, ticket_id, CASE WHEN listed = 1 THEN vector END AS vector,
                 CASE WHEN listed = 1 THEN terms END AS terms
             FROM entries WHERE workspace = $1 AND encoder = $2 AND seq > $3
             ORDER BY seq LIMIT {limit}"
        );
        let query = query(sql).bind(workspace.to_string()).bind(encoder.to_owned()).bind(after);
        let change = |row: &Row| {
            Ok(EntryChange {
                seq: row.try_get("seq")?,
                ticket_id: TicketId::new(uuid(row, "ticket_id")?),
                vector: row.try_get::<Option<&[u8]>>("vector")?.map(rows::floats),
                terms: row
                    .try_get::<Option<&[u8]>>("terms")?
                    .map(Terms::from_bytes)
                    .unwrap_or_default(),
            })
        };
        let query = if limit <= AT_ONCE { query } else { query.aside() };
        query.fetch_all(&self.readers).await?.iter().map(change).collect()
    }

    async fn entry(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        id: TicketId,
    ) -> Result<Option<(i64, EntryRow)>, StoreError> {
        let row = self.one(entry_query(workspace, encoder, id)).await?;
        row.map(|row| Ok((row.try_get("seq")?, rows::entry(&row)?))).transpose()
    }

    async fn neighbours(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        found: &[(TicketId, f32)],
    ) -> Result<Vec<Neighbour>, StoreError> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<TicketId> = found.iter().map(|(id, _)| *id).collect();
        let wanted = rounded_up(&wanted);
        let statement = format!(
            "SELECT e.ticket_id, e.subject, t.language, t.category, t.team, t.priority,
                 e.resolution, t.resolved_at, t.handling_minutes
             FROM entries e JOIN tickets t ON t.id = e.ticket_id AND t.workspace = e.workspace
             WHERE e.workspace = $1 AND e.encoder = $2 AND e.listed = 1 AND e.ticket_id IN ({})",
            places(3, wanted.len())
        );
        let mut query = query(statement).bind(workspace.as_str()).bind(encoder);
        for id in &wanted {
            query = query.bind(&id.as_bytes()[..]);
        }
        let mut shown = HashMap::new();
        for row in query.fetch_all(&self.readers).await? {
            let id: Vec<u8> = row.try_get("ticket_id")?;
            shown.insert(id, row);
        }
        let mut neighbours = Vec::with_capacity(found.len());
        for &(id, score) in found {
            if let Some(row) = shown.get(&id.as_bytes()[..]) {
                neighbours.push(Neighbour {
                    ticket_id: id,
                    score,
                    words: 0.0,
                    subject: row.try_get("subject")?,
                    language: row.try_get("language")?,
                    outcome: outcome(row)?,
                });
            }
        }
        Ok(neighbours)
    }

    async fn articles(
        &self,
        workspace: &WorkspaceId,
        fresh_after: Timestamp,
    ) -> Result<Vec<ArticleHead>, StoreError> {
        self.read_articles(workspace, fresh_after).await
    }

    async fn article_hash(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        id: &str,
    ) -> Result<Option<String>, StoreError> {
        self.read_article_hash(workspace, encoder, id).await
    }

    async fn passages(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
    ) -> Result<Vec<Passage>, StoreError> {
        self.read_passages(workspace, encoder).await
    }

    async fn sentence_votes(
        &self,
        workspace: &WorkspaceId,
        sentences: &[u64],
    ) -> Result<HashMap<u64, Votes>, StoreError> {
        self.read_sentence_votes(workspace, sentences).await
    }

    async fn counts(&self, workspace: &WorkspaceId) -> Result<Counts, StoreError> {
        let query = query(
            "SELECT (SELECT count(*) FROM tickets WHERE workspace = $1),
                    (SELECT count(*) FROM entries WHERE workspace = $1 AND listed = 1
                         AND encoder = (SELECT value FROM facts WHERE name = 'encoder')),
                    (SELECT count(*) FROM suggestions WHERE workspace = $1)",
        )
        .bind(workspace.to_string());
        let row = query.aside().fetch_one(&self.readers).await?;
        let count = |at: usize| row.try_get::<i64>(at).map(i64::unsigned_abs);
        Ok(Counts { tickets: count(0)?, searchable: count(1)?, suggestions: count(2)? })
    }

    async fn import(
        &self,
        workspace: &WorkspaceId,
        id: ImportId,
    ) -> Result<Option<ImportRecord>, StoreError> {
        let query = query("SELECT document FROM imports WHERE workspace = $1 AND id = $2")
            .bind(workspace.to_string())
            .bind(id.as_bytes().to_vec());
        self.one(query).await?.map(|row| from_json(row.try_get(0)?)).transpose()
    }

    async fn stalled_imports(
        &self,
        workspace: &WorkspaceId,
        before: Timestamp,
    ) -> Result<Vec<ImportRecord>, StoreError> {
        let query = query(
            "SELECT document FROM imports WHERE workspace = $1 AND state = $2 AND updated_at <= $3",
        )
        .bind(workspace.to_string())
        .bind(to_json(&ImportState::Receiving)?)
        .bind(before.as_microsecond());
        self.all(query).await?.iter().map(|row| from_json(row.try_get(0)?)).collect()
    }

    async fn import_chunk(&self, id: ImportId, n: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let query = query("SELECT bytes FROM import_chunks WHERE import_id = $1 AND n = $2")
            .bind(id.as_bytes().to_vec())
            .bind(i64::from(n))
            .aside();
        self.one(query).await?.map(|row| row.try_get(0)).transpose()
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        if self.dialect == Dialect::Sqlite {
            // Deleted rows are overwritten in place; the log still has them until it is emptied.
            let row = query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.writer).await?;
            // It says so, and is no error to SQLite, when a reader was in its way for too long.
            if row.try_get::<i64>(0)? != 0 {
                return Err(StoreError::Busy("a reader keeps the log from being emptied".into()));
            }
        }
        Ok(())
    }

    async fn shorten_log(&self) -> Result<(), StoreError> {
        let Some(keeper) = &self.keeper else { return Ok(()) };
        // Nobody waits while most of it is written. What was committed meanwhile comes after, while
        // nothing else is: only a log that is in its place as a whole begins anew.
        for connections in [keeper, &self.writer] {
            query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connections).await?;
        }
        Ok(())
    }

    async fn close(&self) {
        self.readers.close().await;
        if let Some(keeper) = &self.keeper {
            keeper.close().await;
        }
        self.writer.close().await;
    }
}

pub(super) const NEWEST_TAXONOMY: &str =
    "SELECT document FROM taxonomies WHERE workspace = $1 ORDER BY version DESC LIMIT 1";

pub(super) const SETTINGS: &str = "SELECT settings FROM workspaces WHERE name = $1";

pub(super) const SAVE_SETTINGS: &str =
    "INSERT INTO workspaces (name, settings, created_at) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET settings = excluded.settings";

pub(super) fn ticket_query(workspace: &WorkspaceId, id: TicketId) -> Query {
    let sql = format!("SELECT {TICKET} FROM tickets WHERE workspace = $1 AND id = $2");
    query(sql).bind(workspace.to_string()).bind(id.as_bytes().to_vec())
}

pub(super) fn suggestion_query(workspace: &WorkspaceId, id: SuggestionId) -> Query {
    let sql = format!("{SUGGESTION} WHERE s.workspace = $1 AND s.id = $2");
    query(sql).bind(workspace.to_string()).bind(id.as_bytes().to_vec())
}

pub(super) fn entry_query(workspace: &WorkspaceId, encoder: &str, id: TicketId) -> Query {
    query(
        "SELECT seq, listed, vector, terms, subject, resolution FROM entries
         WHERE workspace = $1 AND encoder = $2 AND ticket_id = $3",
    )
    .bind(workspace.to_string())
    .bind(encoder.to_owned())
    .bind(id.as_bytes().to_vec())
}
