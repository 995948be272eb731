//! The attempts of a task.

use longhaul_model::{Attempt, TaskId};
use rusqlite::Connection;

use super::rows;
use crate::attempts::whole;
use crate::doc;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::stored::Stored;

pub(super) fn attempts(
    connection: &Connection,
    workflows: &Workflows,
    id: TaskId,
) -> Result<Vec<Attempt>, StoreError> {
    let row = rows::find(connection, id)?.ok_or(StoreError::NotFound)?;
    let seq = row.seq;
    let Stored::Own(record) = row.stored(connection, workflows)? else { return Ok(Vec::new()) };
    let kept = rows::texts(connection, "SELECT doc FROM attempts WHERE seq = ?", seq)?
        .iter()
        .map(|text| doc::parse(text))
        .collect::<Result<_, _>>()?;
    Ok(whole(kept, &record))
}
