//! Rows of the counters: collected over a batch, written once with it.

use rusqlite::{Connection, params};

use super::failed::sql;
use super::rows;
use crate::counters::Counters;
use crate::error::StoreError;

/// Recounts everything if a counter is damaged. Meant for the start: the check reads only the few counters,
/// and a recount, which reads all tasks, is rare.
pub(super) fn mend(connection: &Connection) -> Result<(), StoreError> {
    let damaged =
        "SELECT EXISTS (SELECT 1 FROM counters WHERE typeof(kind) <> 'text' OR typeof(status) <> 'integer'
         OR typeof(resource_kind) <> 'text' OR typeof(n) <> 'integer' OR n < 0)";
    if !connection.query_row(damaged, [], |row| row.get::<_, bool>(0)).map_err(sql)? {
        return Ok(());
    }
    tracing::error!("the counters are damaged, and all tasks are counted anew");
    recount(connection)
}

/// Recounts all tasks.
pub(super) fn recount(connection: &Connection) -> Result<(), StoreError> {
    let transaction = connection.unchecked_transaction().map_err(sql)?;
    transaction.execute_batch("DELETE FROM counters; DELETE FROM completions").map_err(sql)?;
    let mut counters = Counters::default();
    for (table, hot) in [("hot", true), ("history", false)] {
        let mut statement = transaction.prepare(&format!("SELECT seq FROM {table}")).map_err(sql)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(sql)?;
        for seq in rows {
            if let Some(counting) = rows::counting(&transaction, hot, seq.map_err(sql)?)? {
                counters.add(counting.counted());
            }
        }
    }
    write(&mut counters, &transaction)?;
    transaction.commit().map_err(sql)
}

/// Writes the changes of the batch, inside its transaction.
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
            // The number of buckets keeps growing, so a bucket that counts nothing is deleted.
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
