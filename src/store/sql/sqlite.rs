//! SQLite's connections. A statement runs on the thread that asks for it unless it may take long:
//! a triage's are over in some ten microseconds each, while handing one to another thread and
//! waiting to be woken takes ten times as long.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use super::query::{Answer, Query, Row, Value, query};
use crate::store::StoreError;

/// How long a use case waits for a connection, and a statement for another process.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// A disk that takes longer than this to have written something is waited for elsewhere.
const SLOW: Duration = Duration::from_millis(2);
/// Statements that a connection remembers the plans of.
const REMEMBERED: usize = 128;

/// Some connections to one file, opened in one way.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    file: PathBuf,
    flags: OpenFlags,
    /// Pragmas that each connection begins with.
    setup: &'static str,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    connections: u32,
    patience: Duration,
    /// Whether the last commit took long.
    slow: AtomicBool,
    /// Connections that remember more pages, used for short statements where they are free.
    warm: Option<Pool>,
}

/// A connection that is somebody's for now. A transaction that it is in the middle of when it is
/// dropped is rolled back.
#[derive(Debug)]
pub(super) struct Lease {
    /// There until it is dropped.
    connection: Option<Connection>,
    pool: Pool,
    /// Whether it was lent to read by, whatever else the connection may do.
    reads: bool,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    /// Opens one connection, and others when they are wanted. Whenever something is committed, all
    /// connections forget the pages that they have read, but for the one that committed it: `warm`
    /// is its pool, for others to read by.
    pub(super) fn open(
        file: &Path,
        flags: OpenFlags,
        setup: &'static str,
        connections: u32,
        patience: Duration,
        warm: Option<Self>,
    ) -> Result<Self, StoreError> {
        let pool = Self(Arc::new(Shared {
            file: file.to_owned(),
            flags: flags | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            setup,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(connections as usize)),
            connections,
            patience,
            slow: AtomicBool::new(false),
            warm,
        }));
        let first = pool.connect()?;
        pool.put_back(first);
        Ok(pool)
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let connection = Connection::open_with_flags(&self.0.file, self.0.flags)?;
        connection.busy_timeout(self.0.patience)?;
        connection.set_prepared_statement_cache_capacity(REMEMBERED);
        connection.execute_batch(self.0.setup)?;
        // From here on, whoever would wait for another process does so elsewhere.
        connection.busy_timeout(Duration::ZERO)?;
        Ok(connection)
    }

    fn put_back(&self, connection: Connection) {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }

    /// Waits for a connection.
    pub(super) async fn acquire(&self) -> Result<Lease, StoreError> {
        let permits = Arc::clone(&self.0.permits);
        let permit = tokio::time::timeout(self.0.patience, permits.acquire_owned()).await;
        let busy = |why: &str| StoreError::Busy(why.to_owned());
        let permit = permit.map_err(|_| busy("no connection became free"))?;
        let permit = permit.map_err(|_| busy("the process is ending"))?;
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = Some(idle.map_or_else(|| self.connect(), Ok)?);
        Ok(Lease { connection, pool: self.clone(), reads: false, _permit: permit })
    }

    /// A connection to read by, if one is free.
    fn acquire_free(&self) -> Option<Lease> {
        let permit = Arc::clone(&self.0.permits).try_acquire_owned().ok()?;
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // Another is not opened for this.
        Some(Lease { connection: Some(idle?), pool: self.clone(), reads: true, _permit: permit })
    }

    /// Begins to write. SQLite waits for its turn here; later it would have to give up.
    pub(super) async fn begin(&self) -> Result<Lease, StoreError> {
        let (lease, begun) = self.acquire().await?.run(query("BEGIN IMMEDIATE")).await?;
        begun?;
        Ok(lease)
    }

    /// Runs a statement by itself: what it writes is on disk when this returns.
    pub(super) async fn run(&self, mut query: Query) -> Result<Answer, StoreError> {
        query.aside |= !self.0.flags.contains(OpenFlags::SQLITE_OPEN_READ_ONLY);
        let warm = self.0.warm.as_ref().filter(|_| !query.aside);
        let lease = match warm.and_then(Self::acquire_free) {
            Some(lease) => lease,
            None => self.acquire().await?,
        };
        lease.run(query).await?.1
    }

    /// Waits for whoever has a connection, and closes them all.
    pub(super) async fn close(&self) {
        let all = self.0.permits.acquire_many(self.0.connections).await;
        self.0.permits.close();
        drop(all);
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Lease {
    /// Runs a statement to its end. The lease comes back even where the statement failed; who hangs
    /// up in the meantime leaves it to the thread that has it.
    pub(super) async fn run(
        self,
        query: Query,
    ) -> Result<(Self, Result<Answer, StoreError>), StoreError> {
        if !query.aside {
            match self.answer(&query) {
                // Another process is at it.
                Err(StoreError::Busy(_)) => {}
                answer => return Ok((self, answer)),
            }
        }
        let elsewhere = spawn_blocking(move || {
            let answer = self.wait(&query);
            (self, answer)
        });
        elsewhere.await.map_err(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => StoreError::Busy("the process is ending".to_owned()),
        })
    }

    /// Makes a transaction last. When this returns, it is on disk.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.pool.0);
        let mut commit = query("COMMIT");
        commit.aside = shared.slow.load(Ordering::Relaxed);
        let at = Instant::now();
        let (_, done) = self.run(commit).await?;
        shared.slow.store(at.elapsed() > SLOW, Ordering::Relaxed);
        done.map(drop)
    }

    /// Whether a transaction is under way. SQLite may roll one back itself, when the disk is full.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| !connection.is_autocommit())
    }

    /// Waits for other processes as long as it takes.
    fn wait(&self, query: &Query) -> Result<Answer, StoreError> {
        if let Some(connection) = &self.connection {
            connection.busy_timeout(self.pool.0.patience)?;
        }
        let answer = self.answer(query);
        if let Some(connection) = &self.connection {
            connection.busy_timeout(Duration::ZERO)?;
        }
        answer
    }

    fn answer(&self, query: &Query) -> Result<Answer, StoreError> {
        let connection = self.connection.as_ref();
        let connection = connection.ok_or_else(|| StoreError::Busy("it is given back".into()))?;
        let mut statement = connection.prepare_cached(&query.sql)?;
        if self.reads && !statement.readonly() {
            return Err(StoreError::Row("what reads would write".to_owned()));
        }
        for place in 1..=statement.parameter_count() {
            // To SQLite `$3` is a name, and its number is where it first stands.
            let name = statement.parameter_name(place).and_then(|name| name.get(1..));
            let number = name.and_then(|name| name.parse::<usize>().ok());
            let value = number.and_then(|number| query.values.get(number.checked_sub(1)?));
            match value {
                Some(Value::Integer(number)) => statement.raw_bind_parameter(place, number)?,
                Some(Value::Text(text)) => statement.raw_bind_parameter(place, text)?,
                Some(Value::Bytes(bytes)) => statement.raw_bind_parameter(place, bytes)?,
                None => return Err(StoreError::Row(format!("nothing is bound to place {place}"))),
            }
        }
        let columns: Arc<[String]> =
            statement.column_names().into_iter().map(str::to_owned).collect();
        let (mut rows, mut found) = (statement.raw_query(), Vec::new());
        while let Some(row) = rows.next()? {
            let value = |at| value(row.get_ref(at)?);
            let values = (0..columns.len()).map(value).collect::<Result<_, StoreError>>()?;
            found.push(Row { columns: Arc::clone(&columns), values });
        }
        drop(rows);
        Ok(Answer { rows: found, changed: connection.changes() })
    }
}

fn value(cell: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match cell {
        ValueRef::Null => Value::Integer(None),
        ValueRef::Integer(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        ValueRef::Blob(bytes) => bytes.into(),
        ValueRef::Real(_) => return Err(StoreError::Row("no column is a fraction".to_owned())),
    })
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if connection.is_autocommit() || connection.execute_batch("ROLLBACK").is_ok() {
            self.pool.put_back(connection);
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    /// Tells apart what callers answer differently.
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(error.to_string()),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy(error.to_string())
            }
            _ => Self::Database(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(folder: &Path) -> Pool {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let setup = "PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (a, b)";
        Pool::open(&folder.join("x"), flags, setup, 1, Duration::from_millis(50), None).unwrap()
    }

    async fn rows(pool: &Pool) -> i64 {
        let answer = pool.run(query("SELECT count(*) FROM t")).await.unwrap();
        answer.rows[0].try_get(0).unwrap()
    }

    #[tokio::test]
    async fn values_go_where_their_numbers_say() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path());
        let swapped = query("SELECT $2 AS second, $1 AS first, $2 || $1 AS both");
        let answer = pool.run(swapped.bind("a").bind("b")).await.unwrap();
        let [row] = &answer.rows[..] else { panic!("{answer:?}") };
        assert_eq!(row.try_get::<&str>("first").unwrap(), "a");
        assert_eq!(row.try_get::<&str>("second").unwrap(), "b");
        assert_eq!(row.try_get::<&str>("both").unwrap(), "ba");
        assert!(pool.run(query("SELECT $1, $2").bind(1)).await.is_err());
        let kept = pool.run(query("INSERT INTO t VALUES ($1, $2)").bind(1).bind(None::<i64>)).await;
        assert_eq!(kept.unwrap().changed, 1);
        assert_eq!(pool.run(query("UPDATE t SET b = 2 WHERE a = 7")).await.unwrap().changed, 0);
    }

    #[tokio::test]
    async fn who_reads_by_the_writers_connection_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let writer = pool(folder.path());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let (file, warm) = (folder.path().join("x"), Some(writer.clone()));
        let readers = Pool::open(&file, flags, "", 1, PATIENCE, warm).unwrap();
        let insert = || query("INSERT INTO t VALUES (1, 2)");
        let held = writer.begin().await.unwrap();
        assert!(readers.run(insert()).await.is_err(), "by a connection of their own");
        assert_eq!(rows(&readers).await, 0);
        drop(held);
        assert!(readers.run(insert()).await.is_err(), "by the writer's");
        assert_eq!(rows(&readers).await, 0);
        assert!(writer.run(insert()).await.is_ok());
        assert_eq!(rows(&readers).await, 1);
    }

    #[tokio::test]
    async fn what_was_begun_and_dropped_is_rolled_back() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path());
        for aside in [false, true] {
            let insert = Query { aside, ..query("INSERT INTO t VALUES (1, 2)") };
            let (lease, done) = pool.begin().await.unwrap().run(insert).await.unwrap();
            assert_eq!(done.unwrap().changed, 1);
            assert!(lease.is_in_transaction());
            drop(lease);
            assert_eq!(rows(&pool).await, 0, "aside: {aside}");
        }
    }

    #[tokio::test]
    async fn who_hangs_up_while_a_statement_runs_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path());
        let many =
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
             INSERT INTO t SELECT i, i FROM n";
        let lease = pool.begin().await.unwrap();
        let insert = lease.run(query(many).aside());
        assert!(tokio::time::timeout(Duration::from_millis(1), insert).await.is_err());
        // The one connection comes back when the statement has ended, and not before.
        let patient = async {
            loop {
                match pool.acquire().await {
                    Ok(lease) => break lease,
                    Err(error) => assert!(matches!(error, StoreError::Busy(_)), "{error}"),
                }
            }
        };
        let lease = patient.await;
        assert!(!lease.is_in_transaction());
        drop(lease);
        assert_eq!(rows(&pool).await, 0);
    }

    #[tokio::test]
    async fn what_is_committed_on_a_slow_disk_is_kept_too() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path());
        for (n, slow) in [(1, false), (2, true)] {
            pool.0.slow.store(slow, Ordering::Relaxed);
            let insert = query("INSERT INTO t VALUES ($1, 0)").bind(n);
            let (lease, done) = pool.begin().await.unwrap().run(insert).await.unwrap();
            done.unwrap();
            lease.commit().await.unwrap();
            assert_eq!(rows(&pool).await, n);
        }
    }

    #[tokio::test]
    async fn a_pool_that_is_closed_gives_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(folder.path());
        pool.close().await;
        assert!(matches!(pool.acquire().await, Err(StoreError::Busy(_))));
        assert!(!folder.path().join("x-wal").exists(), "the last to close it tidies up");
    }
}
