//! Exact totals.

use deadpool_postgres::GenericClient;

use super::filter::{self, Filter};
use crate::counters::WIDTHS;
use crate::error::StoreError;
use crate::postgres::sql::{Sql, clean, column, failed};
use crate::query::TaskQuery;

/// The exact total. Type, status, type of resource and completion are counted in advance; a resource or a
/// name is counted along its index.
pub(super) async fn count(db: &impl GenericClient, asked: &TaskQuery) -> Result<u64, StoreError> {
    let named = asked.name_contains.as_deref().is_some_and(|part| !part.is_empty());
    if asked.resource_id.is_none() && !named {
        return match asked.completed_after {
            None => counted(db, asked).await,
            Some(at) => completed(db, asked, at.0).await,
        };
    }
    let (filter, mut total) = (Filter::gathering(asked), 0);
    for source in ["hot", "history"] {
        let mut all = Sql::new(format!("SELECT count(*) FROM {source} WHERE true"));
        filter.add_to(&mut all, source);
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
    filter::statuses(sql, asked);
}

/// Counts completions from the buckets: whole days, then whole hours, minutes and seconds, then rows.
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
            Filter::gathering(asked).add_to(&mut rest, source);
            rest.and("completed_at < ", until);
            total += number(db, &rest).await?;
        }
    }
    Ok(total)
}

pub(super) async fn number(db: &impl GenericClient, sql: &Sql) -> Result<u64, StoreError> {
    let row = db.query_one(&sql.text, &sql.parameters()).await.map_err(failed)?;
    Ok(column::<i64>(&row, 0)?.max(0) as u64)
}
