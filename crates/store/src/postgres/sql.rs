//! Building blocks of statements, and the meaning of their failures.

use std::fmt::Write;
use std::io;

use deadpool_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use crate::error::StoreError;

/// Value on its way to the database.
pub(super) type Value = Box<dyn ToSql + Send + Sync>;

/// Converts a failure into a store's error.
pub(super) fn failed(e: Error) -> StoreError {
    let said = text(&e);
    match e.code() {
        Some(&SqlState::DISK_FULL) => StoreError::Full,
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED) => {
            StoreError::Conflict(said)
        }
        // XX: damage; 22: a value that cannot be stored, such as one that is too large.
        Some(code) if code.code().starts_with("XX") || code.code().starts_with("22") => {
            StoreError::Corrupt(said)
        }
        // An index entry that is too large.
        Some(&SqlState::PROGRAM_LIMIT_EXCEEDED) => StoreError::Corrupt(said),
        // Another session holds a lock, or the statement takes too long.
        Some(&SqlState::LOCK_NOT_AVAILABLE | &SqlState::QUERY_CANCELED) => late(&said),
        // 23 and P0: a constraint or trigger added to the schema rejects these rows.
        Some(code) if code.code().starts_with("23") || code.code().starts_with("P0") => {
            StoreError::Corrupt(said)
        }
        _ => StoreError::Unavailable(said),
    }
}

/// Prefix of timeout errors: trying the same again would take as long.
const LATE: &str = "not in time: ";

/// Creates a timeout error.
pub(super) fn late(why: &str) -> StoreError {
    StoreError::Unavailable(format!("{LATE}{why}"))
}

/// Returns true for a timeout error.
pub(super) fn is_late(e: &StoreError) -> bool {
    matches!(e, StoreError::Unavailable(why) if why.starts_with(LATE))
}

/// Converts an error of the connection pool.
pub(super) fn no_connection(e: deadpool_postgres::PoolError) -> StoreError {
    match e {
        deadpool_postgres::PoolError::Backend(e) => failed(e),
        other => StoreError::Unavailable(format!("no connection to the database: {other}")),
    }
}

/// Describes a failure with its causes: those of the driver are silent by themselves.
pub(super) fn text(e: &Error) -> String {
    if let Some(e) = e.as_db_error() {
        return format!("{} ({})", e.message(), e.code().code());
    }
    let mut said = e.to_string();
    let mut next = std::error::Error::source(e);
    while let Some(source) = next {
        // Writing to a string cannot fail.
        let _ = write!(said, ": {source}");
        next = source.source();
    }
    said
}

/// Returns true if the server cannot be used at the moment: it starts, stops, takes no writes or no more
/// connections, or is not reached. A server that is reached and refuses is another matter, as is one with
/// another name than its certificate.
pub(super) fn is_away(e: &Error) -> bool {
    if let Some(code) = e.code() {
        // Too many connections; a standby, which refuses to write; beside what `is_broken` knows.
        return matches!(code.code(), "53300" | "0A000") || is_broken(e);
    }
    let source = std::error::Error::source(e).and_then(|source| source.downcast_ref::<io::Error>());
    e.is_closed()
        || source
            .is_some_and(|e| !matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}

/// Returns true if the connection is gone, or its server is going: another one may do.
pub(super) fn is_broken(e: &Error) -> bool {
    e.is_closed()
        || e.as_db_error().is_none()
        || e.code().is_some_and(|code| {
            // 08: connection; 57: an operator's intervention; 25006: the server takes no writes any more.
            code.code().starts_with("08") || code.code().starts_with("57P") || code.code() == "25006"
        })
}

/// Replaces the one character that no text of the database can have.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Reads a column's value; a value of another type than expected is damage.
pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    n: usize,
) -> Result<T, StoreError> {
    row.try_get(n).map_err(|e| StoreError::Corrupt(text(&e)))
}

/// Statement in the making, with its parameters in order.
#[derive(Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Sql {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Sql { text: text.into(), values: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(super) fn bind(&mut self, value: impl ToSql + Send + Sync + 'static) -> &mut Self {
        self.values.push(Box::new(value));
        // Writing to a string cannot fail.
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// ` AND condition value`
    pub(super) fn and(&mut self, condition: &str, value: impl ToSql + Send + Sync + 'static) -> &mut Self {
        self.push(" AND ").push(condition).bind(value)
    }

    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

/// The rows of a statement, by a cached preparation.
pub(super) async fn query(
    db: &impl GenericClient,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<tokio_postgres::Row>, StoreError> {
    let statement = db.prepare_cached(statement).await.map_err(failed)?;
    db.query(&statement, parameters).await.map_err(failed)
}

/// Runs a statement; returns the number of rows it changed.
pub(super) async fn execute(
    db: &impl GenericClient,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<u64, StoreError> {
    let statement = db.prepare_cached(statement).await.map_err(failed)?;
    db.execute(&statement, parameters).await.map_err(failed)
}

/// Reads a small number, kept as a signed one.
pub(super) fn number(row: &tokio_postgres::Row, n: usize) -> Result<u32, StoreError> {
    Ok(column::<i32>(row, n)? as u32)
}
