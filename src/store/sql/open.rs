//! Opening the databases and bringing their schemas up to date.

use std::path::Path;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, SqlSafeStr};

use super::{Dialect, SqlStore};
use crate::store::StoreError;

/// A schema's history, oldest first. Never change a step that was released; add one.
type History = &'static [(i64, &'static str, &'static str)];

const SQLITE: History = &[
    (1, "initial", include_str!("../migrations/sqlite/0001_initial.sql")),
    (2, "record", include_str!("../migrations/sqlite/0002_record.sql")),
];
const POSTGRES: History =
    &[(1, "initial", include_str!("../migrations/postgres/0001_initial.sql"))];

/// SQLite's readers beside the one writer.
const READERS: u32 = 4;
/// Connections to a server; most of a triage's time is spent elsewhere.
const CONNECTIONS: u32 = 16;
/// How long a use case waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
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
            .map_err(|source| StoreError::Folder { path: folder.display().to_string(), source })?;
        let file = folder.join(FILE_NAME);
        let writer = pool(1)
            .after_connect(|connection, _| Box::pin(set_up_writer(connection)))
            .connect(&sqlite_url(&file, "rwc"))
            .await?;
        migrate(&writer, SQLITE).await?;
        let readers = pool(READERS)
            .after_connect(|connection, _| Box::pin(set_up_reader(connection)))
            .connect(&sqlite_url(&file, "ro"))
            .await?;
        drop(lock);
        Ok(Self { writer, readers, dialect: Dialect::Sqlite })
    }

    /// Connects to a PostgreSQL database (`postgres://user:password@host/name`) and brings its
    /// schema up to date. Several processes may do so at once.
    ///
    /// # Errors
    /// The server cannot be reached, refuses, or holds a newer version's schema.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let all = pool(CONNECTIONS).connect(url).await?;
        migrate(&all, POSTGRES).await?;
        Ok(Self { writer: all.clone(), readers: all, dialect: Dialect::Postgres })
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
    run(connection, "PRAGMA foreign_keys = ON").await?;
    run(connection, "PRAGMA secure_delete = ON").await
}

async fn set_up_reader(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    run(connection, "PRAGMA busy_timeout = 10000").await
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
fn prepare(folder: &Path) -> std::io::Result<std::fs::File> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let lock = std::fs::File::create(folder.join(".lock"))?;
    lock.lock()?;
    Ok(lock)
}
