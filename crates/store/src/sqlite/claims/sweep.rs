//! Sweep of claims: finds tasks that could have their claims though nothing triggered it. Read-only: the
//! writer checks again before it grants anything. Each step looks at a limited number of keys and tasks, and
//! the next one continues after them.

use rusqlite::{Connection, params};

use super::super::failed::sql;
use super::super::lenient;
use crate::error::StoreError;

/// Maximum locks, slots and tasks, each, that one step looks at.
const LOOKED_AT: usize = 256;

/// Position of the sweep; `None` for a part that is finished.
#[derive(Clone, Debug)]
pub(in crate::sqlite) struct Cursor {
    lock: Option<String>,
    place: Option<String>,
    task: Option<i64>,
}

impl Default for Cursor {
    fn default() -> Self {
        Cursor { lock: Some(String::new()), place: Some(String::new()), task: Some(i64::MIN) }
    }
}

impl Cursor {
    /// Returns true if everything was looked at.
    pub(in crate::sqlite) fn is_through(&self) -> bool {
        self.lock.is_none() && self.place.is_none() && self.task.is_none()
    }
}

/// Keys whose first waiter could get its claim, and tasks still waiting though they are clear on every lock.
#[derive(Debug, Default)]
pub(in crate::sqlite) struct Stuck {
    pub(in crate::sqlite) keys: Vec<String>,
    pub(in crate::sqlite) tasks: Vec<i64>,
}

/// Runs one step of the sweep.
pub(in crate::sqlite) fn stuck(connection: &Connection, cursor: &mut Cursor) -> Result<Stuck, StoreError> {
    let mut stuck = Stuck::default();
    for (at, statement) in [(&mut cursor.lock, LOCKS), (&mut cursor.place, PLACES)] {
        let Some(after) = at.take() else { continue };
        let found: Vec<(Result<String, String>, bool)> = connection
            .prepare_cached(statement)
            .and_then(|mut s| {
                let rows = s.query_map(params![after, LOOKED_AT as i64], |row| {
                    Ok((lenient::text(row, 0)?, lenient::int(row, 1)? == Some(1)))
                })?;
                rows.collect()
            })
            .map_err(sql)?;
        if found.len() >= LOOKED_AT {
            // Unreadable keys are skipped.
            *at = found.iter().rev().find_map(|(key, _)| key.clone().ok()).filter(|key| *key > after);
        }
        stuck.keys.extend(found.into_iter().filter_map(|(key, stuck)| key.ok().filter(|_| stuck)));
    }
    if let Some(after) = cursor.task.take() {
        let found: Vec<(i64, bool)> = connection
            .prepare_cached(TASKS)
            .and_then(|mut s| {
                let rows = s.query_map(params![after, LOOKED_AT as i64], |row| {
                    Ok((lenient::int(row, 0)?, lenient::int(row, 1)? == Some(1)))
                })?;
                rows.filter_map(|row| row.map(|(seq, stuck)| Some((seq?, stuck))).transpose()).collect()
            })
            .map_err(sql)?;
        if found.len() >= LOOKED_AT {
            cursor.task = found.last().map(|(seq, _)| *seq);
        }
        stuck.tasks.extend(found.into_iter().filter_map(|(seq, stuck)| stuck.then_some(seq)));
        stuck.tasks.dedup();
    }
    Ok(stuck)
}

/// Selects locks with waiters, and whether the first waiter has nobody ahead of it.
const LOCKS: &str = "WITH RECURSIVE waited (key) AS (
       SELECT (SELECT key FROM claims INDEXED BY claims_behind
               WHERE mode < 2 AND clear = 0 AND key > ?1 ORDER BY key LIMIT 1)
       UNION ALL
       SELECT (SELECT claims.key FROM claims INDEXED BY claims_behind
               WHERE mode < 2 AND clear = 0 AND claims.key > waited.key ORDER BY claims.key LIMIT 1)
       FROM waited WHERE key IS NOT NULL LIMIT ?2)
     SELECT waited.key,
       (SELECT CASE first.mode
          WHEN 1 THEN NOT EXISTS (SELECT 1 FROM claims AS other
            WHERE other.key = first.key AND other.ticket < first.ticket)
          ELSE NOT EXISTS (SELECT 1 FROM claims AS other INDEXED BY claims_alone
            WHERE other.key = first.key AND other.mode = 1 AND other.ticket < first.ticket) END
        FROM claims AS first INDEXED BY claims_behind
        WHERE first.key = waited.key AND first.mode < 2 AND first.clear = 0 ORDER BY first.ticket LIMIT 1)
     FROM waited WHERE waited.key IS NOT NULL";

/// Selects slots with waiters, and whether the first waiter could have one.
const PLACES: &str = "WITH RECURSIVE waited (key) AS (
       SELECT (SELECT key FROM claims INDEXED BY claims_ready
               WHERE mode = 2 AND clear = 1 AND held = 0 AND key > ?1 ORDER BY key LIMIT 1)
       UNION ALL
       SELECT (SELECT claims.key FROM claims INDEXED BY claims_ready
               WHERE mode = 2 AND clear = 1 AND held = 0 AND claims.key > waited.key ORDER BY claims.key LIMIT 1)
       FROM waited WHERE key IS NOT NULL LIMIT ?2)
     SELECT waited.key,
       (SELECT first.most > coalesce((SELECT held FROM places WHERE places.key = first.key), 0)
        FROM claims AS first INDEXED BY claims_ready
        WHERE first.key = waited.key AND first.mode = 2 AND first.clear = 1 AND first.held = 0
        ORDER BY first.ticket LIMIT 1)
     FROM waited WHERE waited.key IS NOT NULL";

/// Selects tasks with a clear lock or a slot that is not clear, and whether all their locks are clear while
/// their slot is not, or they have none.
const TASKS: &str = "SELECT near.seq, NOT EXISTS (SELECT 1 FROM claims AS mine WHERE mine.seq = near.seq
         AND (mine.held = 1 OR mine.mode < 2 AND mine.clear = 0 OR mine.mode = 2 AND mine.clear = 1))
     FROM claims AS near INDEXED BY claims_near
     WHERE near.held = 0 AND near.clear = (near.mode < 2) AND near.seq > ?1 ORDER BY near.seq LIMIT ?2";
