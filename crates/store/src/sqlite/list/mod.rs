//! Lists: a page and the exact total, of one moment. Two sources are merged: the hot table, which is small and
//! scanned, and history, which is walked along the index that fits.

mod count;
mod filter;
mod merge;

use longhaul_model::Timestamp;
use rusqlite::Connection;

use super::rows;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::query::TaskQuery;
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

/// Tasks that have something due.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<longhaul_model::TaskId>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT id FROM (SELECT * FROM (SELECT due_at, id FROM hot WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2)
             UNION ALL
             SELECT * FROM (SELECT due_at, id FROM history WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2))
             ORDER BY due_at LIMIT ?2",
        )
        .map_err(rows::sql)?;
    let ids = statement
        .query_map([now.0, i64::from(limit)], |row| row.get(0).map(longhaul_model::TaskId::from_bytes))
        .map_err(rows::sql)?;
    ids.collect::<Result<_, _>>().map_err(rows::sql)
}
