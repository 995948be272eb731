//! Logs: chunks behind each other, within the bounds of an attempt.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use deadpool_postgres::GenericClient;
use longhaul_model::TaskId;

use super::rows;
use super::shard;
use super::sql::{column, execute, number, query};
use crate::doc;
use crate::error::StoreError;
use crate::logs::{LogChunk, LogLine, LogQuery, fitting};

/// Chunks on their way, and the current ends of the logs that they belong to.
#[derive(Default)]
pub(super) struct Logs {
    /// The number of each task's next line.
    next: HashMap<TaskId, i64>,
    /// Bytes that each attempt has written.
    written: HashMap<(TaskId, u32, u32), u64>,
    rows: Rows,
}

#[derive(Default)]
struct Rows {
    ids: Vec<uuid::Uuid>,
    shards: Vec<i16>,
    numbers: Vec<i64>,
    sub_tasks: Vec<i32>,
    attempts: Vec<i32>,
    lines: Vec<i64>,
    totals: Vec<i64>,
    docs: Vec<String>,
}

impl Logs {
    /// Appends lines to a log; those beyond the limit of an attempt are left out, and the log says so. The
    /// task is locked.
    pub(super) async fn add(
        &mut self,
        db: &impl GenericClient,
        id: TaskId,
        (sub_task, attempt): (u32, u32),
        lines: &[LogLine],
    ) -> Result<(), StoreError> {
        if let Entry::Vacant(place) = self.next.entry(id) {
            let statement = "SELECT n + lines FROM logs WHERE id = $1 ORDER BY n DESC LIMIT 1";
            let rows = query(db, statement, &[&id.0]).await?;
            place.insert(rows.first().map_or(Ok(1), |row| column(row, 0))?);
        }
        if let Entry::Vacant(place) = self.written.entry((id, sub_task, attempt)) {
            let statement = "SELECT total FROM logs WHERE id = $1 AND sub_task = $2 AND attempt = $3 ORDER BY n DESC LIMIT 1";
            let rows = query(db, statement, &[&id.0, &(sub_task as i32), &(attempt as i32)]).await?;
            place.insert(rows.first().map_or(Ok(0), |row| column::<i64>(row, 0))? as u64);
        }
        let next = self.next.entry(id).or_insert(1);
        let written = self.written.entry((id, sub_task, attempt)).or_insert(0);
        for (kept, total) in fitting(lines, *written) {
            let rows = &mut self.rows;
            rows.ids.push(id.0);
            rows.shards.push(shard(id));
            rows.numbers.push(*next);
            rows.sub_tasks.push(sub_task as i32);
            rows.attempts.push(attempt as i32);
            rows.lines.push(kept.len() as i64);
            rows.totals.push(total as i64);
            rows.docs.push(doc::text(&kept)?);
            *next += kept.len() as i64;
            *written = total;
        }
        Ok(())
    }

    /// Writes them inside the transaction.
    pub(super) async fn write(&self, db: &impl GenericClient) -> Result<(), StoreError> {
        let Rows { ids, shards, numbers, sub_tasks, attempts, lines, totals, docs } = &self.rows;
        if ids.is_empty() {
            return Ok(());
        }
        let statement = "INSERT INTO logs (id, shard, n, sub_task, attempt, lines, total, doc) SELECT * FROM unnest(
             $1::uuid[], $2::smallint[], $3::bigint[], $4::integer[], $5::integer[], $6::bigint[], $7::bigint[], $8::text[])";
        execute(db, statement, &[ids, shards, numbers, sub_tasks, attempts, lines, totals, docs])
            .await
            .map(drop)
    }
}

/// Returns the chunks with the requested lines; the first may begin before them.
pub(super) async fn read(
    db: &impl GenericClient,
    id: TaskId,
    asked: &LogQuery,
) -> Result<Vec<LogChunk>, StoreError> {
    rows::check(db, id).await?;
    // A chunk holds a line at least, so no more of them than lines are needed; the last of a page is read
    // whole.
    let statement = "SELECT n, sub_task, attempt, lines, doc FROM logs
         WHERE id = $1 AND n + lines > $2 AND n >= coalesce((SELECT max(n) FROM logs WHERE id = $1 AND n <= $2), 0)
         AND ($3::integer IS NULL OR sub_task = $3) ORDER BY n LIMIT $4";
    let from = i64::try_from(asked.after).unwrap_or(i64::MAX - 1).saturating_add(1);
    let most = i64::try_from(asked.limit).unwrap_or(i64::MAX);
    let rows = query(db, statement, &[&id.0, &from, &asked.sub_task.map(|n| n as i32), &most]).await?;
    let (mut chunks, mut lines) = (Vec::new(), 0);
    for row in &rows {
        if lines >= asked.limit {
            break;
        }
        let (first, count): (i64, i64) = (column(row, 0)?, column(row, 3)?);
        chunks.push(LogChunk {
            number: first as u64,
            sub_task: number(row, 1)?,
            attempt: number(row, 2)?,
            lines: doc::part("logs", column(row, 4)?)?,
        });
        lines += (first + count - from.max(first)).max(0) as usize;
    }
    Ok(chunks)
}
