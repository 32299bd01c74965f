//! A statement and its answer, the same for both databases.

use std::borrow::Cow;
use std::sync::Arc;

use crate::store::StoreError;

/// What is bound to a statement or read from a row. Nothing at all has a type, too: PostgreSQL
/// asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// A statement with what is bound to its `$1`, `$2`…
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
    /// Whether its work grows with the data; see [`Query::aside`].
    pub(super) aside: bool,
}

/// A statement. What callers give is never part of it, but bound.
pub(super) fn query(sql: impl Into<Cow<'static, str>>) -> Query {
    Query { sql: sql.into(), values: Vec::new(), aside: false }
}

/// What can run a statement: a pool, each in a transaction of its own, or a transaction.
pub(super) trait Executor: Send {
    /// Runs it to its end.
    fn run(self, query: Query) -> impl Future<Output = Result<Answer, StoreError>> + Send;
}

impl Query {
    /// Binds the next value.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Says that the statement reads or writes more than a few rows by their keys. SQLite then runs
    /// it on a thread of its own; what is over in some ten microseconds is done faster than it is
    /// handed over.
    pub(super) fn aside(mut self) -> Self {
        self.aside = true;
        self
    }

    /// Runs it and returns how many rows it changed.
    pub(super) async fn execute(self, on: impl Executor) -> Result<u64, StoreError> {
        Ok(on.run(self).await?.changed)
    }

    pub(super) async fn fetch_all(self, on: impl Executor) -> Result<Vec<Row>, StoreError> {
        Ok(on.run(self).await?.rows)
    }

    pub(super) async fn fetch_optional(self, on: impl Executor) -> Result<Option<Row>, StoreError> {
        Ok(self.fetch_all(on).await?.into_iter().next())
    }

    pub(super) async fn fetch_one(self, on: impl Executor) -> Result<Row, StoreError> {
        let row = self.fetch_optional(on).await?;
        row.ok_or_else(|| StoreError::Row("a row was expected, and none came".to_owned()))
    }
}

/// What a statement answers.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) rows: Vec<Row>,
    pub(super) changed: u64,
}

/// A row of an answer.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) columns: Arc<[String]>,
    pub(super) values: Vec<Value>,
}

impl Row {
    /// A column, by its name or number.
    pub(super) fn try_get<'r, T: FromValue<'r>>(&'r self, at: impl At) -> Result<T, StoreError> {
        let value = at.place(&self.columns).and_then(|place| self.values.get(place));
        let value = value.and_then(T::from_value);
        value.ok_or_else(|| StoreError::Row(format!("{at:?} is not there, or of another type")))
    }
}

/// Where a column is found.
pub(super) trait At: Copy + std::fmt::Debug {
    fn place(self, columns: &[String]) -> Option<usize>;
}

impl At for usize {
    fn place(self, _: &[String]) -> Option<usize> {
        Some(self)
    }
}

impl At for &str {
    fn place(self, columns: &[String]) -> Option<usize> {
        columns.iter().position(|column| column == self)
    }
}

/// What a column can be read as.
pub(super) trait FromValue<'r>: Sized {
    fn from_value(value: &'r Value) -> Option<Self>;
}

impl FromValue<'_> for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Integer(number) = value { *number } else { None }
    }
}

impl<'r> FromValue<'r> for &'r str {
    fn from_value(value: &'r Value) -> Option<Self> {
        if let Value::Text(text) = value { text.as_deref() } else { None }
    }
}

impl<'r> FromValue<'r> for &'r [u8] {
    fn from_value(value: &'r Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { bytes.as_deref() } else { None }
    }
}

impl FromValue<'_> for String {
    fn from_value(value: &Value) -> Option<Self> {
        <&str>::from_value(value).map(str::to_owned)
    }
}

impl FromValue<'_> for Vec<u8> {
    fn from_value(value: &Value) -> Option<Self> {
        <&[u8]>::from_value(value).map(<[u8]>::to_vec)
    }
}

impl<'r, T: FromValue<'r>> FromValue<'r> for Option<T> {
    fn from_value(value: &'r Value) -> Option<Self> {
        match value {
            Value::Integer(None) | Value::Text(None) | Value::Bytes(None) => Some(None),
            there => T::from_value(there).map(Some),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl From<&Vec<u8>> for Value {
    fn from(bytes: &Vec<u8>) -> Self {
        Self::Bytes(Some(bytes.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_as_what_it_is() {
        let columns: Arc<[String]> = ["id", "n", "note"].map(String::from).into();
        let values = vec![Value::Bytes(Some(vec![1])), 7.into(), Value::Text(None)];
        let row = Row { columns, values };
        assert_eq!(row.try_get::<&[u8]>("id").unwrap(), [1]);
        assert_eq!(row.try_get::<i64>(1).unwrap(), 7);
        assert_eq!(row.try_get::<Option<i64>>("n").unwrap(), Some(7));
        assert_eq!(row.try_get::<Option<String>>("note").unwrap(), None);
        // Nothing is not an empty text, nor a number a text.
        assert!(row.try_get::<String>("note").is_err());
        assert!(row.try_get::<Option<String>>("n").is_err());
        let missing = row.try_get::<i64>("subject").unwrap_err().to_string();
        assert!(missing.contains("\"subject\""), "{missing}");
    }
}
