//! Idempotency keys: the same key and request give the same task within the key's lifetime.

use longhaul_model::{TaskId, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::failed::sql;
use super::rows;
use super::writer::Writer;
use crate::error::StoreError;
use crate::stored::{IdempotencyKey, Submitted};

/// Minimum lifetime of an idempotency key in milliseconds.
const KEY_LIFE: i64 = 48 * 3_600_000;

/// Returns the task that an earlier request with the key made.
pub(super) fn replay(writer: &Writer, key: &IdempotencyKey) -> Result<Option<Submitted>, StoreError> {
    let connection = &writer.connection;
    let found: Option<(Vec<u8>, i64)> = connection
        .prepare_cached("SELECT fingerprint, seq FROM keys WHERE principal = ? AND key = ?")
        .and_then(|mut s| {
            s.query_row(params![key.principal, key.key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(sql)?;
    let Some((fingerprint, seq)) = found else { return Ok(None) };
    if fingerprint != key.fingerprint {
        return Err(StoreError::KeyReused);
    }
    let id = connection
        .prepare_cached("SELECT id FROM hot WHERE seq = ?1 UNION ALL SELECT id FROM history WHERE seq = ?1")
        .and_then(|mut s| s.query_row([seq], |row| row.get(0).map(TaskId::from_bytes)).optional())
        .map_err(sql)?;
    // The task was deleted since: the key is free again.
    let Some(row) = id.map(|id| rows::find(connection, id)).transpose()?.flatten() else {
        return Ok(None);
    };
    let task = row.stored(connection, &writer.shared.workflows)?;
    Ok(Some(Submitted { task, replayed: true }))
}

/// Records the key of a task.
pub(super) fn remember(
    writer: &Writer,
    key: &IdempotencyKey,
    seq: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let connection = &writer.connection;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO keys (principal, key, fingerprint, seq, created_at) VALUES (?, ?, ?, ?, ?)",
        )
        .and_then(|mut s| {
            s.execute(params![key.principal, key.key, &key.fingerprint[..], seq, now.0])
        })
        .map_err(sql)?;
    // Each new key deletes up to two expired ones, so the table stays small without a sweep.
    connection
        .prepare_cached(
            "DELETE FROM keys WHERE (principal, key) IN
             (SELECT principal, key FROM keys WHERE created_at < ? ORDER BY created_at LIMIT 2)",
        )
        .and_then(|mut s| s.execute([writer.env.lived().0 - KEY_LIFE]))
        .map(|_| ())
        .map_err(sql)
}
