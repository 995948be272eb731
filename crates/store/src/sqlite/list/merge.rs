//! Merge of two sources in one order into one page.

use std::cmp::Ordering;

use rusqlite::{Connection, params_from_iter};

use super::count::count;
use super::filter::{FEW, Filter, Sql};
use crate::error::StoreError;
use crate::query::{OrderBy, TaskQuery};
use crate::sqlite::failed::sql;
use crate::sqlite::lenient;

/// Sort key of a row.
struct Key {
    values: [lenient::Key; 2],
    id: lenient::Key,
    seq: i64,
}

/// Returns the page's rows: each one's number, and true if it is hot.
pub(super) fn page(
    connection: &Connection,
    filter: &Filter<'_>,
    total: u64,
) -> Result<Vec<(bool, i64)>, StoreError> {
    let query = filter.query;
    let end = query.offset.saturating_add(u64::from(query.limit)).min(total);
    let hot = keys(connection, hot_source(filter), query, 0, end)?;
    // At most all hot rows come before the page, so the other rows before it are history's, and can be left
    // out unread.
    let left_out = query.offset.saturating_sub(hot.len() as u64);
    let history =
        keys(connection, history_source(connection, filter, total)?, query, left_out, end - left_out)?;
    let before = match history.first() {
        Some(first) if left_out > 0 => {
            hot.iter().take_while(|key| compare(key, first, query).is_lt()).count()
        }
        _ => 0,
    };
    let skip = ((query.offset - left_out) as usize).saturating_sub(before);
    Ok(merged(&hot[before..], &history, query).skip(skip).take(query.limit as usize).collect())
}

fn merged<'a>(
    hot: &'a [Key],
    history: &'a [Key],
    query: &'a TaskQuery,
) -> impl Iterator<Item = (bool, i64)> + 'a {
    let (mut a, mut b) = (0, 0);
    std::iter::from_fn(move || match (hot.get(a), history.get(b)) {
        (None, None) => None,
        (Some(x), Some(y)) if compare(x, y, query).is_gt() => {
            b += 1;
            Some((false, y.seq))
        }
        (Some(x), _) => {
            a += 1;
            Some((true, x.seq))
        }
        (None, Some(y)) => {
            b += 1;
            Some((false, y.seq))
        }
    })
}

/// Compares like SQLite, in the direction of the query.
fn compare(a: &Key, b: &Key, query: &TaskQuery) -> Ordering {
    let folded = query.order == OrderBy::Kind;
    let order = a.values[0]
        .compare(&b.values[0], folded)
        .then_with(|| a.values[1].compare(&b.values[1], folded))
        .then_with(|| a.id.compare(&b.id, false));
    if query.descending { order.reverse() } else { order }
}

/// Returns the two columns that come before the ID.
fn columns(order: OrderBy) -> [&'static str; 2] {
    match order {
        OrderBy::Id => ["NULL", "NULL"],
        OrderBy::Name => ["name", "NULL"],
        OrderBy::Kind => ["kind", "created_at"],
        OrderBy::Status => ["status", "created_at"],
        OrderBy::CreatedAt => ["created_at", "NULL"],
        OrderBy::CompletedAt => ["completed_at", "NULL"],
    }
}

fn index(order: OrderBy) -> &'static str {
    match order {
        OrderBy::Id => "history_id",
        OrderBy::Name => "history_name",
        OrderBy::Kind => "history_kind",
        OrderBy::Status => "history_status",
        OrderBy::CreatedAt => "history_created",
        OrderBy::CompletedAt => "history_completed",
    }
}

fn hot_source(filter: &Filter<'_>) -> Sql {
    let mut source = Sql { text: "hot WHERE 1".into(), values: Vec::new() };
    source.append(filter.all());
    source
}

/// Chooses the way to read history: along the order, or along a rare value and then sorted.
fn history_source(connection: &Connection, filter: &Filter<'_>, total: u64) -> Result<Sql, StoreError> {
    let query = filter.query;
    let mut source = Sql::default();
    if let Some(id) =
        query.resource_id.as_ref().filter(|_| filter.only_resource() && query.order == OrderBy::CreatedAt)
    {
        // The index of resources is in the requested order: no more is read than is shown.
        source.push("(SELECT r.created_at, h.id, r.seq FROM history_resources r CROSS JOIN history h ON h.seq = r.seq WHERE 1");
        source.and("r.resource_id = ", id.clone());
        match &query.resource_kind {
            Some(kind) => source.and("r.kind = ", kind.clone()),
            None => source.push(" AND r.first"),
        }
        source.push(")");
        return Ok(source);
    }
    if let Some(id) = &query.resource_id {
        source.push("history WHERE seq IN (SELECT seq FROM history_resources WHERE 1");
        source.and("resource_id = ", id.clone());
        if let Some(kind) = &query.resource_kind {
            source.and("kind = ", kind.clone());
        }
        source.push(")");
        source.append(filter.plain());
        source.append(filter.name());
        source.append(filter.documents("history"));
        return Ok(source);
    }
    if let Some(named) = filter.named.as_ref().filter(|named| named.count <= FEW || total <= FEW) {
        source.push("history WHERE seq IN (SELECT value FROM json_each(");
        source.bind(named.rows.clone());
        source.push("))");
        source.append(filter.plain());
        source.append(filter.resource());
        source.append(filter.documents("history"));
        return Ok(source);
    }
    if let Some(kind) = query.resource_kind.as_ref().filter(|_| resources_lead(connection, filter, total)) {
        source.push("history WHERE seq IN (SELECT seq FROM history_resources WHERE leads");
        source.and("kind = ", kind.clone());
        source.push(")");
        source.append(filter.plain());
        source.append(filter.name());
        source.append(filter.documents("history"));
        return Ok(source);
    }
    source.push("history INDEXED BY ");
    source.push(along(filter, total));
    source.push(" WHERE 1");
    source.append(filter.plain());
    source.append(filter.name());
    source.append(filter.resource());
    source.append(filter.documents("history"));
    Ok(source)
}

/// Returns true if the type of resource leads to few rows, or to fewer than all other filters where few match
/// in all.
fn resources_lead(connection: &Connection, filter: &Filter<'_>, total: u64) -> bool {
    let query = filter.query;
    let number = |query: &TaskQuery| count(connection, &Filter::new(query)).unwrap_or(u64::MAX);
    let alone = number(&TaskQuery { resource_kind: query.resource_kind.clone(), ..TaskQuery::default() });
    let rest = TaskQuery { resource_kind: None, name_contains: None, ..query.clone() };
    alone <= FEW || total <= FEW && alone <= number(&rest)
}

/// Returns the index to walk along. An index that filters is used where it also sorts, or where few rows
/// match.
fn along(filter: &Filter<'_>, total: u64) -> &'static str {
    let query = filter.query;
    let by_created = query.order == OrderBy::CreatedAt;
    let one_status = query.statuses.len() == 1;
    match () {
        () if query.kind.is_some() && (by_created || total <= FEW) => "history_kind",
        () if one_status && by_created => "history_status",
        () if !query.statuses.is_empty() && total <= FEW => "history_status",
        () if query.completed_after.is_some() && total <= FEW => "history_completed",
        () => index(query.order),
    }
}

fn keys(
    connection: &Connection,
    source: Sql,
    query: &TaskQuery,
    offset: u64,
    limit: u64,
) -> Result<Vec<Key>, StoreError> {
    let [first, second] = columns(query.order);
    let direction = if query.descending { "DESC" } else { "ASC" };
    let mut all = Sql { text: format!("SELECT {first}, {second}, id, seq FROM "), values: Vec::new() };
    all.append(source);
    all.push(" ORDER BY ");
    for column in [first, second].into_iter().filter(|column| *column != "NULL") {
        all.push(&format!("{column} {direction}, "));
    }
    all.push(&format!("id {direction} LIMIT "));
    all.bind(i64::try_from(limit).unwrap_or(i64::MAX));
    all.push(" OFFSET ");
    all.bind(i64::try_from(offset).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(&all.text).map_err(sql)?;
    let rows = statement
        .query_map(params_from_iter(&all.values), |row| {
            let read = |n| lenient::Key::read(row, n);
            Ok(Key { values: [read(0)?, read(1)?], id: read(2)?, seq: row.get(3)? })
        })
        .map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}
