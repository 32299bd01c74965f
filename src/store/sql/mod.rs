//! One body of SQL for SQLite and PostgreSQL. They differ in how they are opened, in their
//! schema's types, and in the few statements that a [`Dialect`] picks.

mod access;
mod erasure;
mod open;
mod records;
mod rows;
mod transaction;
mod work;

use sqlx::AnyPool;

use super::StoreError;

/// Which database is behind the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Embedded: write-ahead log, full sync, one writer and a few readers.
    Sqlite,
    /// A server, for several replicas.
    Postgres,
}

impl Dialect {
    /// The statement of this dialect.
    fn pick(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
        }
    }
}

/// A store in a SQL database.
#[derive(Debug, Clone)]
pub struct SqlStore {
    writer: AnyPool,
    readers: AnyPool,
    dialect: Dialect,
}

impl SqlStore {
    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
}

impl From<sqlx::Error> for StoreError {
    /// Tells apart what callers answer differently.
    fn from(error: sqlx::Error) -> Self {
        const SQLITE_FULL: &str = "13";
        // SQLITE_BUSY, SQLITE_LOCKED and their extended codes.
        const SQLITE_BUSY: [&str; 5] = ["5", "6", "261", "262", "517"];
        // lock_not_available, deadlock_detected, serialization_failure, too_many_connections
        const POSTGRES_BUSY: [&str; 4] = ["55P03", "40P01", "40001", "53300"];
        const POSTGRES_FULL: &str = "53100";
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match (&error, code.as_deref()) {
            (_, Some(SQLITE_FULL | POSTGRES_FULL)) => Self::Full(error.to_string()),
            (_, Some(code)) if SQLITE_BUSY.contains(&code) || POSTGRES_BUSY.contains(&code) => {
                Self::Busy(error.to_string())
            }
            (sqlx::Error::PoolTimedOut, _) => Self::Busy(error.to_string()),
            (sqlx::Error::Io(io), _) if io.kind() == std::io::ErrorKind::StorageFull => {
                Self::Full(error.to_string())
            }
            _ => Self::Database(error),
        }
    }
}
