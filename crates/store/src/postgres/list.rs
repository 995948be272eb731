//! Lists: a page and the exact total, of one moment. Active tasks and history are one source to the planner,
//! which walks the index of history that fits and sorts the few active ones in.

use std::collections::HashSet;

use deadpool_postgres::GenericClient;
use longhaul_model::{TaskId, TaskStatus, Timestamp};

use super::rows::{HISTORY, HOT, Row, query};
use super::sql::{Sql, clean, column, failed};
use super::writes::found_by;
use crate::counters::WIDTHS;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::query::{NEWEST, OrderBy, TaskQuery};
use crate::stored::Page;

/// Answers a query inside a transaction that sees one moment.
pub(super) async fn list(
    db: &impl GenericClient,
    known: &Workflows,
    asked: &TaskQuery,
) -> Result<Page, StoreError> {
    let total = count(db, asked).await?;
    if total == 0 || asked.offset >= total || asked.limit == 0 {
        return Ok(Page { tasks: Vec::new(), total });
    }
    let page = page(asked, total);
    let rows = db.query(&page.text, &page.parameters()).await.map_err(failed)?;
    let mut tasks = Vec::with_capacity(rows.len());
    let mut room = asked.children;
    for row in &rows {
        tasks.push(Row::read(row)?.listed(db, known, &mut room).await?);
    }
    Ok(Page { tasks, total })
}

fn page(asked: &TaskQuery, total: u64) -> Sql {
    let direction = if asked.descending { "DESC" } else { "ASC" };
    // What has not ended comes before the first, as the index has it.
    let nulls = |column: &str| match (column, asked.descending) {
        ("completed_at", false) => " NULLS FIRST",
        ("completed_at", true) => " NULLS LAST",
        _ => "",
    };
    let order: Vec<String> =
        columns(asked.order).iter().map(|column| format!("{column} {direction}{}", nulls(column))).collect();
    let order = order.join(", ");
    let end = asked.offset.saturating_add(u64::from(asked.limit)).min(total);
    let end = i64::try_from(end).unwrap_or(i64::MAX);
    // Each side gives no more than the page may need.
    let mut sql = Sql::new("SELECT id, origin, version, name, doc, status FROM (");
    for (n, (source, row)) in [("hot", HOT), ("history", HISTORY)].into_iter().enumerate() {
        if n > 0 {
            sql.push(" UNION ALL ");
        }
        sql.push(&format!(
            "(SELECT {row}, sort_name, kind, created_at, completed_at FROM {source} WHERE true"
        ));
        filter(&mut sql, asked);
        sql.push(&format!(" ORDER BY {order} LIMIT ")).bind(end).push(")");
    }
    sql.push(&format!(") AS tasks ORDER BY {order} LIMIT ")).bind(i64::from(asked.limit));
    sql.push(" OFFSET ").bind(i64::try_from(asked.offset).unwrap_or(i64::MAX));
    sql
}

/// What an order sorts by.
fn columns(order: OrderBy) -> &'static [&'static str] {
    match order {
        OrderBy::Id => &["id"],
        OrderBy::Name => &["sort_name", "name", "id"],
        OrderBy::Kind => &["kind", "created_at", "id"],
        OrderBy::Status => &["status", "created_at", "id"],
        OrderBy::CreatedAt => &["created_at", "id"],
        OrderBy::CompletedAt => &["completed_at", "id"],
    }
}

/// ` AND …` for all that is asked for.
fn filter(sql: &mut Sql, asked: &TaskQuery) {
    if let Some(kind) = &asked.kind {
        sql.and("kind = ", clean(kind).to_ascii_lowercase());
    }
    statuses(sql, asked);
    if let Some(at) = asked.completed_after {
        sql.and("completed_at > ", at.0);
    }
    if let Some(part) = asked.name_contains.as_deref().filter(|part| !part.is_empty()) {
        let part = clean(part).to_lowercase();
        let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        sql.and("folded LIKE ", format!("%{escaped}%"));
    }
    if asked.resource_id.is_some() || asked.resource_kind.is_some() {
        let key = found_by(asked.resource_kind.as_deref(), asked.resource_id.as_deref());
        sql.push(" AND found_by @> ARRAY[").bind(key).push("]");
    }
}

/// ` AND status IN (…)`; with a completion time, only statuses that count as completed.
fn statuses(sql: &mut Sql, asked: &TaskQuery) {
    let wanted: Vec<String> = TaskStatus::ALL
        .into_iter()
        .filter(|status| asked.statuses.is_empty() || asked.statuses.contains(status))
        .filter(|status| asked.completed_after.is_none() || status.counts_as_completed())
        .map(|status| status.code().to_string())
        .collect();
    if wanted.len() < TaskStatus::ALL.len() {
        let codes = if wanted.is_empty() { "-1".to_owned() } else { wanted.join(", ") };
        sql.push(&format!(" AND status IN ({codes})"));
    }
}

/// The exact total. Type, status, type of resource and completion are counted in advance; a resource or a
/// name is counted along its index.
async fn count(db: &impl GenericClient, asked: &TaskQuery) -> Result<u64, StoreError> {
    let named = asked.name_contains.as_deref().is_some_and(|part| !part.is_empty());
    if asked.resource_id.is_none() && !named {
        return match asked.completed_after {
            None => counted(db, asked).await,
            Some(at) => completed(db, asked, at.0).await,
        };
    }
    let mut total = 0;
    for source in ["hot", "history"] {
        let mut all = Sql::new(format!("SELECT count(*) FROM {source} WHERE true"));
        filter(&mut all, asked);
        total += number(db, &all).await?;
    }
    Ok(total)
}

async fn counted(db: &impl GenericClient, asked: &TaskQuery) -> Result<u64, StoreError> {
    let mut all = Sql::new("SELECT coalesce(sum(n), 0)::bigint FROM counted WHERE true");
    cells(&mut all, asked);
    number(db, &all).await
}

fn cells(sql: &mut Sql, asked: &TaskQuery) {
    let kind = |text: &str| clean(text).to_ascii_lowercase();
    sql.and("resource_kind = ", asked.resource_kind.as_deref().map_or_else(String::new, kind));
    if let Some(of) = &asked.kind {
        sql.and("kind = ", kind(of));
    }
    statuses(sql, asked);
}

/// From the buckets of completions: whole days, then whole hours, minutes and seconds, then rows.
async fn completed(db: &impl GenericClient, asked: &TaskQuery, after: i64) -> Result<u64, StoreError> {
    // Exclusive: the first instant that counts.
    let first = after.saturating_add(1);
    let mut total = 0;
    // Everything from `until` on is counted already.
    let mut until = i64::MAX;
    for width in WIDTHS {
        let from = first.div_euclid(width) + i64::from(first.rem_euclid(width) != 0);
        let to = if until == i64::MAX { i64::MAX } else { until / width };
        if from < to {
            let mut bucket = Sql::new("SELECT coalesce(sum(n), 0)::bigint FROM completed WHERE true");
            bucket.and("width = ", width).and("bucket >= ", from).and("bucket < ", to);
            cells(&mut bucket, asked);
            total += number(db, &bucket).await?;
        }
        until = from.saturating_mul(width);
    }
    if first < until {
        for source in ["hot", "history"] {
            let mut rest = Sql::new(format!("SELECT count(*) FROM {source} WHERE true"));
            filter(&mut rest, asked);
            rest.and("completed_at < ", until);
            total += number(db, &rest).await?;
        }
    }
    Ok(total)
}

async fn number(db: &impl GenericClient, sql: &Sql) -> Result<u64, StoreError> {
    let row = db.query_one(&sql.text, &sql.parameters()).await.map_err(failed)?;
    Ok(column::<i64>(&row, 0)?.max(0) as u64)
}

/// Tasks by part of their id: by its beginning, a range of the keys; by its end, the newest
/// [`NEWEST`] tasks.
pub(super) async fn ids_like(
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

/// What is overdue for so long, in milliseconds, every node sees to.
const OVERDUE: i64 = 2_000;

/// Returns tasks with something due, oldest first, except those known to be damaged: tasks of the node's own
/// shards, and overdue ones of the others.
pub(super) async fn due(
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
