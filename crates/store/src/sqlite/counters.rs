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
    }
    Ok(())
}
