//! The attempts of a task: those that history keeps, and the latest of each sub-task from the sub-task itself.

use longhaul_model::{Attempt, TaskId};
use rusqlite::Connection;

use super::workflows::Workflows;
use super::{doc, rows};
use crate::error::StoreError;
use crate::stored::Stored;

pub(super) fn attempts(
    connection: &Connection,
    workflows: &Workflows,
    id: TaskId,
) -> Result<Vec<Attempt>, StoreError> {
    let row = rows::find(connection, id)?.ok_or(StoreError::NotFound)?;
    let seq = row.seq;
    let Stored::Own(record) = row.stored(connection, workflows)? else { return Ok(Vec::new()) };
    let mut all: Vec<Attempt> = rows::texts(connection, "SELECT doc FROM attempts WHERE seq = ?", seq)?
        .iter()
        .map(|text| doc::parse(text))
        .collect::<Result<_, _>>()?;
    for latest in record.latest_attempts() {
        // An operator's verdict makes an attempt that history has as lost a success: history's word stays.
        if !all.iter().any(|kept| (kept.sub_task, kept.number) == (latest.sub_task, latest.number)) {
            all.push(latest);
        }
    }
    all.sort_by_key(|attempt| (attempt.started_at, attempt.sub_task, attempt.number));
    Ok(all)
}
