//! Sweep of outputs: finds sub-tasks under way whose output is stored. Read-only: the model decides what
//! becomes of them, so several nodes may sweep at once. Each step looks at a limited number of documents, and
//! the next one continues after them.

use deadpool_postgres::GenericClient;
use longhaul_model::{TaskId, TaskStatus};
use serde_json::Value;
use uuid::Uuid;

use super::sql::{column, number, query};
use crate::doc::{self, CHUNK};
use crate::error::StoreError;
use crate::lost::Lost;

/// Maximum number of documents that one step looks at.
const LOOKED_AT: usize = 128;

/// Tasks read in one query: those behind a large one are read again.
const TASKS_READ: usize = 16;

/// Position of the sweep.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    /// The last task looked at.
    id: Uuid,
    /// Last chunk of the task that was looked at, if there may be more.
    chunk: Option<u32>,
}

impl Cursor {
    /// Returns true before the first step.
    pub(super) fn is_at_start(self) -> bool {
        self.id.is_nil() && self.chunk.is_none()
    }
}

/// Returns true if no running task has outputs.
pub(super) async fn none_runs(db: &impl GenericClient) -> Result<bool, StoreError> {
    let running = i16::from(TaskStatus::InProgress.code());
    Ok(query(db, TASKS, &[&Uuid::nil(), &running, &(CHUNK as i32), &1_i64]).await?.is_empty())
}

/// Runs one step in a transaction that sees one moment; returns what it found, and where the next one starts
/// unless everything was looked at.
pub(super) async fn lost(
    db: &impl GenericClient,
    mut cursor: Cursor,
) -> Result<(Vec<Lost>, Option<Cursor>), StoreError> {
    let (mut found, mut room) = (Vec::new(), LOOKED_AT);
    while room > 0 {
        if let Some(after) = cursor.chunk {
            let of = [&cursor.id as _, &(after as i32) as _, &(CHUNK as i32) as _, &(room as i64) as _];
            let rows = query(db, CHUNKS, &of).await?;
            for row in &rows {
                let n = number(row, 0)?;
                cursor.chunk = Some(n);
                found.extend(contradicted(db, cursor.id, n, row).await?);
            }
            if rows.len() < room {
                cursor.chunk = None;
            }
            room -= rows.len();
            continue;
        }
        let limit = room.min(TASKS_READ) as i64;
        let running = i16::from(TaskStatus::InProgress.code());
        let rows = query(db, TASKS, &[&cursor.id, &running, &(CHUNK as i32), &limit]).await?;
        for row in &rows {
            cursor.id = column(row, 0)?;
            room -= 1;
            found.extend(contradicted(db, cursor.id, 0, row).await?);
            if doc::says_large(column(row, 1)?) {
                // Its chunks come before the next task.
                cursor.chunk = Some(0);
                break;
            }
        }
        if rows.is_empty() {
            return Ok((found, None));
        }
    }
    Ok((found, Some(cursor)))
}

/// Returns the outputs that contradict a document: number or id, document, indexes of the outputs stored.
async fn contradicted(
    db: &impl GenericClient,
    id: Uuid,
    n: u32,
    row: &tokio_postgres::Row,
) -> Result<Option<Lost>, StoreError> {
    let has: Vec<i32> = column(row, 2)?;
    let awaiting = doc::awaiting_output(column(row, 1)?, n);
    let of: Vec<i32> = awaiting.into_iter().map(|index| index as i32).filter(|i| has.contains(i)).collect();
    if of.is_empty() {
        return Ok(None);
    }
    let statement = "SELECT sub_task, doc FROM outputs WHERE id = $1 AND sub_task = ANY($2)";
    let mut outputs = Vec::new();
    for row in &query(db, statement, &[&id, &of]).await? {
        // An unreadable output is left out.
        let output = doc::parse(column(row, 1)?).ok();
        outputs.extend(output.map(|output| Ok((number(row, 0)?, output))));
    }
    let outputs: Vec<(u32, Value)> = outputs.into_iter().collect::<Result<_, StoreError>>()?;
    Ok((!outputs.is_empty()).then_some((TaskId(id), outputs)))
}

/// Query for running tasks with outputs, after a task, and which of their first sub-tasks have one.
const TASKS: &str = "SELECT id, doc,
       ARRAY(SELECT sub_task FROM outputs WHERE outputs.id = hot.id AND sub_task < $3)
     FROM hot WHERE id > $1 AND status = $2 AND EXISTS (SELECT 1 FROM outputs WHERE outputs.id = hot.id)
     ORDER BY id LIMIT $4";

/// Query for the chunks of a task with outputs, after a chunk, and which of their sub-tasks have one.
const CHUNKS: &str = "SELECT n, doc,
       ARRAY(SELECT sub_task FROM outputs WHERE outputs.id = $1 AND sub_task >= n * $3 AND sub_task < (n + 1) * $3)
     FROM chunks WHERE id = $1 AND n > $2 AND EXISTS (SELECT 1 FROM outputs
       WHERE outputs.id = $1 AND sub_task >= n * $3 AND sub_task < (n + 1) * $3)
     ORDER BY n LIMIT $4";
