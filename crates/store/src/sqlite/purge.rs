//! Deletion of tasks: at the request of an operator, or by their age.

use longhaul_model::{Record, TaskId, Timestamp};
use rusqlite::{Connection, params};

use super::doomed::{self, Budget};
use super::failed::sql;
use super::rows::{self, Counting, Place};
use super::writer::Writer;
use super::{claims, lenient, seal, settings};
use crate::error::StoreError;
use crate::known::Workflows;
use crate::stored::{Deletion, Purged, Stored};

/// Deletes those of the named tasks that may be deleted.
pub(super) fn named(writer: &mut Writer, tasks: &[TaskId]) -> Result<Vec<(TaskId, Deletion)>, StoreError> {
    raise_floor(writer)?;
    let mut budget = Budget::slice();
    let mut each = |&id: &TaskId| Ok((id, alone(writer, id, Record::is_deletable, &mut budget)?));
    tasks.iter().map(&mut each).collect()
}

/// Deletes old tasks in one round of retention.
pub(super) fn aged(
    writer: &mut Writer,
    before: Timestamp,
    from: Option<(Timestamp, TaskId)>,
    limit: u32,
) -> Result<Purged, StoreError> {
    raise_floor(writer)?;
    let mut budget = Budget::slice();
    let mut purged = Purged::default();
    let mut oldest = aged_of(&writer.connection, "hot", before, from, limit)?;
    oldest.extend(aged_of(&writer.connection, "history INDEXED BY history_completed", before, from, limit)?);
    oldest.sort_unstable();
    oldest.truncate(limit as usize);
    for (_, id) in &oldest {
        if alone(writer, *id, Record::may_expire, &mut budget)? == Deletion::Deleted {
            purged.deleted += 1;
        }
    }
    purged.next = oldest.last().copied().filter(|_| oldest.len() == limit as usize);
    Ok(purged)
}

/// Deletes one task independently of others: if damage to its rows prevents that, the task stays whole and
/// the others are still deleted.
fn alone(
    writer: &mut Writer,
    id: TaskId,
    may: impl Fn(&Record) -> bool,
    budget: &mut Budget,
) -> Result<Deletion, StoreError> {
    writer.has_doomed = true;
    let Writer { connection, counters, changes, shared, .. } = writer;
    let run =
        |statement: &str| connection.prepare_cached(statement).and_then(|mut s| s.execute([])).map_err(sql);
    run("SAVEPOINT one")?;
    let done = one(connection, &shared.workflows, id, may, budget);
    if !matches!(done, Ok((Deletion::Deleted, _))) {
        run("ROLLBACK TO one")?;
    }
    run("RELEASE one")?;
    match done {
        Ok((deletion, gone)) => {
            if let Some(gone) = gone {
                counters.remove(gone.counted());
            }
            if deletion == Deletion::Deleted {
                changes.add(id);
            }
            Ok(deletion)
        }
        Err(StoreError::Corrupt(why)) => {
            tracing::error!(task.id = %id, error = why, "a task is damaged and cannot be deleted");
            Ok(Deletion::Unreadable)
        }
        Err(e) => Err(e),
    }
}

/// Setting that keeps the numbers of deleted tasks from being assigned again.
pub(super) const FLOOR: &str = "seq.floor";

type Aged = Vec<(Timestamp, TaskId)>;

fn aged_of(
    connection: &Connection,
    source: &str,
    before: Timestamp,
    from: Option<(Timestamp, TaskId)>,
    limit: u32,
) -> Result<Aged, StoreError> {
    let (at, id) = from.map_or((i64::MIN, [0; 16]), |(at, id)| (at.0, *id.as_bytes()));
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT completed_at, id, seq FROM {source} WHERE completed_at < ?1 AND (completed_at, id) > (?2, ?3)
             ORDER BY completed_at, id LIMIT ?4"
        ))
        .map_err(sql)?;
    let rows = statement
        .query_map(params![before.0, at, id, limit], |row| {
            Ok((lenient::int(row, 0)?.unwrap_or(before.0), lenient::id(row, 1)?, row.get(2)?))
        })
        .and_then(Iterator::collect::<Result<Vec<(i64, Option<TaskId>, i64)>, _>>)
        .map_err(sql)?;
    let named = |(at, id, seq): (i64, Option<TaskId>, i64)| {
        let id = id.map_or_else(|| lenient::id_of(connection, seq), Ok)?;
        Ok((Timestamp(at), id))
    };
    rows.into_iter().map(named).collect()
}

fn raise_floor(writer: &Writer) -> Result<(), StoreError> {
    settings::put(&writer.connection, FLOOR, &writer.next_seq.into())
}

/// Deletes one task if it has ended and `may` allows it, and its parts as far as the budget allows; returns
/// its counter values, where they are known.
fn one(
    connection: &Connection,
    workflows: &Workflows,
    id: TaskId,
    may: impl Fn(&Record) -> bool,
    budget: &mut Budget,
) -> Result<(Deletion, Option<Counting>), StoreError> {
    let Some(row) = rows::find(connection, id)? else { return Ok((Deletion::NotFound, None)) };
    let (seq, place) = (row.seq, row.place);
    let counting = rows::counting(connection, place == Place::Hot, seq)?;
    let open = |status| Ok((Deletion::Open(status), None));
    match (row.stored(connection, workflows)?, &counting) {
        (Stored::Own(record), _) if !may(&record) => return open(record.state.status),
        (Stored::Damaged(damaged), _) => {
            let unread = damaged.unread(claims::holds(connection, seq)?);
            match (unread.is_deletable(), unread.status) {
                (true, _) => {}
                (false, Some(status)) => return open(status),
                (false, None) => return Ok((Deletion::Unreadable, None)),
            }
        }
        (Stored::Imported { .. }, Some(counting)) if !counting.status.is_ended() => {
            return open(counting.status);
        }
        (Stored::Own(_) | Stored::Imported { .. }, _) => {}
    }
    if place == Place::Hot {
        delete(connection, "DELETE FROM hot WHERE seq = ?", seq)?;
    } else {
        seal::unseal(connection, seq)?;
    }
    // The rest of a large task is deleted in slices.
    if budget.is_spent() || !doomed::clear(connection, seq, budget)? {
        doomed::put(connection, seq)?;
    }
    connection
        .prepare_cached("DELETE FROM ids WHERE id = ?")
        .and_then(|mut s| s.execute([id.as_bytes()]))
        .map_err(sql)?;
    Ok((Deletion::Deleted, counting))
}

fn delete(connection: &Connection, statement: &str, seq: i64) -> Result<(), StoreError> {
    connection.prepare_cached(statement).and_then(|mut s| s.execute([seq])).map(|_| ()).map_err(sql)
}
