//! Rows of the totals, added to in one statement for each table, in a partition of the writer's own.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;

use super::sql::{clean, execute};
use crate::counters::{Cell, Counters};
use crate::error::StoreError;

/// Adds the collected changes.
pub(super) async fn write(
    db: &impl GenericClient,
    place: i16,
    counters: &mut Counters,
) -> Result<(), StoreError> {
    let mut cells = BTreeMap::new();
    for (mut cell, by) in counters.drain() {
        cell.kind = clean(&cell.kind).to_ascii_lowercase();
        cell.resource_kind = clean(&cell.resource_kind).to_ascii_lowercase();
        *cells.entry(cell).or_insert(0) += by;
    }
    add(db, place, cells).await
}

/// Adds to each cell, whose words are in the form in which they are compared.
pub(super) async fn add(
    db: &impl GenericClient,
    place: i16,
    cells: BTreeMap<Cell, i64>,
) -> Result<(), StoreError> {
    let (all, buckets): (Vec<_>, Vec<_>) =
        cells.into_iter().filter(|(_, by)| *by != 0).partition(|(cell, _)| cell.width == 0);
    if !all.is_empty() {
        let columns = Columns::of(&all);
        let statement = "INSERT INTO counters (place, kind, status, resource_kind, n)
             SELECT $1, kind, status, resource_kind, n
             FROM unnest($2::text[], $3::smallint[], $4::text[], $5::bigint[]) AS c (kind, status, resource_kind, n)
             ON CONFLICT (resource_kind, kind, status, place) DO UPDATE SET n = counters.n + excluded.n";
        let Columns { kinds, statuses, resource_kinds, numbers, .. } = &columns;
        execute(db, statement, &[&place, kinds, statuses, resource_kinds, numbers]).await?;
    }
    if !buckets.is_empty() {
        let columns = Columns::of(&buckets);
        let statement = "INSERT INTO completions (place, width, bucket, kind, status, resource_kind, n)
             SELECT $1, width, bucket, kind, status, resource_kind, n
             FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::smallint[], $6::text[], $7::bigint[])
               AS c (width, bucket, kind, status, resource_kind, n)
             ON CONFLICT (width, bucket, resource_kind, kind, status, place)
               DO UPDATE SET n = completions.n + excluded.n";
        let Columns { widths, buckets, kinds, statuses, resource_kinds, numbers } = &columns;
        execute(db, statement, &[&place, widths, buckets, kinds, statuses, resource_kinds, numbers]).await?;
        if numbers.iter().any(|by| *by < 0) {
            // Buckets accumulate, so a bucket that has dropped to zero is deleted.
            let statement = "DELETE FROM completions USING
                 unnest($2::bigint[], $3::bigint[], $4::text[], $5::smallint[], $6::text[])
                   AS c (width, bucket, kind, status, resource_kind)
                 WHERE completions.place = $1 AND completions.width = c.width AND completions.bucket = c.bucket
                   AND completions.kind = c.kind AND completions.status = c.status
                   AND completions.resource_kind = c.resource_kind AND completions.n = 0";
            execute(db, statement, &[&place, widths, buckets, kinds, statuses, resource_kinds]).await?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Columns {
    widths: Vec<i64>,
    buckets: Vec<i64>,
    kinds: Vec<String>,
    statuses: Vec<i16>,
    resource_kinds: Vec<String>,
    numbers: Vec<i64>,
}

impl Columns {
    fn of(cells: &[(Cell, i64)]) -> Self {
        let mut columns = Columns::default();
        for (cell, by) in cells {
            columns.widths.push(cell.width);
            columns.buckets.push(cell.bucket);
            columns.kinds.push(cell.kind.clone());
            columns.statuses.push(i16::from(cell.status));
            columns.resource_kinds.push(cell.resource_kind.clone());
            columns.numbers.push(*by);
        }
        columns
    }
}
