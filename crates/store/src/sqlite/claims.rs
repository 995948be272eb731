//! Claims: a task gets all that it claims at once, in order of arrival. It has its turn when nobody with a lower ticket stands
//! in its way on any of its keys, whether that one holds or waits: so nobody waits for ever, and no two wait for each other.

use longhaul_model::{Claim, ClaimMode, Record, TaskId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::lenient;
use super::rows::sql;
use crate::error::StoreError;
use crate::locks::{Lock, LockPage, LockQuery};

const SHARED: i64 = 0;
const EXCLUSIVE: i64 = 1;
const SLOT: i64 = 2;

/// Waiting tasks that are looked at when one key becomes free.
const LOOKED_AT: i64 = 1_000;

fn numbers(mode: ClaimMode) -> (i64, i64) {
    match mode {
        ClaimMode::Shared => (SHARED, 0),
        ClaimMode::Exclusive => (EXCLUSIVE, 0),
        ClaimMode::Slot(most) => (SLOT, i64::from(most)),
    }
}

/// Refuses a task that does not wait while others hold what it claims.
pub(super) fn check(connection: &Connection, record: &Record) -> Result<(), StoreError> {
    let mut holders: Vec<TaskId> = Vec::new();
    for claim in record.claims() {
        let mut statement =
            connection.prepare_cached(&format!("SELECT {ID} FROM claims WHERE key = ?")).map_err(sql)?;
        let found = statement
            .query_map([claim.key()], |row| row.get(0).map(TaskId::from_bytes))
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(sql)?;
        holders.extend(found);
    }
    holders.sort_unstable();
    holders.dedup();
    if holders.is_empty() { Ok(()) } else { Err(StoreError::Locked(holders)) }
}

/// Enters what a task claims; true when it has all of it at once.
pub(super) fn request(
    connection: &Connection,
    seq: i64,
    record: &Record,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ticket: i64 = connection
        .prepare_cached("SELECT coalesce(max(ticket), 0) + 1 FROM claims")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .map_err(sql)?;
    for claim in record.claims() {
        let (mode, most) = numbers(claim.mode);
        let Claim { kind, id, .. } = &claim;
        connection
            .prepare_cached(
                "INSERT INTO claims (key, ticket, seq, kind, name, mode, most, held, since)
                 VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
            )
            .and_then(|mut s| s.execute(params![claim.key(), ticket, seq, kind, id, mode, most, now.0]))
            .map_err(sql)?;
    }
    grant(connection, seq, now)
}

/// Gives a waiting task what it claims, if it has its turn on every key.
fn grant(connection: &Connection, seq: i64, now: Timestamp) -> Result<bool, StoreError> {
    let blocked: bool = connection
        .prepare_cached(
            "SELECT EXISTS (
               SELECT 1 FROM claims AS mine WHERE mine.seq = ?1 AND CASE mine.mode
                 WHEN 2 THEN mine.most <= (SELECT count(*) FROM claims AS other
                   WHERE other.key = mine.key AND other.ticket < mine.ticket)
                 ELSE EXISTS (SELECT 1 FROM claims AS other
                   WHERE other.key = mine.key AND other.ticket < mine.ticket
                   AND (mine.mode = 1 OR other.mode = 1))
               END)",
        )
        .and_then(|mut s| s.query_row([seq], |row| row.get(0)))
        .map_err(sql)?;
    if !blocked {
        connection
            .prepare_cached("UPDATE claims SET held = 1, since = ?2 WHERE seq = ?1")
            .and_then(|mut s| s.execute(params![seq, now.0]))
            .map_err(sql)?;
    }
    Ok(!blocked)
}

/// A task lets go of all that it holds or asks for; gives the keys that are freer now.
pub(super) fn release(connection: &Connection, seq: i64) -> Result<Vec<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("DELETE FROM claims WHERE seq = ? RETURNING key").map_err(sql)?;
    let keys = statement.query_map([seq], |row| lenient::text(row, 0)).map_err(sql)?;
    // Under a key that cannot be read nobody waits.
    let keys: Vec<Result<String, String>> = keys.collect::<Result<_, _>>().map_err(sql)?;
    Ok(keys.into_iter().flatten().collect())
}

/// Whether a task holds or waits for anything.
pub(super) fn holds(connection: &Connection, seq: i64) -> Result<bool, StoreError> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM claims WHERE seq = ?)")
        .and_then(|mut s| s.query_row([seq], |row| row.get(0)))
        .map_err(sql)
}

/// The next of those who wait for a key that now have their turn; they are given what they claim.
pub(super) fn next(connection: &Connection, key: &str, now: Timestamp) -> Result<Vec<TaskId>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT seq, mode FROM claims WHERE key = ? AND held = 0 ORDER BY ticket LIMIT ?")
        .map_err(sql)?;
    let waiting: Vec<(i64, i64)> = statement
        .query_map(params![key, LOOKED_AT], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(sql)?;
    let mut granted = Vec::new();
    for (seq, mode) in waiting {
        if grant(connection, seq, now)? {
            let id = connection
                .prepare_cached(&format!("SELECT {ID} FROM claims WHERE seq = ?"))
                .and_then(|mut s| s.query_row([seq], |row| row.get(0).map(TaskId::from_bytes)).optional())
                .map_err(sql)?;
            granted.extend(id);
        }
        // Whoever is behind one that wants it alone waits for that one.
        if mode == EXCLUSIVE {
            break;
        }
    }
    Ok(granted)
}

/// A page of all claims.
pub(super) fn list(connection: &Connection, query: &LockQuery) -> Result<LockPage, StoreError> {
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

/// Who stands in a waiting task's way, at most so many.
pub(super) fn blockers(connection: &Connection, seq: i64, most: u32) -> Result<Vec<Lock>, StoreError> {
    let statement = format!(
        "SELECT {} FROM claims JOIN claims AS mine ON mine.seq = ?1 AND mine.key = claims.key
         WHERE claims.ticket < mine.ticket AND (mine.mode <> 0 OR claims.mode = 1)
         ORDER BY claims.held DESC, claims.ticket LIMIT ?2",
        columns()
    );
    let mut statement = connection.prepare_cached(&statement).map_err(sql)?;
    let found = statement.query_map(params![seq, most], lock).map_err(sql)?;
    found.collect::<Result<_, _>>().map_err(sql)
}

/// The id of a claim's task.
const ID: &str = "coalesce((SELECT id FROM hot WHERE hot.seq = claims.seq),
    (SELECT id FROM history WHERE history.seq = claims.seq))";

fn columns() -> String {
    format!(
        "claims.kind, claims.name, claims.mode, claims.most, claims.held, claims.since, {ID},
         coalesce((SELECT name FROM hot WHERE hot.seq = claims.seq),
                  (SELECT name FROM history WHERE history.seq = claims.seq), '')"
    )
}

fn lock(row: &Row<'_>) -> rusqlite::Result<Lock> {
    // Whatever a row was damaged to, the others are shown, and so is it.
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
