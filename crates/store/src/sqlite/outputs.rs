//! Sweep of outputs: finds sub-tasks under way whose output is stored. Read-only: the model decides what
//! becomes of them. Each step looks at a limited number of documents, and the next one continues after them.

use longhaul_model::{TaskId, TaskStatus};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::failed::sql;
use super::lenient;
use crate::doc::{self, CHUNK};
use crate::error::StoreError;
use crate::lost::Lost;

/// Maximum number of documents that one step looks at.
const LOOKED_AT: usize = 128;

/// Position of the sweep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    /// The last task looked at.
    seq: i64,
    /// Last chunk of the task that was looked at, if there may be more.
    chunk: Option<u32>,
}

impl Default for Cursor {
    fn default() -> Self {
        Cursor { seq: i64::MIN, chunk: None }
    }
}

/// Runs one step; returns what it found, and where the next one starts unless everything was looked at.
pub(super) fn lost(
    connection: &Connection,
    mut cursor: Cursor,
) -> Result<(Vec<Lost>, Option<Cursor>), StoreError> {
    let mut found = Vec::new();
    for _ in 0..LOOKED_AT {
        let (id, n, document) = match cursor.chunk {
            Some(last) => match next_chunk(connection, cursor.seq, last)? {
                Some(chunk) => chunk,
                None => {
                    cursor.chunk = None;
                    continue;
                }
            },
            None => match next_task(connection, cursor.seq)? {
                Some((seq, id, document)) => {
                    cursor.seq = seq;
                    (id, 0, document)
                }
                None => return Ok((found, None)),
            },
        };
        // Chunks of a task that has none are not looked for.
        cursor.chunk = (n > 0 || document.as_deref().is_ok_and(doc::says_large)).then_some(n);
        let (Some(id), Ok(document)) = (id, document) else { continue };
        let outputs = stored(connection, cursor.seq, doc::awaiting_output(&document, n))?;
        if !outputs.is_empty() {
            found.push((id, outputs));
        }
    }
    Ok((found, Some(cursor)))
}

type Text = Result<String, String>;

/// Returns the next running task with outputs after another one: row number, ID, document.
fn next_task(connection: &Connection, after: i64) -> Result<Option<(i64, Option<TaskId>, Text)>, StoreError> {
    let statement = "SELECT seq, id, doc FROM hot WHERE seq > ?1 AND status = ?2
         AND EXISTS (SELECT 1 FROM outputs WHERE outputs.seq = hot.seq) ORDER BY seq LIMIT 1";
    let running = TaskStatus::InProgress.code();
    connection
        .prepare_cached(statement)
        .and_then(|mut s| {
            let row =
                |row: &rusqlite::Row<'_>| Ok((row.get(0)?, lenient::id(row, 1)?, lenient::text(row, 2)?));
            s.query_row(params![after, running], row).optional()
        })
        .map_err(sql)
}

/// Returns the next chunk of a task with outputs after another one: the task's ID, the chunk's number, its
/// document.
fn next_chunk(
    connection: &Connection,
    seq: i64,
    after: u32,
) -> Result<Option<(Option<TaskId>, u32, Text)>, StoreError> {
    let statement = "SELECT hot.id, n, chunks.doc FROM chunks JOIN hot USING (seq)
         WHERE seq = ?1 AND n > ?2 AND EXISTS (SELECT 1 FROM outputs
           WHERE outputs.seq = ?1 AND sub_task >= n * ?3 AND sub_task < (n + 1) * ?3) ORDER BY n LIMIT 1";
    connection
        .prepare_cached(statement)
        .and_then(|mut s| {
            let row =
                |row: &rusqlite::Row<'_>| Ok((lenient::id(row, 0)?, row.get(1)?, lenient::text(row, 2)?));
            s.query_row(params![seq, after, CHUNK as i64], row).optional()
        })
        .map_err(sql)
}

/// Returns the outputs of some sub-tasks of a task; unreadable ones are left out.
fn stored(connection: &Connection, seq: i64, of: Vec<u32>) -> Result<Vec<(u32, Value)>, StoreError> {
    let mut outputs = Vec::new();
    for index in of {
        let document = connection
            .prepare_cached("SELECT doc FROM outputs WHERE seq = ? AND sub_task = ?")
            .and_then(|mut s| s.query_row(params![seq, index], |row| lenient::text(row, 0)).optional())
            .map_err(sql)?;
        outputs.extend(document.and_then(|text| Some((index, doc::parse(&text.ok()?).ok()?))));
    }
    Ok(outputs)
}
