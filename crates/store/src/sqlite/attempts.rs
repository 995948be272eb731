//! The attempts of a task.

use longhaul_model::{Attempt, TaskId};
use rusqlite::Connection;

use super::{lenient, rows};
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
    let mut statement =
        connection.prepare_cached("SELECT doc FROM attempts WHERE seq = ?").map_err(rows::sql)?;
    let texts = statement
        .query_map([seq], |row| lenient::text(row, 0))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(rows::sql)?;
    // An unreadable attempt is left out and does not affect the others.
    let kept = texts.iter().filter_map(|text| doc::parse(text.as_ref().ok()?).ok()).collect();
    Ok(whole(kept, &record))
}
