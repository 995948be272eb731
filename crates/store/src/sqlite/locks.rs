//! Resources that a task has for itself, while the model says so ([`longhaul_model::Record::holds_locks`]).

use longhaul_model::{Record, TaskId};
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::sql;
use crate::error::StoreError;

/// Refuses a task whose resources others hold.
pub(super) fn check(connection: &Connection, record: &Record) -> Result<(), StoreError> {
    let mut holders: Vec<TaskId> = Vec::new();
    for key in record.lock_keys() {
        let holder = connection
            .prepare_cached("SELECT id FROM ids WHERE seq = (SELECT seq FROM locks WHERE key = ?)")
            .and_then(|mut s| s.query_row([key], |row| row.get(0).map(TaskId::from_bytes)).optional())
            .map_err(sql)?;
        holders.extend(holder.filter(|holder| !holders.contains(holder)));
    }
    if holders.is_empty() { Ok(()) } else { Err(StoreError::Locked(holders)) }
}

/// Takes them; [`check`] found them free in the same transaction.
pub(super) fn take(connection: &Connection, seq: i64, record: &Record) -> Result<(), StoreError> {
    for key in record.lock_keys() {
        connection
            .prepare_cached("INSERT INTO locks (key, seq) VALUES (?, ?)")
            .and_then(|mut s| s.execute(params![key, seq]))
            .map_err(sql)?;
    }
    Ok(())
}

/// Lets go of them.
pub(super) fn release(connection: &Connection, seq: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM locks WHERE seq = ?")
        .and_then(|mut s| s.execute([seq]))
        .map(|_| ())
        .map_err(sql)
}
