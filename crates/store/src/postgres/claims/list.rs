//! Lists claims for operators.

use deadpool_postgres::GenericClient;
use longhaul_model::{ClaimMode, TaskId, Timestamp};
use tokio_postgres::Row;

use super::super::sql::{clean, column, query};
use super::{EXCLUSIVE, SHARED, SLOT};
use crate::error::StoreError;
use crate::locks::{Lock, LockPage, LockQuery};

const COLUMNS: &str =
    "claims.kind, claims.name, claims.mode, claims.most, claims.held, claims.since, claims.id,
    coalesce((SELECT name FROM hot WHERE hot.id = claims.id),
             (SELECT name FROM history WHERE history.id = claims.id), '')";

/// Returns a page of all claims.
pub(in crate::postgres) async fn list(
    db: &impl GenericClient,
    asked: &LockQuery,
) -> Result<LockPage, StoreError> {
    let kind = asked.kind.as_ref().map(|kind| clean(kind).to_uppercase());
    let name = asked.name.as_ref().map(|name| clean(name).to_lowercase());
    let chosen = "($1::text IS NULL OR upper(kind) = $1) AND ($2::text IS NULL OR lower(claims.name) = $2)";
    let total = query(db, &format!("SELECT count(*) FROM claims WHERE {chosen}"), &[&kind, &name]).await?;
    let statement =
        format!("SELECT {COLUMNS} FROM claims WHERE {chosen} ORDER BY claims.key, ticket LIMIT $3 OFFSET $4");
    let offset = i64::try_from(asked.offset).unwrap_or(i64::MAX);
    let rows = query(db, &statement, &[&kind, &name, &i64::from(asked.limit), &offset]).await?;
    let total = total.first().map_or(Ok(0), |row| column::<i64>(row, 0))?;
    let locks = rows.iter().map(lock).collect::<Result<_, _>>()?;
    Ok(LockPage { locks, total: total.max(0) as u64 })
}

/// Returns at most `most` claims that block a waiting task: holders first, then earlier arrivals.
pub(in crate::postgres) async fn blockers(
    db: &impl GenericClient,
    id: TaskId,
    most: u32,
) -> Result<Vec<Lock>, StoreError> {
    let mine = "SELECT key, ticket, mode, clear FROM claims WHERE id = $1 AND NOT held ORDER BY key";
    let mut found = Vec::new();
    for row in &query(db, mine, &[&id.0]).await? {
        let (key, ticket): (&str, i64) = (column(row, 0)?, column(row, 1)?);
        // Each condition follows the order of an index, so the cost of a page does not depend on how many
        // tasks wait.
        let chosen: &[&str] = match (column::<i16>(row, 2)?, column(row, 3)?) {
            (SHARED, _) => &["ticket < $2 AND mode = 1"],
            (EXCLUSIVE, _) => &["ticket < $2 AND held", "ticket < $2 AND NOT held"],
            // The task waits for a lock, not for a slot.
            (_, false) => &[],
            (_, true) => {
                &["$2::bigint IS NOT NULL AND held", "ticket < $2 AND mode = 2 AND clear AND NOT held"]
            }
        };
        for chosen in chosen {
            let statement = format!(
                "SELECT {COLUMNS}, ticket FROM claims WHERE key = $1 AND {chosen} ORDER BY ticket LIMIT $3"
            );
            for row in &query(db, &statement, &[&key, &ticket, &i64::from(most)]).await? {
                found.push((column::<i64>(row, 8)?, lock(row)?));
            }
        }
    }
    found.sort_by_key(|(ticket, lock)| (!lock.held, *ticket));
    found.truncate(most as usize);
    Ok(found.into_iter().map(|(_, lock)| lock).collect())
}

fn lock(row: &Row) -> Result<Lock, StoreError> {
    let mode = match (column::<i16>(row, 2)?, column::<i64>(row, 3)?) {
        (SHARED, _) => ClaimMode::Shared,
        (SLOT, most) => ClaimMode::Slot(u32::try_from(most).unwrap_or(u32::MAX)),
        _ => ClaimMode::Exclusive,
    };
    Ok(Lock {
        kind: column(row, 0)?,
        name: column(row, 1)?,
        mode,
        held: column(row, 4)?,
        since: Timestamp(column(row, 5)?),
        task: TaskId(column(row, 6)?),
        task_name: column(row, 7)?,
    })
}
