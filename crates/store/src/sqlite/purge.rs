//! Deleting tasks for good: by the wish of an operator, or by their age.

use longhaul_model::{Record, TaskId, Timestamp};
use rusqlite::{Connection, params};

use super::rows::{self, Place, sql};
use super::writer::Writer;
use super::{seal, settings};
use crate::counters::Counters;
use crate::error::StoreError;
use crate::known::Workflows;
use crate::stored::{Deletion, Purged, Stored};

/// Deletes what may be deleted of the tasks named.
pub(super) fn named(writer: &mut Writer, tasks: &[TaskId]) -> Result<Vec<(TaskId, Deletion)>, StoreError> {
    raise_floor(writer)?;
    let Writer { connection, counters, shared, .. } = writer;
    tasks
        .iter()
        .map(|&id| Ok((id, one(connection, counters, &shared.workflows, id, Record::is_deletable)?)))
        .collect()
}

/// One round of retention.
pub(super) fn aged(
    writer: &mut Writer,
    before: Timestamp,
    from: Option<(Timestamp, TaskId)>,
    limit: u32,
) -> Result<Purged, StoreError> {
    raise_floor(writer)?;
    let Writer { connection, counters, shared, .. } = writer;
    let mut purged = Purged::default();
    let mut oldest = aged_of(connection, "hot", before, from, limit)?;
    oldest.extend(aged_of(connection, "history INDEXED BY history_completed", before, from, limit)?);
    oldest.sort_unstable();
    oldest.truncate(limit as usize);
    for (_, id) in &oldest {
        let expired = |record: &Record| !record.holds_locks() && record.undecided().is_none();
        if one(connection, counters, &shared.workflows, *id, expired)? == Deletion::Deleted {
            purged.deleted += 1;
        }
    }
    purged.next = oldest.last().copied().filter(|_| oldest.len() == limit as usize);
    Ok(purged)
}

/// The setting that keeps the numbers of deleted tasks from being given again.
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
            "SELECT completed_at, id FROM {source} WHERE completed_at < ?1 AND (completed_at, id) > (?2, ?3)
             ORDER BY completed_at, id LIMIT ?4"
        ))
        .map_err(sql)?;
    let rows = statement
        .query_map(params![before.0, at, id, limit], |row| {
            Ok((Timestamp(row.get(0)?), TaskId::from_bytes(row.get(1)?)))
        })
        .map_err(sql)?;
    rows.collect::<Result<_, _>>().map_err(sql)
}

fn raise_floor(writer: &Writer) -> Result<(), StoreError> {
    settings::put(&writer.connection, FLOOR, &writer.next_seq.into())
}

/// Deletes one task if it has ended and `may` says so.
fn one(
    connection: &Connection,
    counters: &mut Counters,
    workflows: &Workflows,
    id: TaskId,
    may: impl Fn(&Record) -> bool,
) -> Result<Deletion, StoreError> {
    let Some(row) = rows::find(connection, id)? else { return Ok(Deletion::NotFound) };
    let (seq, place) = (row.seq, row.place);
    let counting = rows::counting(connection, place == Place::Hot, seq)?;
    let status = counting.status;
    if !status.is_ended() {
        return Ok(Deletion::Open(status));
    }
    if place != Place::Imported
        && let Stored::Own(record) = row.stored(connection, workflows)?
        && !may(&record)
    {
        return Ok(Deletion::Open(status));
    }
    counters.remove(counting.counted());
    if place == Place::Hot {
        delete(connection, "DELETE FROM hot WHERE seq = ?", seq)?;
    } else {
        seal::unseal(connection, seq)?;
    }
    for statement in [
        "DELETE FROM specs WHERE seq = ?",
        "DELETE FROM chunks WHERE seq = ?",
        "DELETE FROM outputs WHERE seq = ?",
        "DELETE FROM attempts WHERE seq = ?",
        "DELETE FROM logs WHERE seq = ?",
    ] {
        delete(connection, statement, seq)?;
    }
    connection
        .prepare_cached("DELETE FROM ids WHERE id = ?")
        .and_then(|mut s| s.execute([id.as_bytes()]))
        .map_err(sql)?;
    Ok(Deletion::Deleted)
}

fn delete(connection: &Connection, statement: &str, seq: i64) -> Result<(), StoreError> {
    connection.prepare_cached(statement).and_then(|mut s| s.execute([seq])).map(|_| ()).map_err(sql)
}
