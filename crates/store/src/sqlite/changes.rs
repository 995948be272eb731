//! Log of changes: one row for each transaction that changed tasks, written with it.

use longhaul_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::failed::sql;
use crate::changes::{Changes, KEPT, Pending, Position, decode, stamp};
use crate::error::StoreError;

/// Number of rows after which the oldest are looked at, and the most that are deleted then: more than are
/// written meanwhile.
const TRIMMED_EACH: i64 = 64;
const TRIMMED: i64 = 128;
/// The only log: one process writes.
const LOG: i16 = 0;

/// End of the log, as the writer knows it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct End {
    number: i64,
    total: i64,
}

impl End {
    pub(super) fn read(connection: &Connection) -> Result<End, StoreError> {
        let newest = "SELECT number, total FROM changes ORDER BY number DESC LIMIT 1";
        let end = |row: &rusqlite::Row<'_>| Ok(End { number: row.get(0)?, total: row.get(1)? });
        connection.query_row(newest, [], end).optional().map(Option::unwrap_or_default).map_err(sql)
    }
}

/// Writes the changes of the batch, inside its transaction; returns the end of the log after it.
pub(super) fn write(
    connection: &Connection,
    end: End,
    pending: &mut Pending,
    now: Timestamp,
) -> Result<End, StoreError> {
    let Some((tasks, count)) = pending.take() else { return Ok(end) };
    let next = End { number: end.number + 1, total: end.total + count };
    connection
        .prepare_cached("INSERT INTO changes (number, total, at, tasks) VALUES (?, ?, ?, ?)")
        .and_then(|mut s| s.execute(params![next.number, next.total, stamp(now), tasks]))
        .map_err(sql)?;
    if next.number % TRIMMED_EACH == 0 {
        connection
            .prepare_cached(
                "DELETE FROM changes WHERE number IN
                   (SELECT number FROM (SELECT number, total FROM changes ORDER BY number LIMIT ?1) WHERE total <= ?2)",
            )
            .and_then(|mut s| s.execute(params![TRIMMED, next.total - KEPT]))
            .map_err(sql)?;
    }
    Ok(next)
}

/// Returns the end of the log as a position.
pub(super) fn position(connection: &Connection, lineage: String) -> Result<Position, StoreError> {
    let newest = "SELECT number, at FROM changes ORDER BY number DESC LIMIT 1";
    let end = connection.query_row(newest, [], |row| Ok((row.get(0)?, row.get(1)?)));
    let end = end.optional().map_err(sql)?.unwrap_or((0, 0));
    Ok(Position { lineage, rows: [(LOG, end)].into() })
}

/// Returns the changes after a position, until there are so many; `None` if the log does not have all of
/// them.
pub(super) fn after(
    connection: &Connection,
    lineage: String,
    position: &Position,
    limit: u32,
) -> Result<Option<Changes>, StoreError> {
    let Some(&(number, at)) = position.rows.get(&LOG).filter(|_| position.lineage == lineage) else {
        return Ok(None);
    };
    if !is_there(connection, number, at)? {
        return Ok(None);
    }
    let mut statement = connection
        .prepare_cached("SELECT number, at, tasks FROM changes WHERE number > ? ORDER BY number")
        .map_err(sql)?;
    let mut rows = statement.query([number]).map_err(sql)?;
    let (mut tasks, mut last, mut more) = (Vec::new(), (number, at), false);
    while let Some(row) = rows.next().map_err(sql)? {
        if tasks.len() >= limit as usize {
            more = true;
            break;
        }
        last = (row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
        tasks.extend(decode(row.get_ref(2).and_then(|value| Ok(value.as_blob()?)).map_err(sql)?));
    }
    Ok(Some(Changes { tasks, position: Position { lineage, rows: [(LOG, last)].into() }, more }))
}

/// Returns true if the log has the row of a position and so all that follow; the position before the first
/// row ever is zero.
fn is_there(connection: &Connection, number: i64, at: i64) -> Result<bool, StoreError> {
    if number == 0 {
        let oldest = connection.query_row("SELECT min(number) FROM changes", [], |row| row.get(0));
        let oldest: Option<i64> = oldest.map_err(sql)?;
        return Ok(oldest.is_none_or(|oldest| oldest == 1));
    }
    let row = connection.query_row("SELECT at FROM changes WHERE number = ?", [number], |row| row.get(0));
    Ok(row.optional().map_err(sql)? == Some(at))
}
