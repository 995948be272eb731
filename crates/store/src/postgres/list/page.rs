//! Ids of a page, in its order.

use deadpool_postgres::GenericClient;
use uuid::Uuid;

use super::count;
use super::filter::{Filter, MAY_BE_CUT, has_resource};
use crate::error::StoreError;
use crate::postgres::sql::{Sql, column, failed};
use crate::query::{OrderBy, TaskQuery};

/// Number of matches up to which it is quicker to take all of them and sort than to walk along the order.
const FEW: u64 = 3_000;
/// Cost of a row that is read, in multiples of an entry of an index.
const ROW: u128 = 30;
/// Settings of a walk: the planner does not know how many rows match, and would gather what it takes for few.
const WALKING: &str =
    "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off";
/// Number of rows at the beginning of the order of ids in which a page must be, for that order to be walked.
const PROBED: u64 = 2_000;

/// Way to the rows of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Along the order, until there are enough.
    Walk,
    /// All matches, by the index that leads to the fewest rows; then they are sorted.
    Gather,
}

/// Returns the ids of the page of a query with `total` matches.
pub(super) async fn ids(
    db: &impl GenericClient,
    asked: &TaskQuery,
    total: u64,
) -> Result<Vec<Uuid>, StoreError> {
    let spared = without_needless(db, asked, total).await?;
    let asked = spared.as_ref().unwrap_or(asked);
    let way = way(db, asked, total).await?;
    if way == Way::Walk && has_filter(asked) {
        db.batch_execute(WALKING).await.map_err(failed)?;
    }
    if asked.order == OrderBy::Name {
        let found = read(db, &statement(asked, total, way, NAMES)).await?;
        // Only among names longer than the key their rest decides.
        if found.iter().all(|(_, cut)| !cut) {
            return Ok(found.into_iter().map(|(id, _)| id).collect());
        }
    }
    let found = read(db, &statement(asked, total, way, columns(asked.order))).await?;
    Ok(found.into_iter().map(|(id, _)| id).collect())
}

/// Returns the query without the type of resource, where every task that matches the rest has one of it: no
/// index of an order has resources, so that a deep page would read every row before it.
async fn without_needless(
    db: &impl GenericClient,
    asked: &TaskQuery,
    total: u64,
) -> Result<Option<TaskQuery>, StoreError> {
    let named = asked.name_contains.as_deref().is_some_and(|part| !part.is_empty());
    if asked.resource_kind.is_none() || asked.resource_id.is_some() || named || total <= FEW {
        return Ok(None);
    }
    let rest = TaskQuery { resource_kind: None, ..asked.clone() };
    Ok((count::count(db, &rest).await? == total).then_some(rest))
}

fn has_filter(asked: &TaskQuery) -> bool {
    *asked
        != TaskQuery {
            order: asked.order,
            descending: asked.descending,
            offset: asked.offset,
            limit: asked.limit,
            children: asked.children,
            ..TaskQuery::default()
        }
}

async fn way(db: &impl GenericClient, asked: &TaskQuery, total: u64) -> Result<Way, StoreError> {
    if !has_filter(asked) {
        return Ok(Way::Walk);
    }
    if total <= FEW || is_far(asked, total, count::count(db, &TaskQuery::default()).await?) {
        return Ok(Way::Gather);
    }
    if asked.order != OrderBy::Id {
        return Ok(Way::Walk);
    }
    // The index of ids has nothing to test a filter by: each row before the page is read. Ids are in the
    // order of creation, so the first match may be behind half of history.
    let end = end(asked, total);
    let direction = direction(asked);
    let mut probe = Sql::new(format!(
        "SELECT count(*) FROM (
           SELECT 1 FROM (SELECT * FROM history ORDER BY id {direction} LIMIT {PROBED}) AS history WHERE true"
    ));
    Filter::walking(asked).add_to(&mut probe, "history");
    probe.push(" LIMIT ").bind(end).push(") AS found");
    Ok(if count::number(db, &probe).await? >= end.unsigned_abs() { Way::Walk } else { Way::Gather })
}

/// Returns true if a walk along the order of all `stored` tasks passes so many of them before the end of the
/// page that it takes longer than to gather the `total` that match.
fn is_far(asked: &TaskQuery, total: u64, stored: u64) -> bool {
    let named = asked.name_contains.as_deref().is_some_and(|part| !part.is_empty());
    // The index of the order of names has the names.
    let reads_rows =
        named && asked.order != OrderBy::Name || has_resource(asked) || asked.order == OrderBy::Id;
    let passed = u128::from(end(asked, total).unsigned_abs()) * u128::from(stored) / u128::from(total.max(1));
    let walk = if reads_rows { passed * ROW } else { passed };
    u128::from(total) * ROW < walk
}

fn direction(asked: &TaskQuery) -> &'static str {
    if asked.descending { "DESC" } else { "ASC" }
}

/// Returns the number of rows up to the end of the page.
fn end(asked: &TaskQuery, total: u64) -> i64 {
    let end = asked.offset.saturating_add(u64::from(asked.limit)).min(total);
    i64::try_from(end).unwrap_or(i64::MAX)
}

/// Columns of [`OrderBy::Name`] where no name of the page is longer than its key.
const NAMES: &[&str] = &["sort_name", "id"];

/// Columns that an order sorts by.
pub(super) fn columns(order: OrderBy) -> &'static [&'static str] {
    match order {
        OrderBy::Id => &["id"],
        OrderBy::Name => &["sort_name", "name", "id"],
        OrderBy::Kind => &["kind", "created_at", "id"],
        OrderBy::Status => &["status", "created_at", "id"],
        OrderBy::CreatedAt => &["created_at", "id"],
        OrderBy::CompletedAt => &["completed_at", "id"],
    }
}

/// The columns of an order as SQL sorts by them.
pub(super) fn order(asked: &TaskQuery, columns: &[&str]) -> String {
    // What has not ended comes before the first, as the index has it.
    let nulls = |column: &str| match (column, asked.descending) {
        ("completed_at", false) => " NULLS FIRST",
        ("completed_at", true) => " NULLS LAST",
        _ => "",
    };
    let sorted = |column: &&str| format!("{column} {}{}", direction(asked), nulls(column));
    columns.iter().map(sorted).collect::<Vec<_>>().join(", ")
}

/// Statement for the ids of a page; each source gives no more than the page may need.
fn statement(asked: &TaskQuery, total: u64, way: Way, columns: &[&str]) -> Sql {
    let order = order(asked, columns);
    let columns = columns.join(", ");
    let cut = match columns.starts_with("sort_name") {
        true => format!("octet_length(sort_name) >= {MAY_BE_CUT}"),
        false => "false".to_owned(),
    };
    let filter = match way {
        Way::Walk => Filter::walking(asked),
        Way::Gather => Filter::gathering(asked),
    };
    let end = end(asked, total);
    let mut sql = Sql::new(format!("SELECT id, {cut} FROM ("));
    for (n, source) in ["hot", "history"].into_iter().enumerate() {
        sql.push(if n > 0 { " UNION ALL (SELECT * FROM (" } else { "(SELECT * FROM (" });
        sql.push(&format!("SELECT {columns} FROM {source} WHERE true"));
        filter.add_to(&mut sql, source);
        // A subquery with an offset is planned for itself: without regard to the order and the limit.
        sql.push(if way == Way::Gather { " OFFSET 0" } else { "" });
        sql.push(&format!(") AS {source} ORDER BY {order} LIMIT ")).bind(end).push(")");
    }
    sql.push(&format!(") AS tasks ORDER BY {order} LIMIT ")).bind(i64::from(asked.limit));
    sql.push(" OFFSET ").bind(i64::try_from(asked.offset).unwrap_or(i64::MAX));
    sql
}

/// Reads ids, each with the mark of a name that may be longer than its key.
async fn read(db: &impl GenericClient, sql: &Sql) -> Result<Vec<(Uuid, bool)>, StoreError> {
    let rows = db.query(&sql.text, &sql.parameters()).await.map_err(failed)?;
    rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).collect()
}
