//! Parts of deleted tasks. The first transaction removes a task itself: its row, its ID, its entries in
//! indexes and totals. Its other data may be far larger and is deleted in slices, alongside the load, also
//! after a restart.

use std::time::Instant;

use rusqlite::{Connection, params};

use super::failed::sql;
use super::writer::Writer;
use crate::error::StoreError;

/// Maximum rows and bytes deleted by one slice.
const ROWS: usize = 256;
const BYTES: i64 = 512 << 10;
/// Maximum tasks that one slice looks at.
const AT_ONCE: usize = 64;

/// Tables with parts of tasks, each with the column that tells a task's parts apart.
const PARTS: [(&str, &str); 5] =
    [("specs", "seq"), ("chunks", "n"), ("outputs", "sub_task"), ("attempts", "sub_task"), ("logs", "n")];

/// Rows and bytes that a slice may still delete.
pub(super) struct Budget {
    rows: usize,
    bytes: i64,
}

impl Budget {
    pub(super) fn slice() -> Self {
        Budget { rows: ROWS, bytes: BYTES }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.rows == 0 || self.bytes <= 0
    }
}

/// Deletes the parts of a task as far as the budget allows; returns true once none is left.
pub(super) fn clear(connection: &Connection, seq: i64, budget: &mut Budget) -> Result<bool, StoreError> {
    for (table, part) in PARTS {
        loop {
            let last = match reach(connection, table, part, seq, budget) {
                Ok(Some(last)) => last,
                Ok(None) => break,
                // A damaged key has no position in the order: all of the task's rows go at once.
                Err(StoreError::Corrupt(_)) => {
                    let statement = format!("DELETE FROM {table} WHERE seq = ?");
                    connection.prepare_cached(&statement).and_then(|mut s| s.execute([seq])).map_err(sql)?;
                    break;
                }
                Err(e) => return Err(e),
            };
            let statement = format!("DELETE FROM {table} WHERE seq = ?1 AND {part} <= ?2");
            connection
                .prepare_cached(&statement)
                .and_then(|mut s| s.execute(params![seq, last]))
                .map_err(sql)?;
            if budget.is_spent() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Returns the last of a task's parts in a table that the budget covers, at least the first one; `None` if
/// there is none.
fn reach(
    connection: &Connection,
    table: &str,
    part: &str,
    seq: i64,
    budget: &mut Budget,
) -> Result<Option<i64>, StoreError> {
    let statement =
        format!("SELECT {part}, octet_length(doc) FROM {table} WHERE seq = ?1 ORDER BY {part} LIMIT ?2");
    let mut statement = connection.prepare_cached(&statement).map_err(sql)?;
    let most = i64::try_from(budget.rows.max(1)).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![seq, most]).map_err(sql)?;
    let mut last = None;
    while let Some(row) = rows.next().map_err(sql)? {
        last = Some(row.get(0).map_err(sql)?);
        budget.rows = budget.rows.saturating_sub(1);
        budget.bytes -= row.get::<_, Option<i64>>(1).map_err(sql)?.unwrap_or(0);
        if budget.is_spent() {
            break;
        }
    }
    Ok(last)
}

/// Records that parts of a deleted task are left.
pub(super) fn put(connection: &Connection, seq: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO doomed (seq) VALUES (?)")
        .and_then(|mut s| s.execute([seq]))
        .map(|_| ())
        .map_err(sql)
}

/// Records that nothing is left of a deleted task.
fn done(connection: &Connection, seq: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM doomed WHERE seq = ?")
        .and_then(|mut s| s.execute([seq]))
        .map(|_| ())
        .map_err(sql)
}

/// Deletes one slice of the parts left; returns true if there are more.
pub(super) fn slice(connection: &Connection) -> Result<bool, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT seq FROM doomed ORDER BY seq LIMIT ?").map_err(sql)?;
    let doomed: Vec<i64> =
        statement.query_map([AT_ONCE as i64], |row| row.get(0)).and_then(Iterator::collect).map_err(sql)?;
    let mut budget = Budget::slice();
    for &seq in &doomed {
        if budget.is_spent() || !clear(connection, seq, &mut budget)? {
            return Ok(true);
        }
        done(connection, seq)?;
    }
    Ok(doomed.len() == AT_ONCE)
}

/// Deletes all parts left, for code that reads the raw tables.
pub(super) fn finish(connection: &Connection) -> Result<(), StoreError> {
    let mut is_more = true;
    while is_more {
        let transaction = connection.unchecked_transaction().map_err(sql)?;
        is_more = slice(&transaction)?;
        transaction.commit().map_err(sql)?;
    }
    Ok(())
}

impl Writer {
    /// Deletes one slice of the parts left, in a transaction of its own; then leaves the writer to others for
    /// longer than that took.
    pub(super) fn clear(&mut self) {
        let began = Instant::now();
        let cleared = self
            .begin()
            .and_then(|()| slice(&self.connection))
            .and_then(|is_more| self.commit().map(|()| is_more));
        match cleared {
            Ok(is_more) => self.has_doomed = is_more,
            Err(e) => {
                self.roll_back();
                // The next deletion, or the next start, tries again.
                self.has_doomed = false;
                tracing::warn!(error = %e, "what is left of deleted tasks cannot be deleted now");
            }
        }
        self.cleared = Instant::now() + began.elapsed() * 2;
    }
}
