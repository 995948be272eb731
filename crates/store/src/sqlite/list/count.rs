//! Exact totals. Type, status, type of resource and completion are counted in advance; a resource or a name
//! is counted along its index, and the hot table is scanned.

use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::filter::{Filter, Sql};
use crate::counters::WIDTHS;
use crate::error::StoreError;
use crate::sqlite::failed::sql;
use crate::sqlite::lenient;

pub(super) fn count(connection: &Connection, filter: &Filter<'_>) -> Result<u64, StoreError> {
    let query = filter.query;
    if query.resource_id.is_none() && filter.needle.is_none() && !query.reads_documents() {
        return match query.completed_after {
            None => counted(connection, filter),
            Some(at) => completed(connection, filter, at.0),
        };
    }
    let mut hot = Sql { text: "SELECT count(*) FROM hot WHERE 1".into(), values: Vec::new() };
    hot.append(filter.all());
    Ok(number(connection, &hot)? + in_history(connection, filter)?)
}

/// Counts by the counters of all tasks.
fn counted(connection: &Connection, filter: &Filter<'_>) -> Result<u64, StoreError> {
    let mut all = Sql { text: "SELECT coalesce(sum(n), 0) FROM counters WHERE 1".into(), values: Vec::new() };
    cells(&mut all, filter);
    number(connection, &all)
}

fn cells(all: &mut Sql, filter: &Filter<'_>) {
    all.and("resource_kind = ", filter.query.resource_kind.clone().unwrap_or_default());
    if let Some(kind) = &filter.query.kind {
        all.and("kind = ", kind.clone());
    }
    all.append(filter.statuses());
}

/// Counts completions from the buckets: whole days, then whole hours, minutes and seconds, then rows.
fn completed(connection: &Connection, filter: &Filter<'_>, after: i64) -> Result<u64, StoreError> {
    // Exclusive: the first instant that counts.
    let first = after.saturating_add(1);
    let mut total = 0;
    // Everything from `until` on is counted already.
    let mut until = i64::MAX;
    for width in WIDTHS {
        let from = first.div_euclid(width) + i64::from(first.rem_euclid(width) != 0);
        let to = if until == i64::MAX { i64::MAX } else { until / width };
        if from < to {
            let mut bucket = Sql {
                text: "SELECT coalesce(sum(n), 0) FROM completions WHERE 1".into(),
                values: Vec::new(),
            };
            bucket.and("width = ", width);
            bucket.and("bucket >= ", from);
            bucket.and("bucket < ", to);
            cells(&mut bucket, filter);
            total += number(connection, &bucket)?;
        }
        until = from.saturating_mul(width);
    }
    if first < until {
        for source in ["hot", "history INDEXED BY history_completed"] {
            let mut rest = Sql { text: format!("SELECT count(*) FROM {source} WHERE 1"), values: Vec::new() };
            rest.append(filter.plain());
            rest.append(filter.resource());
            rest.and("completed_at < ", until);
            total += number(connection, &rest)?;
        }
    }
    Ok(total)
}

fn in_history(connection: &Connection, filter: &Filter<'_>) -> Result<u64, StoreError> {
    let query = filter.query;
    if let Some(hits) = filter.hits {
        return Ok(hits);
    }
    if let Some(id) = &query.resource_id {
        let mut all = Sql {
            text: "SELECT count(DISTINCT r.seq) FROM history_resources r CROSS JOIN history ON history.seq = r.seq WHERE 1".into(),
            values: Vec::new(),
        };
        let bare = filter.only_resource();
        if bare {
            all.text = "SELECT count(DISTINCT seq) FROM history_resources r WHERE 1".into();
        }
        all.and("r.resource_id = ", id.clone());
        if let Some(kind) = &query.resource_kind {
            all.and("r.kind = ", kind.clone());
        }
        if !bare {
            all.append(prefixed(filter));
        }
        return number(connection, &all);
    }
    if let Some(named) = &filter.named {
        let mut all = Sql { text: "SELECT count(*) FROM json_each(".into(), values: Vec::new() };
        all.bind(named.rows.clone());
        all.push(") n CROSS JOIN history ON history.seq = n.value WHERE 1");
        all.append(filter.plain());
        all.append(filter.resource());
        all.append(filter.documents("history"));
        return number(connection, &all);
    }
    let mut all =
        Sql { text: format!("SELECT count(*) FROM history {} WHERE 1", index(filter)), values: Vec::new() };
    all.append(filter.plain());
    all.append(filter.name());
    all.append(filter.resource());
    all.append(filter.documents("history"));
    number(connection, &all)
}

/// Returns the index to count along: that of names for a part of a name, that of statuses for a few of those.
fn index(filter: &Filter<'_>) -> &'static str {
    match filter.needle {
        None if !filter.query.statuses.is_empty() => "INDEXED BY history_status",
        _ => "INDEXED BY history_name",
    }
}

/// Returns the filters of the row, for statements where `kind` would name two columns.
fn prefixed(filter: &Filter<'_>) -> Sql {
    let mut sql = filter.plain();
    sql.append(filter.name());
    for column in ["kind =", "status IN", "completed_at >"] {
        sql.text = sql.text.replace(column, &format!("history.{column}"));
    }
    sql.text = sql.text.replace("(name,", "(history.name,");
    sql.append(filter.documents("history"));
    sql
}

fn number(connection: &Connection, query: &Sql) -> Result<u64, StoreError> {
    let found: Option<i64> = connection
        .prepare_cached(&query.text)
        .and_then(|mut s| {
            s.query_row(params_from_iter(&query.values), |row| lenient::int(row, 0))
                .optional()
                .map(Option::flatten)
        })
        .map_err(sql)?;
    Ok(found.unwrap_or(0).max(0) as u64)
}
