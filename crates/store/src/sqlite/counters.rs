//! The counters' rows: collected over a batch, written once with it.

use rusqlite::{Connection, params};

use super::rows::sql;
use crate::counters::Counters;
use crate::error::StoreError;

/// Writes what the batch changed, inside its transaction.
pub(super) fn write(counters: &mut Counters, connection: &Connection) -> Result<(), StoreError> {
    for (cell, by) in counters.drain() {
        if cell.width == 0 {
            connection
                .prepare_cached(
                    "INSERT INTO counters (kind, status, resource_kind, n) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT DO UPDATE SET n = n + excluded.n",
                )
                .and_then(|mut s| s.execute(params![cell.kind, cell.status, cell.resource_kind, by]))
        } else {
            connection
                .prepare_cached(
                    "INSERT INTO completions (width, bucket, kind, status, resource_kind, n)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET n = n + excluded.n",
                )
                .and_then(|mut s| {
                    s.execute(params![
                        cell.width,
                        cell.bucket,
                        cell.kind,
                        cell.status,
                        cell.resource_kind,
                        by
                    ])
                })
        }
        .map_err(sql)?;
        if cell.width != 0 && by < 0 {
            // Of buckets there are more and more: one that counts nothing goes.
            connection
                .prepare_cached(
                    "DELETE FROM completions WHERE width = ?1 AND bucket = ?2 AND kind = ?3 AND status = ?4
                         AND resource_kind = ?5 AND n = 0",
                )
                .and_then(|mut s| {
                    s.execute(params![cell.width, cell.bucket, cell.kind, cell.status, cell.resource_kind])
                })
                .map_err(sql)?;
        }
    }
    Ok(())
}
