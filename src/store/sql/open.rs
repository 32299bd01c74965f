//! Opening the databases and bringing their schemas up to date.

use std::fs::TryLockError;
use std::path::Path;
use std::time::Duration;

use rusqlite::OpenFlags;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, PgConnection, SqlSafeStr};
use tokio_util::task::TaskTracker;

use super::database::Pool;
use super::sqlite::{self, PATIENCE};
use super::{Dialect, SqlStore};
use crate::store::StoreError;

/// A schema's history, oldest first. Never change a step that was released; add one.
type History = &'static [(i64, &'static str, &'static str)];

const SQLITE: History = &[
    (1, "initial", include_str!("../migrations/sqlite/0001_initial.sql")),
    (2, "record", include_str!("../migrations/sqlite/0002_record.sql")),
    (3, "terms", include_str!("../migrations/sqlite/0003_terms.sql")),
    (10, "drafts", include_str!("../migrations/sqlite/0010_drafts.sql")),
    (20, "queue", include_str!("../migrations/sqlite/0020_queue.sql")),
    (21, "memberships", include_str!("../migrations/sqlite/0021_memberships.sql")),
    (30, "reports", include_str!("../migrations/sqlite/0030_reports.sql")),
    (31, "arrivals", include_str!("../migrations/sqlite/0031_arrivals.sql")),
    (40, "mentions", include_str!("../migrations/sqlite/0040_mentions.sql")),
];
const POSTGRES: History = &[
    (1, "initial", include_str!("../migrations/postgres/0001_initial.sql")),
    (2, "terms", include_str!("../migrations/postgres/0002_terms.sql")),
    (10, "drafts", include_str!("../migrations/postgres/0010_drafts.sql")),
    (20, "queue", include_str!("../migrations/postgres/0020_queue.sql")),
    (21, "memberships", include_str!("../migrations/postgres/0021_memberships.sql")),
    (30, "reports", include_str!("../migrations/postgres/0030_reports.sql")),
    (31, "arrivals", include_str!("../migrations/postgres/0031_arrivals.sql")),
    (40, "mentions", include_str!("../migrations/postgres/0040_mentions.sql")),
];

/// SQLite's readers beside the one writer.
const READERS: u32 = 4;
/// Connections to a server for writing, and as many for reading; most of a triage's time is spent
/// elsewhere. They are kept apart because who writes may have to read something in between, and
/// must not wait for those who wait for it.
const CONNECTIONS: u32 = 8;
/// How often to look whether another process is done with the schema.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const FILE_NAME: &str = "deskhand.sqlite3";

impl SqlStore {
    /// Opens the SQLite database of a data folder, making both where they are missing, and brings
    /// its schema up to date.
    ///
    /// # Errors
    /// The folder or file cannot be made, read or written, or was written by a newer version.
    pub async fn open_folder(folder: &Path) -> Result<Self, StoreError> {
        Self::open_patiently(folder, PATIENCE).await
    }

    /// The same, with how long is waited for other processes.
    pub(super) async fn open_patiently(
        folder: &Path,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        let lock = prepare(folder)
            .await
            .map_err(|source| StoreError::Folder { path: folder.display().to_string(), source })?;
        let file = folder.join(FILE_NAME);
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        // A step that builds a table anew leaves nothing of the old one behind either.
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("secure_delete", "ON");
        let mut first = options.connect().await?;
        migrations(SQLITE).run(&mut first).await?;
        first.close().await?;
        let pool = |flags, setup, connections, warm| {
            sqlite::Pool::open(&file, flags, setup, connections, patience, warm)
        };
        let (both, read) = (OpenFlags::SQLITE_OPEN_READ_WRITE, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let writer = pool(both, SET_UP_WRITER, 1, None)?;
        let readers = pool(read, "", READERS, Some(writer.clone()))?;
        let keeper = pool(both, "", 1, None)?;
        drop(lock);
        Ok(Self {
            writer: Pool::Sqlite(writer),
            readers: Pool::Sqlite(readers),
            keeper: Some(Pool::Sqlite(keeper)),
            dialect: Dialect::Sqlite,
            beginnings: TaskTracker::new(),
        })
    }

    /// Connects to a PostgreSQL database (`postgres://user:password@host/name`) and brings its
    /// schema up to date. Several processes may do so at once.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or holds a newer version's schema.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        // By itself, because another process may be at it for longer than a lock is waited for.
        let once = pool(1).connect(url).await?;
        migrations(POSTGRES).run(&once).await?;
        once.close().await;
        let connections = || {
            pool(CONNECTIONS).after_connect(|connection, _| Box::pin(set_up_session(connection)))
        };
        let (writer, readers) =
            (connections().connect(url).await?, connections().connect(url).await?);
        Ok(Self {
            writer: Pool::Postgres(writer),
            readers: Pool::Postgres(readers),
            keeper: None,
            dialect: Dialect::Postgres,
            beginnings: TaskTracker::new(),
        })
    }
}

fn pool(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE)
}

/// What was acknowledged survives a power cut, not only a crash; what was erased is overwritten.
/// Before the log has so many pages, `Records::shorten_log` is to have emptied it, so that nobody's
/// answer waits for it. The pages that it remembers take 32 MB at most.
const SET_UP_WRITER: &str = "PRAGMA synchronous = FULL;
    PRAGMA cache_size = -32768;
    PRAGMA wal_autocheckpoint = 32000;
    PRAGMA foreign_keys = ON;
    PRAGMA secure_delete = ON;";

/// Nobody waits for ever: not for a lock, nor for a process that vanished in the middle of a
/// transaction. Limits that the database's owner has set are kept.
async fn set_up_session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for sql in [
        "SELECT set_config('lock_timeout', '10s', false)
         WHERE current_setting('lock_timeout') = '0'",
        "SELECT set_config('idle_in_transaction_session_timeout', '60s', false)
         WHERE current_setting('idle_in_transaction_session_timeout') = '0'",
    ] {
        sqlx::raw_sql(sql).execute(&mut *connection).await?;
    }
    Ok(())
}

fn migrations(history: History) -> Migrator {
    let steps = history.iter().map(|&(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(steps.collect())
}

/// Makes the folder, for its owner's eyes only, and holds back other processes that would bring
/// the schema up to date at the same moment.
async fn prepare(folder: &Path) -> std::io::Result<std::fs::File> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let lock = std::fs::File::create(folder.join(".lock"))?;
    // Asked again and again, since waiting would stop the other tasks of this thread, perhaps the
    // one that has the lock.
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOOK_AGAIN).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
