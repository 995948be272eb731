//! Claims as operators see them.

use longhaul_model::{ClaimMode, TaskId, Timestamp};
use rusqlite::{Connection, Row, params};

use super::super::failed::sql;
use super::super::lenient;
use super::{EXCLUSIVE, ID, SHARED, SLOT};
use crate::error::StoreError;
use crate::locks::{Lock, LockPage, LockQuery};

/// Returns a page of all claims.
pub(in crate::sqlite) fn list(connection: &Connection, query: &LockQuery) -> Result<LockPage, StoreError> {
    let kind = query.kind.as_ref().map(|kind| kind.to_uppercase());
    let name = query.name.as_ref().map(|name| name.to_lowercase());
    let chosen = "(?1 IS NULL OR upper(kind) = ?1) AND (?2 IS NULL OR lower(claims.name) = ?2)";
    let total: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM claims WHERE {chosen}"))
        .and_then(|mut s| s.query_row(params![kind, name], |row| row.get(0)))
        .map_err(sql)?;
    let statement = format!(
        "SELECT {} FROM claims WHERE {chosen} ORDER BY claims.key, ticket LIMIT ?3 OFFSET ?4",
        columns()
    );
    let mut statement = connection.prepare_cached(&statement).map_err(sql)?;
    let offset = i64::try_from(query.offset).unwrap_or(i64::MAX);
    let locks = statement
        .query_map(params![kind, name, query.limit, offset], lock)
        .and_then(Iterator::collect)
        .map_err(sql)?;
    Ok(LockPage { locks, total: total.max(0) as u64 })
}

/// Returns at most `most` claims that block a waiting task: held ones first, then those ahead of it.
pub(in crate::sqlite) fn blockers(
    connection: &Connection,
    seq: i64,
    most: u32,
) -> Result<Vec<Lock>, StoreError> {
    let mine: Vec<(String, i64, i64, bool)> = connection
        .prepare_cached("SELECT key, ticket, mode, clear FROM claims WHERE seq = ? AND held = 0 ORDER BY key")
        .and_then(|mut s| {
            let rows = s.query_map([seq], |row| {
                let int = |n| lenient::int(row, n).map(Option::unwrap_or_default);
                Ok((lenient::text(row, 0)?, int(1)?, int(2)?, int(3)? == 1))
            })?;
            // No task blocks under an unreadable key.
            let readable =
                |row: (Result<String, String>, i64, i64, bool)| Some((row.0.ok()?, row.1, row.2, row.3));
            rows.filter_map(|row| row.map(readable).transpose()).collect()
        })
        .map_err(sql)?;
    let mut found = Vec::new();
    for (key, ticket, mode, clear) in mine {
        // Each query follows an index, so that the cost of a page does not depend on the number of waiters.
        let chosen: &[&str] = match (mode, clear) {
            (SHARED, _) => &["INDEXED BY claims_alone WHERE key = ?1 AND ticket < ?2 AND mode = 1"],
            (EXCLUSIVE, _) => &[
                "INDEXED BY claims_held WHERE key = ?1 AND ticket < ?2 AND held = 1",
                "WHERE key = ?1 AND ticket < ?2 AND held = 0",
            ],
            // The task waits for a lock, not yet for a slot.
            (_, false) => &[],
            (_, true) => &[
                "INDEXED BY claims_held WHERE key = ?1 AND ?2 = ?2 AND held = 1",
                "INDEXED BY claims_ready WHERE key = ?1 AND ticket < ?2 AND mode = 2 AND clear = 1 AND held = 0",
            ],
        };
        for chosen in chosen {
            let statement =
                format!("SELECT {}, ticket FROM claims {chosen} ORDER BY ticket LIMIT ?3", columns());
            let mut statement = connection.prepare_cached(&statement).map_err(sql)?;
            let rows = statement
                .query_map(params![key, ticket, most], |row| Ok((lenient::int(row, 8)?, lock(row)?)))
                .map_err(sql)?;
            for row in rows {
                found.push(row.map_err(sql)?);
            }
        }
    }
    found.sort_by_key(|(ticket, lock)| (!lock.held, *ticket));
    found.truncate(most as usize);
    Ok(found.into_iter().map(|(_, lock)| lock).collect())
}

fn columns() -> String {
    format!(
        "claims.kind, claims.name, claims.mode, claims.most, claims.held, claims.since, {ID},
         coalesce((SELECT name FROM hot WHERE hot.seq = claims.seq),
                  (SELECT name FROM history WHERE history.seq = claims.seq), '')"
    )
}

fn lock(row: &Row<'_>) -> rusqlite::Result<Lock> {
    // A damaged row is shown as far as it can be read, and does not hide the others.
    let most = lenient::int(row, 3)?.and_then(|most| u32::try_from(most).ok()).unwrap_or_default();
    let mode = match lenient::int(row, 2)? {
        Some(SHARED) => ClaimMode::Shared,
        Some(SLOT) => ClaimMode::Slot(most),
        _ => ClaimMode::Exclusive,
    };
    Ok(Lock {
        kind: lenient::shown(row, 0)?,
        name: lenient::shown(row, 1)?,
        mode,
        held: lenient::int(row, 4)? == Some(1),
        since: Timestamp(lenient::int(row, 5)?.unwrap_or_default()),
        task: lenient::id(row, 6)?.unwrap_or(TaskId::from_bytes([0; 16])),
        task_name: lenient::shown(row, 7)?,
    })
}
