//! Opening the databases and bringing their schemas up to date.

use std::fs::TryLockError;
use std::path::Path;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection, SqlSafeStr};
use tokio_util::task::TaskTracker;

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
];
const POSTGRES: History = &[
    (1, "initial", include_str!("../migrations/postgres/0001_initial.sql")),
    (2, "terms", include_str!("../migrations/postgres/0002_terms.sql")),
    (10, "drafts", include_str!("../migrations/postgres/0010_drafts.sql")),
    (20, "queue", include_str!("../migrations/postgres/0020_queue.sql")),
    (21, "memberships", include_str!("../migrations/postgres/0021_memberships.sql")),
    (30, "reports", include_str!("../migrations/postgres/0030_reports.sql")),
    (31, "arrivals", include_str!("../migrations/postgres/0031_arrivals.sql")),
];

/// SQLite's readers beside the one writer.
const READERS: u32 = 4;
/// Connections to a server for writing, and as many for reading; most of a triage's time is spent
/// elsewhere. They are kept apart because who writes may have to read something in between, and
/// must not wait for those who wait for it.
const CONNECTIONS: u32 = 8;
/// How long a use case waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
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
        sqlx::any::install_default_drivers();
        let lock = prepare(folder)
            .await
            .map_err(|source| StoreError::Folder { path: folder.display().to_string(), source })?;
        let file = folder.join(FILE_NAME);
        // By itself first: a pool tries again and again, and then says only that it has none.
        let mut first = AnyConnection::connect(&sqlite_url(&file, "rwc")).await?;
        set_up_writer(&mut first).await?;
        first.close().await?;
        let writer = pool(1)
            .after_connect(|connection, _| Box::pin(set_up_writer(connection)))
            // A file does not go away as a server does; asking costs as much as a short read.
            .test_before_acquire(false)
            // SQLite itself rolls back when the disk is full, and the driver does not notice.
            .before_acquire(|connection, _| {
                let sound = !connection.is_in_transaction();
                Box::pin(async move { Ok(sound) })
            })
            .connect(&sqlite_url(&file, "rwc"))
            .await?;
        migrate(&writer, SQLITE).await?;
        let readers = pool(READERS)
            .after_connect(|connection, _| Box::pin(set_up_reader(connection)))
            .test_before_acquire(false)
            .connect(&sqlite_url(&file, "ro"))
            .await?;
        let keeper = pool(1).test_before_acquire(false).connect(&sqlite_url(&file, "rw")).await?;
        drop(lock);
        Ok(Self {
            writer,
            readers,
            keeper: Some(keeper),
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
        sqlx::any::install_default_drivers();
        // By itself, because another process may be at it for longer than a lock is waited for.
        let once = pool(1).connect(url).await?;
        migrate(&once, POSTGRES).await?;
        once.close().await;
        let connections = || {
            pool(CONNECTIONS).after_connect(|connection, _| Box::pin(set_up_session(connection)))
        };
        let (writer, readers) =
            (connections().connect(url).await?, connections().connect(url).await?);
        Ok(Self {
            writer,
            readers,
            keeper: None,
            dialect: Dialect::Postgres,
            beginnings: TaskTracker::new(),
        })
    }
}

fn pool(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE)
}

async fn set_up_writer(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    // What was acknowledged survives a power cut, not only a crash; what was erased is
    // overwritten.
    run(connection, "PRAGMA busy_timeout = 10000").await?;
    run(connection, "PRAGMA journal_mode = WAL").await?;
    run(connection, "PRAGMA synchronous = FULL").await?;
    // In pages. Before that, `Records::shorten_log` is to have emptied it, so that nobody's answer
    // waits for it.
    run(connection, "PRAGMA wal_autocheckpoint = 4000").await?;
    run(connection, "PRAGMA foreign_keys = ON").await?;
    run(connection, "PRAGMA secure_delete = ON").await
}

async fn set_up_reader(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    run(connection, "PRAGMA busy_timeout = 10000").await
}

/// Nobody waits for ever: not for a lock, nor for a process that vanished in the middle of a
/// transaction. Limits that the database's owner has set are kept.
async fn set_up_session(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    for sql in [
        "SELECT set_config('lock_timeout', '10s', false)
         WHERE current_setting('lock_timeout') = '0'",
        "SELECT set_config('idle_in_transaction_session_timeout', '60s', false)
         WHERE current_setting('idle_in_transaction_session_timeout') = '0'",
    ] {
        run(connection, sql).await?;
    }
    Ok(())
}

async fn run(connection: &mut AnyConnection, sql: &'static str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

async fn migrate(pool: &AnyPool, history: History) -> Result<(), StoreError> {
    let steps = history.iter().map(|&(version, name, sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    Ok(Migrator::with_migrations(steps.collect()).run(pool).await?)
}

/// A path as a URL: whatever could be read as part of one is escaped.
fn sqlite_url(file: &Path, mode: &str) -> String {
    let mut url = String::from("sqlite://");
    for &byte in file.to_string_lossy().as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_') {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push_str(&crate::domain::ids::hex(&[byte]));
        }
    }
    format!("{url}?mode={mode}")
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
