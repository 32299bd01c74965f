//! One body of SQL for SQLite and PostgreSQL. They differ in how they are opened, in their
//! schema's types, and in the few statements that a [`Dialect`] picks.

mod access;
mod arrivals;
mod articles;
mod database;
mod erasure;
mod lists;
mod open;
mod query;
mod records;
mod reports;
mod rows;
mod sqlite;
mod suggestions;
mod transaction;
mod work;

use tokio_util::task::TaskTracker;

use super::StoreError;
use database::{Pool, Turn};

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

    /// A text as the database can keep it: PostgreSQL has no NUL.
    fn text(self, text: &str) -> String {
        match self {
            Self::Postgres if text.contains('\0') => text.replace('\0', ""),
            _ => text.to_owned(),
        }
    }

    /// The same for one that may be missing.
    fn maybe_text(self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.text(text))
    }
}

/// `$2, $3, $4, $5`: places for the values of a list, from a number on.
fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..first + count).map(|n| format!("${n}")).collect();
    places.join(", ")
}

/// A list as it is looked up in: the last value again and again, up to a power of two. Lists of
/// any length then need few different statements, and those are remembered.
fn rounded_up<T: Copy>(values: &[T]) -> Vec<T> {
    let mut values = values.to_vec();
    if let Some(last) = values.last().copied() {
        values.resize(values.len().next_power_of_two(), last);
    }
    values
}

/// A store in a SQL database.
#[derive(Debug, Clone)]
pub struct SqlStore {
    writer: Pool,
    readers: Pool,
    /// Keeps SQLite's log short, beside the writer.
    keeper: Option<Pool>,
    dialect: Dialect,
    /// Transactions that are being begun in PostgreSQL.
    beginnings: TaskTracker,
}

impl SqlStore {
    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Begins to write.
    async fn write(&self) -> Result<Turn, StoreError> {
        let pool = match &self.writer {
            Pool::Sqlite(pool) => return Ok(Turn::Sqlite(Some(pool.begin().await?))),
            Pool::Postgres(pool) => pool.clone(),
        };
        // To its end, even if the caller hangs up: of a BEGIN that is given up half-way, sqlx 0.9
        // hands the connection on with the transaction open, and what the next ones write by
        // themselves is never committed (transact-rs/sqlx#4393).
        match self.beginnings.spawn(async move { pool.begin().await }).await {
            Ok(begun) => Ok(Turn::Postgres(begun?)),
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(StoreError::Busy("the process is ending".to_owned())),
            },
        }
    }
}

impl From<sqlx::Error> for StoreError {
    /// Tells apart what callers answer differently.
    fn from(error: sqlx::Error) -> Self {
        // lock_not_available, deadlock_detected, serialization_failure, too_many_connections,
        // cannot_connect_now, query_canceled by a limit that the server sets
        const POSTGRES_BUSY: [&str; 6] = ["55P03", "40P01", "40001", "53300", "57P03", "57014"];
        const POSTGRES_FULL: &str = "53100";
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match (&error, code.as_deref()) {
            (_, Some(POSTGRES_FULL)) => Self::Full(error.to_string()),
            (_, Some(code)) if POSTGRES_BUSY.contains(&code) => Self::Busy(error.to_string()),
            (sqlx::Error::PoolTimedOut, _) => Self::Busy(error.to_string()),
            (sqlx::Error::Io(io), _) if io.kind() == std::io::ErrorKind::StorageFull => {
                Self::Full(error.to_string())
            }
            _ => Self::Database(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Ticket, TicketId, TicketText, WorkspaceId};
    use crate::store::{Access, Records, Transaction};
    use jiff::Timestamp;
    use query::query;
    use std::time::Duration;
    use uuid::Uuid;

    async fn put(tx: &mut dyn Transaction, n: u128, body: &str) -> Result<TicketId, StoreError> {
        let text = TicketText { body: body.to_owned(), ..TicketText::default() };
        let ticket = Ticket { text, requester: None, created_at: None, source: None };
        let id = TicketId::new(Uuid::from_u128(n));
        tx.put_ticket(id, &ticket, "en", Timestamp::UNIX_EPOCH).await
    }

    #[test]
    fn lists_of_any_length_need_few_statements() {
        assert_eq!(rounded_up::<u8>(&[]), Vec::<u8>::new());
        assert_eq!(rounded_up(&[7]), [7]);
        assert_eq!(rounded_up(&[1, 2, 3, 4, 5]), [1, 2, 3, 4, 5, 5, 5, 5]);
        let lengths: std::collections::BTreeSet<usize> =
            (1..=128).map(|n| rounded_up(&vec![0; n]).len()).collect();
        assert_eq!(lengths.len(), 8);
    }

    #[tokio::test]
    async fn a_database_that_cannot_grow_is_full_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::open_folder(folder.path()).await.unwrap();
        let main = WorkspaceId::main();
        let mut tx = store.begin(&main).await.unwrap();
        put(&mut *tx, 1, "x").await.unwrap();
        tx.commit().await.unwrap();
        // Of the one connection that writes; at most as many pages as there are.
        query("PRAGMA max_page_count = 1").execute(&store.writer).await.unwrap();
        let mut tx = store.begin(&main).await.unwrap();
        let full = put(&mut *tx, 2, &"x".repeat(1_000_000)).await;
        assert!(matches!(full, Err(StoreError::Full(_))), "{full:?}");
        drop(tx);
        assert_eq!(store.counts(&main).await.unwrap().tickets, 1);
        query("PRAGMA max_page_count = 100000").execute(&store.writer).await.unwrap();
        let mut tx = store.begin(&main).await.unwrap();
        put(&mut *tx, 2, &"x".repeat(1_000_000)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.counts(&main).await.unwrap().tickets, 2);
    }

    #[tokio::test]
    async fn the_log_begins_anew_although_somebody_always_writes() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqlStore::open_folder(folder.path()).await.unwrap();
        let main = WorkspaceId::main();
        let (written, done) = (std::cell::Cell::new(0), std::cell::Cell::new(false));
        let shorten = async {
            for turn in 1..=20 {
                while written.get() < turn * 10 {
                    tokio::task::yield_now().await;
                }
                store.shorten_log().await.unwrap();
            }
            done.set(true);
        };
        let body = "x".repeat(40_000);
        let write = async {
            while !done.get() {
                written.set(written.get() + 1);
                let mut tx = store.begin(&main).await.unwrap();
                put(&mut *tx, written.get(), &body).await.unwrap();
                tx.commit().await.unwrap();
                // A turn for the other.
                tokio::task::yield_now().await;
            }
        };
        futures_util::future::join(shorten, write).await;
        let log = std::fs::metadata(folder.path().join("deskhand.sqlite3-wal")).unwrap().len();
        let all = body.len() as u64 * written.get() as u64;
        assert!(log < all / 2, "a log of {log} bytes after {all} were written");
    }

    #[tokio::test]
    async fn a_database_that_another_process_holds_is_busy() {
        let folder = tempfile::tempdir().unwrap();
        let (store, other) = (
            SqlStore::open_patiently(folder.path(), Duration::from_millis(50)).await.unwrap(),
            SqlStore::open_folder(folder.path()).await.unwrap(),
        );
        let main = WorkspaceId::main();
        let held = other.begin(&main).await.unwrap();
        let busy = store.begin(&main).await.map(drop);
        assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
        let busy = store.remove_user("nobody").await;
        assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
        let busy = store.rebind_encoder("x").await;
        assert!(matches!(busy, Err(StoreError::Busy(_))), "{busy:?}");
        drop(held);
        store.begin(&main).await.unwrap().commit().await.unwrap();
    }
}
