//! SQLite, embedded: write-ahead log, full sync, one writer and a few readers.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row, SqlSafeStr, SqliteConnection};

use super::{Counts, ImportRow, Known, Store, StoreError, TriageRecord, VectorChange};
use crate::domain::{
    ExternalRef, Neighbour, Outcome, Suggestion, SuggestionId, Taxonomy, Ticket, TicketId,
    WorkspaceId,
};

/// The schema's history, oldest first. Never change one that was released; add one.
const MIGRATIONS: [(i64, &str, &str); 1] =
    [(1, "initial", include_str!("migrations/sqlite/0001_initial.sql"))];

/// How long to wait for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Readers beside the one writer.
const READERS: u32 = 4;
const FILE_NAME: &str = "deskhand.sqlite3";

/// A store in one file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteStore {
    /// Opens the store of a data folder, making both where they are missing, and brings its
    /// schema up to date.
    ///
    /// # Errors
    /// The folder or file cannot be made, read or written, or was written by a newer version.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let lock = prepare(folder)
            .map_err(|source| StoreError::Folder { path: folder.display().to_string(), source })?;
        let options = SqliteConnectOptions::new()
            .filename(folder.join(FILE_NAME))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged survives a power cut, not only a crash.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer =
            SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        let migrations = MIGRATIONS.iter().map(|&(version, name, sql)| {
            let sql = sql.into_sql_str();
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        });
        Migrator::with_migrations(migrations.collect()).run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true))
            .await?;
        drop(lock);
        Ok(Self { writer, readers })
    }

    /// Flushes and closes; the file may then be copied.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the folder, for its owner's eyes only, and holds back other processes that would bring
/// the schema up to date at the same moment.
fn prepare(folder: &Path) -> std::io::Result<std::fs::File> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let lock = std::fs::File::create(folder.join(".lock"))?;
    lock.lock()?;
    Ok(lock)
}

#[async_trait]
impl Store for SqliteStore {
    async fn bind_encoder(&self, fingerprint: &str) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query("INSERT INTO facts (name, value) VALUES ('encoder', ?) ON CONFLICT DO NOTHING")
            .bind(fingerprint)
            .execute(&mut *tx)
            .await?;
        let written: String = sqlx::query_scalar("SELECT value FROM facts WHERE name = 'encoder'")
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        if written == fingerprint {
            return Ok(());
        }
        Err(StoreError::OtherEncoder { written, running: fingerprint.to_owned() })
    }

    async fn taxonomy(&self, workspace: &WorkspaceId) -> Result<Option<Taxonomy>, StoreError> {
        let document: Option<String> = sqlx::query_scalar(
            "SELECT document FROM taxonomies WHERE workspace = ? ORDER BY version DESC LIMIT 1",
        )
        .bind(workspace.as_str())
        .fetch_optional(&self.readers)
        .await?;
        document.map(|d| from_json(&d)).transpose()
    }

    async fn save_taxonomy(
        &self,
        workspace: &WorkspaceId,
        taxonomy: &Taxonomy,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let saved = sqlx::query(
            "INSERT INTO taxonomies (workspace, version, document, created_at)
             VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(workspace.as_str())
        .bind(taxonomy.version)
        .bind(to_json(taxonomy)?)
        .bind(now.as_microsecond())
        .execute(&self.writer)
        .await?;
        Ok(saved.rows_affected() == 1)
    }

    async fn find(
        &self,
        workspace: &WorkspaceId,
        source: &ExternalRef,
    ) -> Result<Option<Known>, StoreError> {
        let row = sqlx::query(
            "SELECT id, import_hash FROM tickets
             WHERE workspace = ? AND source_system = ? AND source_id = ?",
        )
        .bind(workspace.as_str())
        .bind(&source.system)
        .bind(&source.id)
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| Ok(Known { id: ticket_id(&row, "id")?, import_hash: row.try_get(1)? }))
            .transpose()
    }

    async fn import(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        rows: &[ImportRow],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for row in rows {
            let ticket = &row.resolved.ticket;
            let written = TicketRow { id: row.new_id, ticket, language: &row.language, now };
            let id = upsert_ticket(&mut tx, workspace, &written).await?;
            let outcome = &row.resolved.outcome;
            sqlx::query(
                "UPDATE tickets SET category = ?, team = ?, priority = ?, resolution = ?,
                     resolved_at = ?, handling_minutes = ?, import_hash = ?
                 WHERE id = ? AND workspace = ?",
            )
            .bind(&outcome.category)
            .bind(&outcome.team)
            .bind(&outcome.priority)
            .bind(&outcome.resolution)
            .bind(outcome.resolved_at.map(Timestamp::as_microsecond))
            .bind(outcome.handling_minutes)
            .bind(&row.import_hash)
            .bind(&id.as_bytes()[..])
            .bind(workspace.as_str())
            .execute(&mut *tx)
            .await?;
            put_vector(&mut tx, workspace, encoder, id, &row.vector).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn record(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        record: TriageRecord,
        now: Timestamp,
    ) -> Result<Suggestion, StoreError> {
        let TriageRecord { ticket, language, vector, mut suggestion } = record;
        let mut tx = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let row = TicketRow { id: suggestion.ticket_id, ticket: &ticket, language: &language, now };
        let id = upsert_ticket(&mut tx, workspace, &row).await?;
        suggestion.ticket_id = id;
        let searchable: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM vectors WHERE workspace = ? AND encoder = ?
                 AND ticket_id = ? AND vector IS NOT NULL)",
        )
        .bind(workspace.as_str())
        .bind(encoder)
        .bind(&id.as_bytes()[..])
        .fetch_one(&mut *tx)
        .await?;
        if let Some(vector) = vector.filter(|_| searchable) {
            put_vector(&mut tx, workspace, encoder, id, &vector).await?;
        }
        sqlx::query(
            "INSERT INTO suggestions (id, workspace, ticket_id, created_at, document)
             VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&suggestion.id.as_bytes()[..])
        .bind(workspace.as_str())
        .bind(&id.as_bytes()[..])
        .bind(now.as_microsecond())
        .bind(to_json(&suggestion)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(suggestion)
    }

    async fn suggestion(
        &self,
        workspace: &WorkspaceId,
        id: SuggestionId,
    ) -> Result<Option<Suggestion>, StoreError> {
        let document: Option<String> =
            sqlx::query_scalar("SELECT document FROM suggestions WHERE id = ? AND workspace = ?")
                .bind(&id.as_bytes()[..])
                .bind(workspace.as_str())
                .fetch_optional(&self.readers)
                .await?;
        document.map(|d| from_json(&d)).transpose()
    }

    async fn vector_changes(
        &self,
        workspace: &WorkspaceId,
        encoder: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<VectorChange>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, ticket_id, vector FROM vectors
             WHERE workspace = ? AND encoder = ? AND seq > ? ORDER BY seq LIMIT ?",
        )
        .bind(workspace.as_str())
        .bind(encoder)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let change = |row: &SqliteRow| {
            Ok(VectorChange {
                seq: row.try_get("seq")?,
                ticket_id: ticket_id(row, "ticket_id")?,
                vector: row.try_get::<Option<&[u8]>, _>("vector")?.map(floats),
            })
        };
        rows.iter().map(change).collect()
    }

    async fn neighbours(
        &self,
        workspace: &WorkspaceId,
        found: &[(TicketId, f32)],
    ) -> Result<Vec<Neighbour>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut neighbours = Vec::with_capacity(found.len());
        for &(id, score) in found {
            let row = sqlx::query(
                "SELECT subject, language, category, team, priority, resolution, resolved_at,
                     handling_minutes
                 FROM tickets WHERE id = ? AND workspace = ?",
            )
            .bind(&id.as_bytes()[..])
            .bind(workspace.as_str())
            .fetch_optional(&mut *connection)
            .await?;
            if let Some(row) = row {
                neighbours.push(Neighbour {
                    ticket_id: id,
                    score,
                    subject: row.try_get("subject")?,
                    language: row.try_get("language")?,
                    outcome: outcome(&row)?,
                });
            }
        }
        Ok(neighbours)
    }

    async fn counts(&self, workspace: &WorkspaceId) -> Result<Counts, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM tickets WHERE workspace = ?1),
                    (SELECT count(*) FROM vectors WHERE workspace = ?1 AND vector IS NOT NULL),
                    (SELECT count(*) FROM suggestions WHERE workspace = ?1)",
        )
        .bind(workspace.as_str())
        .fetch_one(&self.readers)
        .await?;
        let count = |at: usize| row.try_get::<i64, _>(at).map(i64::unsigned_abs);
        Ok(Counts { tickets: count(0)?, searchable: count(1)?, suggestions: count(2)? })
    }
}

/// What `upsert_ticket` writes.
struct TicketRow<'a> {
    id: TicketId,
    ticket: &'a Ticket,
    language: &'a str,
    now: Timestamp,
}

/// Inserts a ticket, or updates the one with the same source. Its outcome is left alone; the
/// import hash goes, because the row may no longer say what was imported. Returns its id.
async fn upsert_ticket(
    connection: &mut SqliteConnection,
    workspace: &WorkspaceId,
    row: &TicketRow<'_>,
) -> Result<TicketId, StoreError> {
    let TicketRow { id, ticket, language, now } = row;
    let source = ticket.source.as_ref();
    let row = sqlx::query(
        "INSERT INTO tickets (id, workspace, source_system, source_id, source_url, subject, body,
             messages, requester, language, created_at, received_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (workspace, source_system, source_id) WHERE source_id IS NOT NULL
         DO UPDATE SET subject = excluded.subject, body = excluded.body,
             messages = excluded.messages, language = excluded.language,
             source_url = coalesce(excluded.source_url, source_url),
             requester = coalesce(excluded.requester, requester),
             created_at = coalesce(excluded.created_at, created_at), import_hash = NULL
         RETURNING id",
    )
    .bind(&id.as_bytes()[..])
    .bind(workspace.as_str())
    .bind(source.map(|s| &s.system))
    .bind(source.map(|s| &s.id))
    .bind(source.and_then(|s| s.url.as_ref()))
    .bind(&ticket.text.subject)
    .bind(&ticket.text.body)
    .bind(to_json(&ticket.text.messages)?)
    .bind(&ticket.requester)
    .bind(language)
    .bind(ticket.created_at.map(Timestamp::as_microsecond))
    .bind(now.as_microsecond())
    .fetch_one(connection)
    .await?;
    ticket_id(&row, "id")
}

/// Writes a vector under a new sequence number, in place of an older one.
async fn put_vector(
    connection: &mut SqliteConnection,
    workspace: &WorkspaceId,
    encoder: &str,
    id: TicketId,
    vector: &[f32],
) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM vectors WHERE workspace = ? AND encoder = ? AND ticket_id = ?")
        .bind(workspace.as_str())
        .bind(encoder)
        .bind(&id.as_bytes()[..])
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO vectors (workspace, encoder, ticket_id, vector) VALUES (?, ?, ?, ?)")
        .bind(workspace.as_str())
        .bind(encoder)
        .bind(&id.as_bytes()[..])
        .bind(vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
        .execute(connection)
        .await?;
    Ok(())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&chunk| f32::from_le_bytes(chunk)).collect()
}

fn ticket_id(row: &SqliteRow, column: &str) -> Result<TicketId, StoreError> {
    TicketId::from_slice(row.try_get(column)?)
        .ok_or_else(|| StoreError::Row(format!("{column} is no identifier")))
}

fn outcome(row: &SqliteRow) -> Result<Outcome, StoreError> {
    let resolved_at: Option<i64> = row.try_get("resolved_at")?;
    Ok(Outcome {
        category: row.try_get("category")?,
        team: row.try_get("team")?,
        priority: row.try_get("priority")?,
        resolution: row.try_get("resolution")?,
        resolved_at: resolved_at
            .map(Timestamp::from_microsecond)
            .transpose()
            .map_err(|e| StoreError::Row(format!("resolved_at: {e}")))?,
        handling_minutes: row.try_get("handling_minutes")?,
    })
}

fn to_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Row(e.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|e| StoreError::Row(e.to_string()))
}
