//! Tasks by a part of their id, and tasks with something due.

use std::collections::HashSet;

use deadpool_postgres::GenericClient;
use longhaul_model::{TaskId, Timestamp};

use crate::error::StoreError;
use crate::postgres::sql::{column, query};
use crate::query::NEWEST;

/// Tasks by part of their id: by its beginning, a range of the keys; by its end, the newest
/// [`NEWEST`] tasks.
pub(in crate::postgres) async fn ids_like(
    db: &impl GenericClient,
    digits: &str,
    limit: u32,
) -> Result<Vec<TaskId>, StoreError> {
    let statement = "WITH first AS (SELECT rpad($1, 32, '0')::uuid AS low, rpad($1, 32, 'f')::uuid AS high)
         SELECT id FROM (
           SELECT h.id FROM hot h, first WHERE h.id BETWEEN low AND high UNION
           SELECT h.id FROM history h, first WHERE h.id BETWEEN low AND high UNION
           SELECT id FROM (
             (SELECT id FROM hot ORDER BY created_at DESC, id DESC LIMIT $4) UNION
             (SELECT id FROM history ORDER BY created_at DESC, id DESC LIMIT $4)
           ) AS newest WHERE right(replace(id::text, '-', ''), $2) = $1
         ) AS tasks ORDER BY id LIMIT $3";
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let rows = query(db, statement, &[&digits, &length, &i64::from(limit), &i64::from(NEWEST)]).await?;
    rows.iter().map(|row| column(row, 0).map(TaskId)).collect()
}

/// Delay in milliseconds from which an overdue task is every node's concern.
const OVERDUE: i64 = 2_000;

/// Returns tasks with something due, oldest first, except those known to be damaged: tasks of the node's own
/// shards, and overdue ones of the others.
pub(in crate::postgres) async fn due(
    db: &impl GenericClient,
    now: Timestamp,
    limit: u32,
    (parts, part): (i16, i16),
    damaged: &HashSet<TaskId>,
) -> Result<Vec<TaskId>, StoreError> {
    let own = "due_at <= $1 AND (due_at <= $3 OR shard % $4 = $5)";
    let statement = format!(
        "SELECT id FROM (
           (SELECT due_at, id FROM hot WHERE {own} ORDER BY due_at LIMIT $2) UNION ALL
           (SELECT due_at, id FROM history WHERE {own} ORDER BY due_at LIMIT $2)) AS due
         ORDER BY due_at LIMIT $2"
    );
    let overdue = now.0 - OVERDUE;
    let rows =
        query(db, &statement, &[&now.0, &(i64::from(limit) + damaged.len() as i64), &overdue, &parts, &part])
            .await?;
    let ids = rows.iter().map(|row| column(row, 0).map(TaskId));
    let passed = ids.filter(|id| id.as_ref().map_or(true, |id| !damaged.contains(id)));
    passed.take(limit as usize).collect()
}
