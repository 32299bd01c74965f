//! The two databases behind one face: pools that run a statement by itself, and transactions.

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Column, Either, PgPool, Postgres, Row as _, TypeInfo, ValueRef};

use super::query::{Answer, Executor, Query, Row, Value};
use super::sqlite;
use crate::store::StoreError;

/// Connections of one kind.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(sqlite::Pool),
    Postgres(PgPool),
}

/// A transaction; dropped before it is committed, it leaves nothing behind.
pub(super) enum Turn {
    /// The lease is away while a statement runs.
    Sqlite(Option<sqlite::Lease>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Pool {
    /// Waits for whoever has a connection, and closes them all.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Turn {
    /// Makes what was written last.
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(lease) => lease.ok_or_else(ended)?.commit().await,
            Self::Postgres(tx) => Ok(tx.commit().await?),
        }
    }
}

/// What is written after a transaction has ended would be written by itself.
fn ended() -> StoreError {
    StoreError::Row("the transaction has ended".to_owned())
}

impl Executor for &Pool {
    async fn run(self, query: Query) -> Result<Answer, StoreError> {
        match self {
            Pool::Sqlite(pool) => pool.run(query).await,
            Pool::Postgres(pool) => run(pool, query).await,
        }
    }
}

impl Executor for &mut Turn {
    async fn run(self, query: Query) -> Result<Answer, StoreError> {
        match self {
            Turn::Sqlite(place) => {
                let lease = place.take().filter(sqlite::Lease::is_in_transaction);
                let (lease, answer) = lease.ok_or_else(ended)?.run(query).await?;
                *place = Some(lease);
                answer
            }
            Turn::Postgres(tx) => run(&mut **tx, query).await,
        }
    }
}

/// Runs a statement in PostgreSQL, to its end: an error of the commit comes after its rows.
async fn run<'c>(
    on: impl sqlx::Executor<'c, Database = Postgres>,
    query: Query,
) -> Result<Answer, StoreError> {
    let mut bound = sqlx::query(AssertSqlSafe(query.sql.into_owned()));
    for value in query.values {
        bound = match value {
            Value::Integer(number) => bound.bind(number),
            Value::Text(text) => bound.bind(text),
            Value::Bytes(bytes) => bound.bind(bytes),
        };
    }
    let mut answer = Answer { rows: Vec::new(), changed: 0 };
    let mut columns = None;
    let mut parts = on.fetch_many(bound);
    while let Some(part) = parts.try_next().await? {
        match part {
            Either::Left(done) => answer.changed += done.rows_affected(),
            Either::Right(row) => {
                let columns = columns.get_or_insert_with(|| {
                    row.columns().iter().map(|column| column.name().to_owned()).collect()
                });
                let values = (0..row.len()).map(|at| value(&row, at)).collect::<Result<_, _>>()?;
                answer.rows.push(Row { columns: std::sync::Arc::clone(columns), values });
            }
        }
    }
    Ok(answer)
}

fn value(row: &sqlx::postgres::PgRow, at: usize) -> Result<Value, StoreError> {
    let kind = row.column(at).type_info().name().to_owned();
    if row.try_get_raw(at)?.is_null() {
        return Ok(Value::Integer(None));
    }
    Ok(match kind.as_str() {
        "INT8" => row.try_get::<i64, _>(at)?.into(),
        "INT4" => i64::from(row.try_get::<i32, _>(at)?).into(),
        "INT2" => i64::from(row.try_get::<i16, _>(at)?).into(),
        "BOOL" => i64::from(row.try_get::<bool, _>(at)?).into(),
        "BYTEA" => row.try_get::<Vec<u8>, _>(at)?.into(),
        "VOID" => Value::Integer(None),
        _ => row.try_get::<String, _>(at)?.into(),
    })
}
