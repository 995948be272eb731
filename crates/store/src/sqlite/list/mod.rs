//! Lists: a page and the exact total, of one moment. Two sources are merged: the hot table, which is small
//! and scanned, and history, which is walked along the index that fits.

mod count;
mod filter;
mod merge;

use std::collections::HashSet;

use longhaul_model::{TaskId, Timestamp};
use rusqlite::Connection;

use super::failed::sql;
use super::{lenient, rows};
use crate::error::StoreError;
use crate::known::Workflows;
use crate::query::{NEWEST, TaskQuery};
use crate::stored::Page;

/// Answers a query inside a read transaction.
pub(super) fn list(
    connection: &Connection,
    workflows: &Workflows,
    query: &TaskQuery,
) -> Result<Page, StoreError> {
    let mut filter = filter::Filter::new(query);
    filter.look_up_name(connection)?;
    let total = count::count(connection, &filter)?;
    if total == 0 || query.offset >= total || query.limit == 0 {
        return Ok(Page { tasks: Vec::new(), total });
    }
    let places = merge::page(connection, &filter, total)?;
    let mut room = query.children;
    let tasks = places
        .into_iter()
        .map(|(hot, seq)| rows::at(connection, hot, seq)?.listed(connection, workflows, &mut room))
        .collect::<Result<_, _>>()?;
    Ok(Page { tasks, total })
}

/// Returns tasks by part of their ID: by its beginning, a range of the table of IDs; by its end, the hot
/// tasks and the newest [`NEWEST`] of history.
pub(super) fn ids_like(connection: &Connection, digits: &str, limit: u32) -> Result<Vec<TaskId>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT id FROM ids WHERE id BETWEEN unhex(substr(?1 || ?4, 1, 32)) AND unhex(substr(?1 || ?5, 1, 32))
             UNION
             SELECT id FROM (SELECT id FROM hot UNION ALL
               SELECT id FROM (SELECT id FROM history ORDER BY created_at DESC, id DESC LIMIT ?6)) WHERE substr(hex(id), -?2) = ?1
             ORDER BY id LIMIT ?3",
        )
        .map_err(sql)?;
    let upper = digits.to_ascii_uppercase();
    let found = statement
        .query_map(
            rusqlite::params![upper, digits.len() as i64, limit, "0".repeat(32), "F".repeat(32), NEWEST],
            |row| lenient::id(row, 0),
        )
        .and_then(Iterator::collect::<Result<Vec<Option<TaskId>>, _>>)
        .map_err(sql)?;
    Ok(found.into_iter().flatten().collect())
}

/// Returns tasks with something due, except those known to be damaged. A due date that is not a time counts
/// as due at once: the document decides.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
    damaged: &HashSet<TaskId>,
) -> Result<Vec<TaskId>, StoreError> {
    let part = |table: &str, what: &str| {
        format!(
            "SELECT * FROM (SELECT due_at, id, seq FROM {table} WHERE due_at {what} ORDER BY due_at LIMIT ?2)"
        )
    };
    let parts = [("hot", "<= ?1"), ("history", "<= ?1"), ("hot", ">= ''"), ("history", ">= ''")];
    let parts = parts.map(|(table, what)| part(table, what)).join(" UNION ALL ");
    let mut statement = connection
        .prepare_cached(&format!("SELECT id, seq FROM ({parts}) ORDER BY due_at LIMIT ?2"))
        .map_err(sql)?;
    let most = i64::from(limit) + damaged.len() as i64;
    let found = statement
        .query_map([now.0, most], |row| Ok((lenient::id(row, 0)?, row.get(1)?)))
        .and_then(Iterator::collect::<Result<Vec<(Option<TaskId>, i64)>, _>>)
        .map_err(sql)?;
    let ids = found.into_iter().map(|(id, seq)| id.map_or_else(|| lenient::id_of(connection, seq), Ok));
    let passed = ids.filter(|id| id.as_ref().map_or(true, |id| !damaged.contains(id)));
    passed.take(limit as usize).collect()
}
