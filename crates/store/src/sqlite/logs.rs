//! Logs: chunks behind each other, within the bounds of an attempt.

use longhaul_model::TaskId;
use rusqlite::{Connection, OptionalExtension, params};

use super::failed::sql;
use super::rows;
use super::writer::Writer;
use crate::doc;
use crate::error::StoreError;
use crate::logs::{LogChunk, LogLine, LogQuery, fitting};

/// Appends lines to a log; those beyond the limit of an attempt are left out, and the log says so.
pub(super) fn write(
    writer: &Writer,
    id: TaskId,
    sub_task: u32,
    attempt: u32,
    lines: &[LogLine],
) -> Result<(), StoreError> {
    let connection = &writer.connection;
    let seq = rows::seq(connection, id)?.ok_or(StoreError::NotFound)?;
    let total = written(connection, seq, sub_task, attempt)?;
    for (kept, total) in fitting(lines, total) {
        let (number, text) = (next(connection, seq)?, doc::text(&kept)?);
        connection
            .prepare_cached(
                "INSERT INTO logs (seq, n, sub_task, attempt, lines, total, doc) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .and_then(|mut s| {
                s.execute(params![seq, number, sub_task, attempt, kept.len() as i64, total as i64, text])
            })
            .map_err(sql)?;
    }
    Ok(())
}

/// Bytes that an attempt has written.
fn written(connection: &Connection, seq: i64, sub_task: u32, attempt: u32) -> Result<u64, StoreError> {
    connection
        .prepare_cached(
            "SELECT total FROM logs WHERE seq = ? AND sub_task = ? AND attempt = ? ORDER BY n DESC LIMIT 1",
        )
        .and_then(|mut s| s.query_row(params![seq, sub_task, attempt], |row| row.get::<_, i64>(0)).optional())
        .map(|total| total.map_or(0, |total| total as u64))
        .map_err(sql)
}

/// The number of a task's next line.
fn next(connection: &Connection, seq: i64) -> Result<i64, StoreError> {
    connection
        .prepare_cached("SELECT n + lines FROM logs WHERE seq = ? ORDER BY n DESC LIMIT 1")
        .and_then(|mut s| s.query_row([seq], |row| row.get(0)).optional())
        .map(|next| next.unwrap_or(1))
        .map_err(sql)
}

/// Returns the chunks with the requested lines; the first may begin before them.
pub(super) fn read(
    connection: &Connection,
    id: TaskId,
    query: &LogQuery,
) -> Result<Vec<LogChunk>, StoreError> {
    let seq = rows::seq(connection, id)?.ok_or(StoreError::NotFound)?;
    let mut statement = connection
        .prepare_cached(
            "SELECT n, sub_task, attempt, lines, doc FROM logs
             WHERE seq = ?1 AND n + lines > ?2 AND n >= coalesce(
               (SELECT max(n) FROM logs WHERE seq = ?1 AND n <= ?2), 0)
             AND (?3 IS NULL OR sub_task = ?3) ORDER BY n",
        )
        .map_err(sql)?;
    let from = i64::try_from(query.after).unwrap_or(i64::MAX - 1).saturating_add(1);
    let mut rows = statement.query(params![seq, from, query.sub_task]).map_err(sql)?;
    let (mut chunks, mut lines) = (Vec::new(), 0);
    while lines < query.limit
        && let Some(row) = rows.next().map_err(sql)?
    {
        let (number, count): (i64, i64) = (row.get(0).map_err(sql)?, row.get(3).map_err(sql)?);
        let text: String = row.get(4).map_err(sql)?;
        let chunk = LogChunk {
            number: number as u64,
            sub_task: row.get(1).map_err(sql)?,
            attempt: row.get(2).map_err(sql)?,
            lines: doc::part("logs", &text)?,
        };
        lines += (number + count - from.max(number)).max(0) as usize;
        chunks.push(chunk);
    }
    Ok(chunks)
}
