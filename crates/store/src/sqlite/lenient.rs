//! Lenient reading of columns. SQLite stores values of any type whatever the column's declaration, and a file
//! may be damaged: a value of an unexpected type affects its own row and nothing else.

use std::cmp::Ordering;

use longhaul_model::{TaskId, TaskStatus};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::failed::sql;
use crate::error::StoreError;

/// Reads a text; the inner error says why the value is not one.
pub(super) fn text(row: &Row<'_>, n: usize) -> rusqlite::Result<Result<String, String>> {
    let column = || row.as_ref().column_name(n).map(str::to_owned).unwrap_or_default();
    Ok(match row.get_ref(n)? {
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(e) => Err(format!("its column `{}` is not valid UTF-8: {e}", column())),
        },
        other => Err(format!("its column `{}` is no text but {}", column(), other.data_type())),
    })
}

/// Reads any value as text for display.
pub(super) fn shown(row: &Row<'_>, n: usize) -> rusqlite::Result<String> {
    Ok(match row.get_ref(n)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Null => String::new(),
    })
}

/// Reads an integer; `None` for any other value.
pub(super) fn int(row: &Row<'_>, n: usize) -> rusqlite::Result<Option<i64>> {
    Ok(row.get_ref(n)?.as_i64().ok())
}

/// Reads a status; `None` for any other value.
pub(super) fn status(row: &Row<'_>, n: usize) -> rusqlite::Result<Option<TaskStatus>> {
    Ok(int(row, n)?.and_then(|code| u8::try_from(code).ok()).and_then(TaskStatus::from_code))
}

/// Reads the sixteen bytes of an id; `None` for any other value.
pub(super) fn id(row: &Row<'_>, n: usize) -> rusqlite::Result<Option<TaskId>> {
    let bytes = row.get_ref(n)?.as_blob().ok().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
    Ok(bytes.map(TaskId::from_bytes))
}

/// Returns an id for a row that has lost its own: from the table of ids, or made up from the row's number, so
/// that the task can be named at all.
pub(super) fn id_of(connection: &Connection, seq: i64) -> Result<TaskId, StoreError> {
    // No index covers `seq` here: such rows are very rare.
    let known = connection
        .prepare_cached("SELECT id FROM ids WHERE seq = ?")
        .and_then(|mut s| s.query_row([seq], |row| id(row, 0)).optional())
        .map_err(sql)?;
    Ok(known.flatten().unwrap_or_else(|| made_up(seq)))
}

fn made_up(seq: i64) -> TaskId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&seq.to_be_bytes());
    TaskId::from_bytes(bytes)
}

/// Returns the row's number in a made-up id.
pub(super) fn seq_in(id: TaskId) -> Option<i64> {
    let (zeros, number) = id.as_bytes().split_at(8);
    let number = <[u8; 8]>::try_from(number).ok().map(i64::from_be_bytes)?;
    (zeros == [0; 8] && number > 0).then_some(number)
}

/// Keeps a row of a table whose rows are independent: a damaged one is logged and skipped.
pub(super) fn whole<T>(table: &str, row: rusqlite::Result<T>) -> Option<Result<T, StoreError>> {
    match row.map_err(sql) {
        Err(StoreError::Corrupt(why)) => {
            tracing::error!(table, error = why, "a row cannot be read and is passed over");
            None
        }
        row => Some(row),
    }
}

/// A sort key of any type.
#[derive(Clone, Debug)]
pub(super) enum Key {
    Null,
    Int(i64),
    Real(f64),
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl Key {
    pub(super) fn read(row: &Row<'_>, n: usize) -> rusqlite::Result<Key> {
        Ok(match row.get_ref(n)? {
            ValueRef::Null => Key::Null,
            ValueRef::Integer(number) => Key::Int(number),
            ValueRef::Real(number) => Key::Real(number),
            ValueRef::Text(bytes) => Key::Text(bytes.to_vec()),
            ValueRef::Blob(bytes) => Key::Blob(bytes.to_vec()),
        })
    }

    /// Compares like SQLite: nulls first, then numbers, texts, and blobs; `folded` ignores ASCII case.
    pub(super) fn compare(&self, other: &Key, folded: bool) -> Ordering {
        match (self, other) {
            (Key::Int(a), Key::Int(b)) => a.cmp(b),
            (Key::Int(a), Key::Real(b)) => (*a as f64).total_cmp(b),
            (Key::Real(a), Key::Int(b)) => a.total_cmp(&(*b as f64)),
            (Key::Real(a), Key::Real(b)) => a.total_cmp(b),
            (Key::Text(a), Key::Text(b)) if folded => a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase()),
            (Key::Text(a), Key::Text(b)) | (Key::Blob(a), Key::Blob(b)) => a.cmp(b),
            _ => self.kind().cmp(&other.kind()),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Key::Null => 0,
            Key::Int(_) | Key::Real(_) => 1,
            Key::Text(_) => 2,
            Key::Blob(_) => 3,
        }
    }
}
