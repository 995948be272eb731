//! Sweep of claims: finds those that could be granted although nothing triggered it. The sweep only reads;
//! the writer checks again before it grants anything, so several nodes may sweep at once. Each step looks at
//! a limited number of keys and tasks, and the next one continues after them.

use deadpool_postgres::GenericClient;
use uuid::Uuid;

use super::super::sql::{column, query};
use crate::error::StoreError;

/// Maximum number of locks, of slots and of tasks that one step looks at.
const LOOKED_AT: i64 = 256;

/// Progress of the sweep; `None` where it is complete.
#[derive(Clone, Debug)]
pub(in crate::postgres) struct Cursor {
    lock: Option<String>,
    place: Option<String>,
    task: Option<Uuid>,
}

impl Default for Cursor {
    fn default() -> Self {
        Cursor { lock: Some(String::new()), place: Some(String::new()), task: Some(Uuid::nil()) }
    }
}

impl Cursor {
    /// Returns true if everything was looked at.
    pub(in crate::postgres) fn is_through(&self) -> bool {
        self.lock.is_none() && self.place.is_none() && self.task.is_none()
    }
}

/// Keys whose first waiting task could be granted its claim, and tasks that wait although all their locks are
/// clear.
#[derive(Debug, Default)]
pub(in crate::postgres) struct Stuck {
    pub(in crate::postgres) keys: Vec<String>,
    pub(in crate::postgres) tasks: Vec<Uuid>,
}

/// Runs one step; returns what it found and where the next one starts.
pub(in crate::postgres) async fn stuck(
    db: &impl GenericClient,
    mut cursor: Cursor,
) -> Result<(Stuck, Cursor), StoreError> {
    let mut stuck = Stuck::default();
    for (at, statement) in [(&mut cursor.lock, LOCKS), (&mut cursor.place, PLACES)] {
        let Some(after) = at.take() else { continue };
        let rows = query(db, statement, &[&after, &LOOKED_AT]).await?;
        for row in &rows {
            if column::<Option<bool>>(row, 1)? == Some(true) {
                stuck.keys.push(column(row, 0)?);
            }
        }
        if rows.len() as i64 >= LOOKED_AT {
            *at = rows.last().map(|row| column(row, 0)).transpose()?;
        }
    }
    if let Some(after) = cursor.task.take() {
        let rows = query(db, TASKS, &[&after, &LOOKED_AT]).await?;
        for row in &rows {
            if column(row, 1)? {
                stuck.tasks.push(column(row, 0)?);
            }
        }
        stuck.tasks.dedup();
        if rows.len() as i64 >= LOOKED_AT {
            cursor.task = rows.last().map(|row| column(row, 0)).transpose()?;
        }
    }
    Ok((stuck, cursor))
}

/// Query for the locks that tasks wait for, with the mark of each one's first waiter.
const LOCKS: &str = "WITH RECURSIVE waited (key) AS (
       (SELECT key FROM claims WHERE mode < 2 AND NOT clear AND key > $1 ORDER BY key LIMIT 1)
       UNION ALL
       SELECT (SELECT claims.key FROM claims
               WHERE mode < 2 AND NOT clear AND claims.key > waited.key ORDER BY claims.key LIMIT 1)
       FROM waited WHERE waited.key IS NOT NULL)
     SELECT waited.key,
       (SELECT CASE first.mode
          WHEN 1 THEN NOT EXISTS (SELECT 1 FROM claims AS other
            WHERE other.key = first.key AND other.ticket < first.ticket)
          ELSE NOT EXISTS (SELECT 1 FROM claims AS other
            WHERE other.key = first.key AND other.mode = 1 AND other.ticket < first.ticket) END
        FROM claims AS first
        WHERE first.key = waited.key AND first.mode < 2 AND NOT first.clear ORDER BY first.ticket LIMIT 1)
     FROM (SELECT key FROM waited WHERE key IS NOT NULL LIMIT $2) AS waited";

/// Query for the slots that tasks wait for, and whether the first waiter of each could have one.
const PLACES: &str = "WITH RECURSIVE waited (key) AS (
       (SELECT key FROM claims WHERE mode = 2 AND clear AND NOT held AND key > $1 ORDER BY key LIMIT 1)
       UNION ALL
       SELECT (SELECT claims.key FROM claims
               WHERE mode = 2 AND clear AND NOT held AND claims.key > waited.key ORDER BY claims.key LIMIT 1)
       FROM waited WHERE waited.key IS NOT NULL)
     SELECT waited.key,
       (SELECT first.most > (SELECT count(*) FROM claims AS other WHERE other.key = first.key AND other.held)
        FROM claims AS first
        WHERE first.key = waited.key AND first.mode = 2 AND first.clear AND NOT first.held
        ORDER BY first.ticket LIMIT 1)
     FROM (SELECT key FROM waited WHERE key IS NOT NULL LIMIT $2) AS waited";

/// Query for tasks with a clear lock or a slot that is not clear, and whether all their locks are clear while
/// their slot is not, or they have none.
const TASKS: &str = "SELECT near.id, NOT EXISTS (SELECT 1 FROM claims AS mine WHERE mine.id = near.id
         AND (mine.held OR mine.mode < 2 AND NOT mine.clear OR mine.mode = 2 AND mine.clear))
     FROM claims AS near
     WHERE NOT near.held AND near.clear = (near.mode < 2) AND near.id > $1 ORDER BY near.id LIMIT $2";
