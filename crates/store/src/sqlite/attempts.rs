//! The attempts of a task.

use longhaul_model::{Attempt, TaskId};
use rusqlite::Connection;

use super::failed::sql;
use super::{lenient, rows};
use crate::attempts::{read, whole};
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
    let record = match row.stored(connection, workflows)? {
        Stored::Own(record) => record,
        Stored::Imported { .. } => return Ok(Vec::new()),
        Stored::Damaged(damaged) => return Err(StoreError::Corrupt(damaged.why)),
    };
    let mut statement =
        connection.prepare_cached("SELECT sub_task, number, doc FROM attempts WHERE seq = ?").map_err(sql)?;
    let number = |row: &rusqlite::Row<'_>, n| -> rusqlite::Result<u32> {
        Ok(lenient::int(row, n)?.and_then(|number| u32::try_from(number).ok()).unwrap_or(u32::MAX))
    };
    let kept = statement
        .query_map([seq], |row| {
            let text = lenient::text(row, 2)?;
            Ok(read(number(row, 0)?, number(row, 1)?, text.as_deref().map_err(Clone::clone)))
        })
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(sql)?;
    Ok(whole(kept, &record))
}
