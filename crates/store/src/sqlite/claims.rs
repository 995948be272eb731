//! Claims: a task gets all its claims at once, by the rules of [`longhaul_model::Line`]. The cost of each
//! step does not depend on the number of waiters: a claim is *clear* once nobody is ahead of it on its key,
//! and stays clear; an index finds the next claim to become clear. Tables and names in the code
//! call a slot of a key its *place*.

mod handing;
mod list;
mod sweep;

use longhaul_model::{Claim, ClaimMode, Record, TaskId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

pub(super) use handing::{Open, errand};
pub(super) use list::{blockers, list};
pub(super) use sweep::{Cursor, Stuck, stuck};

use super::failed::sql;
use super::lenient;
use crate::error::StoreError;

const SHARED: i64 = 0;
const EXCLUSIVE: i64 = 1;
const SLOT: i64 = 2;

/// SQL expression for the id of a claim's task.
const ID: &str = "coalesce((SELECT id FROM hot WHERE hot.seq = claims.seq),
    (SELECT id FROM history WHERE history.seq = claims.seq))";

/// Statements that derive `clear` for a database filled without it.
pub(super) const DERIVE: &str = "
    UPDATE claims SET clear = held = 1;
    UPDATE claims SET clear = 1 WHERE clear = 0 AND mode = 1 AND NOT EXISTS (
      SELECT 1 FROM claims AS other WHERE other.key = claims.key AND other.ticket < claims.ticket);
    UPDATE claims SET clear = 1 WHERE clear = 0 AND mode = 0 AND NOT EXISTS (
      SELECT 1 FROM claims AS other WHERE other.key = claims.key AND other.ticket < claims.ticket AND other.mode = 1);
    UPDATE claims SET clear = 1 WHERE clear = 0 AND mode = 2 AND NOT EXISTS (
      SELECT 1 FROM claims AS other WHERE other.seq = claims.seq AND other.mode < 2 AND other.clear = 0);";

fn numbers(mode: ClaimMode) -> (i64, i64) {
    match mode {
        ClaimMode::Shared => (SHARED, 0),
        ClaimMode::Exclusive => (EXCLUSIVE, 0),
        ClaimMode::Slot(most) => (SLOT, i64::from(most)),
    }
}

/// Refuses a task that does not wait while others hold its claims.
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

/// Enters the claims of a task; returns true if it gets all of them at once.
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
    let (mut all_clear, mut place) = (true, None);
    // Locks come first: a slot is clear if all locks of its task are.
    for claim in record.claims() {
        let (mode, most) = numbers(claim.mode);
        let key = claim.key();
        let clear = match claim.mode {
            ClaimMode::Slot(_) => all_clear,
            ClaimMode::Shared | ClaimMode::Exclusive => is_clear(connection, &key, mode)?,
        };
        all_clear &= clear;
        let Claim { kind, id, .. } = &claim;
        connection
            .prepare_cached(
                "INSERT INTO claims (key, ticket, seq, kind, name, mode, most, held, since, clear)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9)",
            )
            .and_then(|mut s| s.execute(params![key, ticket, seq, kind, id, mode, most, now.0, clear]))
            .map_err(sql)?;
        if mode == SLOT {
            place = Some(key);
        }
    }
    let has_place = match &place {
        Some(key) if all_clear => next_place(connection, key)? == Some(seq),
        Some(_) => false,
        None => true,
    };
    if all_clear && has_place {
        grant(connection, seq, now)?;
    }
    Ok(all_clear && has_place)
}

/// Returns true if a claim made now has nobody ahead of it on a lock. Claims that are clear but not yet
/// marked count as ahead.
fn is_clear(connection: &Connection, key: &str, mode: i64) -> Result<bool, StoreError> {
    let statement = if mode == EXCLUSIVE {
        "SELECT NOT EXISTS (SELECT 1 FROM claims WHERE key = ?1)"
    } else {
        "SELECT NOT EXISTS (SELECT 1 FROM claims INDEXED BY claims_alone WHERE key = ?1 AND mode = 1)
           AND NOT EXISTS (SELECT 1 FROM claims INDEXED BY claims_behind WHERE key = ?1 AND mode < 2 AND clear = 0)"
    };
    connection.prepare_cached(statement).and_then(|mut s| s.query_row([key], |row| row.get(0))).map_err(sql)
}

/// Grants a task all its claims.
fn grant(connection: &Connection, seq: i64, now: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE claims SET held = 1, since = ?2 WHERE seq = ?1")
        .and_then(|mut s| s.execute(params![seq, now.0]))
        .map(drop)
        .map_err(sql)
}

/// Releases all that a task holds or asks for; returns the keys that may be granted to others now.
pub(super) fn release(connection: &Connection, seq: i64) -> Result<Vec<String>, StoreError> {
    let mut statement =
        connection.prepare_cached("DELETE FROM claims WHERE seq = ? RETURNING key").map_err(sql)?;
    let keys = statement.query_map([seq], |row| lenient::text(row, 0)).map_err(sql)?;
    // No task waits under an unreadable key.
    let keys: Vec<Result<String, String>> = keys.collect::<Result<_, _>>().map_err(sql)?;
    Ok(keys.into_iter().flatten().collect())
}

/// Returns true if a task holds or waits for anything.
pub(super) fn holds(connection: &Connection, seq: i64) -> Result<bool, StoreError> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM claims WHERE seq = ?)")
        .and_then(|mut s| s.query_row([seq], |row| row.get(0)))
        .map_err(sql)
}

/// Removes the `clear` marks of a waiting task on its locks; returns their keys, which mark them again when
/// settled.
pub(super) fn forget(connection: &Connection, seq: i64) -> Result<Vec<String>, StoreError> {
    let mut statement = connection
        .prepare_cached("UPDATE claims SET clear = 0 WHERE seq = ? AND mode < 2 AND held = 0 RETURNING key")
        .map_err(sql)?;
    let keys = statement.query_map([seq], |row| lenient::text(row, 0)).map_err(sql)?;
    // No task waits under an unreadable key.
    let keys: Vec<Result<String, String>> = keys.collect::<Result<_, _>>().map_err(sql)?;
    Ok(keys.into_iter().flatten().collect())
}

/// Outcome of settling a key.
#[derive(Default)]
pub(super) struct Settled {
    /// Tasks whose claims are all granted, and that are to be told.
    pub(super) granted: Vec<i64>,
    /// Further keys to settle.
    pub(super) keys: Vec<String>,
    /// Number of claims touched.
    pub(super) touched: usize,
    /// True if the limit was reached: the key is to be settled again.
    pub(super) more: bool,
}

/// Grants the waiters for a key all that is free now, touching at most `most` claims.
pub(super) fn settle(
    connection: &Connection,
    key: &str,
    most: usize,
    now: Timestamp,
) -> Result<Settled, StoreError> {
    if Claim::is_place(key) { fill(connection, key, most, now) } else { advance(connection, key, most, now) }
}

/// Marks as clear the claims on a lock that have nobody ahead of them any more: the first, or all shared ones
/// up to the first exclusive one.
fn advance(connection: &Connection, key: &str, most: usize, now: Timestamp) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    let ends: (Option<i64>, Option<i64>) = connection
        .prepare_cached(
            "SELECT (SELECT min(ticket) FROM claims WHERE key = ?1),
                    (SELECT min(ticket) FROM claims INDEXED BY claims_alone WHERE key = ?1 AND mode = 1)",
        )
        .and_then(|mut s| s.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(sql)?;
    let last = match ends {
        (None, _) => return Ok(settled),
        (Some(first), Some(alone)) if first == alone => alone,
        (Some(_), Some(alone)) => alone - 1,
        (Some(_), None) => i64::MAX,
    };
    let mut statement = connection
        .prepare_cached(
            "UPDATE claims SET clear = 1 WHERE key = ?1 AND ticket IN (
               SELECT ticket FROM claims INDEXED BY claims_behind
               WHERE key = ?1 AND mode < 2 AND clear = 0 AND ticket <= ?2
               ORDER BY ticket LIMIT ?3)
             RETURNING ticket, seq",
        )
        .map_err(sql)?;
    let mut found: Vec<(i64, i64)> = statement
        .query_map(params![key, last, most as i64], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(sql)?;
    found.sort_unstable();
    settled.touched = found.len();
    settled.more = found.len() >= most;
    for (_, seq) in found {
        has_its_turn(connection, seq, now, &mut settled)?;
    }
    Ok(settled)
}

/// Grants a task its claims, or queues it for its slot, if nobody is ahead of it on any of its locks.
pub(super) fn has_its_turn(
    connection: &Connection,
    seq: i64,
    now: Timestamp,
    settled: &mut Settled,
) -> Result<(), StoreError> {
    // Tasks that have their claims already, or are gone, are skipped.
    let (waits, place): (bool, Option<String>) = connection
        .prepare_cached(
            "SELECT coalesce(min(held = 0 AND (mode = 2 OR clear = 1)), 0), max(CASE mode WHEN 2 THEN key END)
             FROM claims WHERE seq = ?",
        )
        .and_then(|mut s| s.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(sql)?;
    match place {
        _ if !waits => {}
        Some(place) => {
            connection
                .prepare_cached("UPDATE claims SET clear = 1 WHERE seq = ? AND mode = 2")
                .and_then(|mut s| s.execute([seq]))
                .map_err(sql)?;
            settled.keys.push(place);
        }
        None => {
            grant(connection, seq, now)?;
            settled.granted.push(seq);
        }
    }
    Ok(())
}

/// Grants the free slots of a key to the next tasks in line.
fn fill(connection: &Connection, key: &str, most: usize, now: Timestamp) -> Result<Settled, StoreError> {
    let mut settled = Settled::default();
    while settled.touched < most {
        let Some(seq) = next_place(connection, key)? else { return Ok(settled) };
        grant(connection, seq, now)?;
        settled.granted.push(seq);
        settled.touched += 1;
    }
    settled.more = true;
    Ok(settled)
}

/// Returns the next task in line for a slot, if one is free for it.
fn next_place(connection: &Connection, key: &str) -> Result<Option<i64>, StoreError> {
    let found: Option<(i64, bool)> = connection
        .prepare_cached(
            "SELECT seq, most > coalesce((SELECT held FROM places WHERE places.key = ?1), 0)
             FROM claims INDEXED BY claims_ready
             WHERE key = ?1 AND mode = 2 AND clear = 1 AND held = 0 ORDER BY ticket LIMIT 1",
        )
        .and_then(|mut s| s.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(sql)?;
    Ok(found.and_then(|(seq, goes)| goes.then_some(seq)))
}

/// Returns the ID of the task that a claim belongs to; `None` if it does not exist.
pub(super) fn task(connection: &Connection, seq: i64) -> Result<Option<TaskId>, StoreError> {
    let statement = "SELECT id FROM hot WHERE seq = ?1 UNION ALL SELECT id FROM history WHERE seq = ?1";
    connection
        .prepare_cached(statement)
        .and_then(|mut s| s.query_row([seq], |row| row.get(0).map(TaskId::from_bytes)).optional())
        .map_err(sql)
}
