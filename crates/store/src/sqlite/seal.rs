//! Sealing: tasks that have ended or wait for their start move from the hot table to history, a slice at a
//! time, beside the load. Only then do their names and resources enter the large indexes, whose pages are
//! many: so a change of an active task costs the same however long the history is.

use std::time::{Duration, Instant};

use longhaul_model::TaskStatus;
use rusqlite::{Connection, params};

use super::failed::sql;
use super::lenient;
use super::writer::Writer;
use crate::error::StoreError;
use crate::packed::unpack;

/// Maximum number of such tasks left unsealed; few enough to be scanned by every list.
const UNSEALED: usize = 512;
/// Number of tasks that are sealed at once as soon as they rest, as part of a batch. Many at once, so that
/// index pages, and the segment that the index of names makes each time, are written once for all of them.
const SLICE: usize = 512;
/// Number of tasks that is enough once some time has passed since the slice before: under a moderate load,
/// the batch with the slice is not much longer than others.
const SMALL_SLICE: usize = 128;
const SMALL_AFTER: Duration = Duration::from_millis(50);

impl Writer {
    /// Seals a slice once there are enough tasks for one; the slice grows with the number of hot tasks to be
    /// sealed, so that sealing keeps up.
    pub(super) fn seal_some(&mut self) -> Result<(), StoreError> {
        let excess = self.resting.len().saturating_sub(UNSEALED);
        let enough = if self.sealed.elapsed() < SMALL_AFTER { SLICE } else { SMALL_SLICE };
        if excess < enough {
            return Ok(());
        }
        self.sealed = Instant::now();
        let slice = excess.min(SLICE + excess / 8);
        self.sealing.extend(self.resting.drain(..slice));
        let sealing = std::mem::take(&mut self.sealing);
        let sealed = self.apart(|writer| seal(&writer.connection, &sealing));
        let outcome = match sealed {
            Err(StoreError::Corrupt(_)) => self.seal_each(&sealing),
            sealed => sealed,
        };
        self.sealing = sealing;
        outcome
    }

    /// Seals tasks one by one: those that cannot be sealed stay behind, without holding up the others.
    fn seal_each(&mut self, tasks: &[i64]) -> Result<(), StoreError> {
        for &seq in tasks {
            match self.apart(|writer| seal(&writer.connection, &[seq])) {
                Err(e @ StoreError::Corrupt(_)) => {
                    tracing::error!(row = seq, error = %e, "a task cannot be sealed and stays among the active ones");
                }
                sealed => sealed?,
            }
        }
        Ok(())
    }
}

/// Row of history with what it is found by.
pub(super) struct Entry<'a> {
    pub(super) seq: i64,
    pub(super) name: &'a str,
    pub(super) created_at: i64,
    pub(super) resources: &'a str,
}

/// Seals those of the given tasks that still can be and are hot still. A few statements for all of them: the
/// index of names writes a segment for each statement.
pub(super) fn seal(connection: &Connection, tasks: &[i64]) -> Result<(), StoreError> {
    let given = numbers(tasks.iter());
    let mut statement = connection
        .prepare_cached(
            "INSERT INTO history (seq, id, name, kind, status, created_at, completed_at, due_at, origin, resources, doc)
             SELECT seq, id, name, kind, status, created_at, completed_at, due_at, 0, resources, doc FROM hot
             WHERE seq IN (SELECT value FROM json_each(?1)) AND status <> ?2
             RETURNING seq, created_at, resources",
        )
        .map_err(sql)?;
    let sealed = statement
        .query_map(params![given, TaskStatus::InProgress.code()], |row| {
            Ok((row.get(0)?, lenient::int(row, 1)?.unwrap_or_default(), lenient::shown(row, 2)?))
        })
        .and_then(Iterator::collect::<Result<Vec<(i64, i64, String)>, _>>)
        .map_err(sql)?;
    let sealed_numbers = numbers(sealed.iter().map(|(seq, ..)| seq));
    for statement in [
        "INSERT INTO history_names (rowid, name)
         SELECT seq, name FROM history WHERE seq IN (SELECT value FROM json_each(?))",
        "DELETE FROM hot WHERE seq IN (SELECT value FROM json_each(?))",
    ] {
        connection.prepare_cached(statement).and_then(|mut s| s.execute([&sealed_numbers])).map_err(sql)?;
    }
    for (seq, created_at, resources) in &sealed {
        index_resources(connection, *seq, *created_at, resources)?;
    }
    Ok(())
}

/// Returns row numbers as a JSON list, for one statement over many.
fn numbers<'a>(all: impl Iterator<Item = &'a i64>) -> String {
    let texts: Vec<String> = all.map(i64::to_string).collect();
    format!("[{}]", texts.join(","))
}

/// Enters a row of history into the indexes that are kept by hand.
pub(super) fn index(connection: &Connection, entry: &Entry<'_>) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO history_names (rowid, name) VALUES (?, ?)")
        .and_then(|mut s| s.execute(params![entry.seq, entry.name]))
        .map_err(sql)?;
    index_resources(connection, entry.seq, entry.created_at, entry.resources)
}

/// An entry of the index of resources.
pub(super) struct ResourceEntry<'a> {
    pub(super) id: &'a str,
    pub(super) kind: &'a str,
    /// True for the first of its kind within its task.
    pub(super) leads: bool,
    /// True for the first with its ID within its task.
    pub(super) first: bool,
}

/// Returns the entries of a row of history in the index of resources, each once.
pub(super) fn entries(resources: &str) -> Vec<ResourceEntry<'_>> {
    let mut entries: Vec<ResourceEntry<'_>> = Vec::new();
    for (kind, id) in unpack(resources) {
        let leads = !entries.iter().any(|known| known.kind.eq_ignore_ascii_case(kind));
        let first = !entries.iter().any(|known| known.id == id);
        if leads
            || first
            || !entries.iter().any(|known| known.id == id && known.kind.eq_ignore_ascii_case(kind))
        {
            entries.push(ResourceEntry { id, kind, leads, first });
        }
    }
    entries
}

pub(super) fn index_resources(
    connection: &Connection,
    seq: i64,
    created_at: i64,
    resources: &str,
) -> Result<(), StoreError> {
    for ResourceEntry { id, kind, leads, first } in entries(resources) {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO history_resources (resource_id, seq, kind, leads, first, created_at)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .and_then(|mut s| s.execute(params![id, seq, kind, leads, first, created_at]))
            .map_err(sql)?;
    }
    Ok(())
}

/// Statement that removes a row's name from the index, using the name in the row.
const UNNAME: &str = "INSERT INTO history_names (history_names, rowid, name) SELECT 'delete', seq, name FROM history WHERE seq = ?";

/// Removes a row from history and its indexes: the task is active again, is imported again, or is deleted.
pub(super) fn unseal(connection: &Connection, seq: i64) -> Result<(), StoreError> {
    let (resources, created_at) = connection
        .prepare_cached("SELECT resources, created_at FROM history WHERE seq = ?")
        .and_then(|mut s| {
            s.query_row([seq], |row| Ok((lenient::shown(row, 0)?, lenient::int(row, 1)?.unwrap_or_default())))
        })
        .map_err(sql)?;
    // Uses the name in the row, whatever its value.
    connection.prepare_cached(UNNAME).and_then(|mut s| s.execute([seq])).map(drop).or_else(
        |e| match sql(e) {
            // Damage has made the index and the rows disagree: the index is rebuilt from the rows.
            StoreError::Corrupt(why) => {
                tracing::error!(error = why, "the index of names does not fit its table and is made anew");
                connection
                    .execute("INSERT INTO history_names (history_names) VALUES ('rebuild')", [])
                    .and_then(|_| connection.execute(UNNAME, [seq]))
                    .map(drop)
                    .map_err(sql)
            }
            e => Err(e),
        },
    )?;
    for (_, id) in unpack(&resources) {
        connection
            .prepare_cached(
                "DELETE FROM history_resources WHERE resource_id = ? AND created_at = ? AND seq = ?",
            )
            .and_then(|mut s| s.execute(params![id, created_at, seq]))
            .map_err(sql)?;
    }
    delete(connection, "DELETE FROM history WHERE seq = ?", seq)
}

fn delete(connection: &Connection, statement: &str, seq: i64) -> Result<(), StoreError> {
    connection.prepare_cached(statement).and_then(|mut s| s.execute([seq])).map(|_| ()).map_err(sql)
}
