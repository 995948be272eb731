//! Import of tasks: straight into history, as they were received.

use rusqlite::{Connection, params};

use super::failed::sql;
use super::rows::{self, Place};
use super::seal;
use super::writer::Writer;
use crate::checksum;
use crate::counters::{Counted, Counters};
use crate::error::StoreError;
use crate::packed::pack;
use crate::stored::{ImportOutcome, ImportedTask};

/// Number of tasks imported by one transaction: a few milliseconds of the writer's time, as the changes of
/// others wait for it.
pub(super) const SLICE: usize = 10;

/// Imports inside the writer's transaction.
pub(super) fn slice(writer: &mut Writer, tasks: &[ImportedTask]) -> Result<ImportOutcome, StoreError> {
    let Writer { connection, counters, changes, next_seq, .. } = writer;
    let mut outcome = ImportOutcome::default();
    for task in tasks {
        let seq = match rows::find(connection, task.id)? {
            None => {
                outcome.imported += 1;
                let seq = *next_seq;
                *next_seq += 1;
                connection
                    .prepare_cached("INSERT INTO ids (id, seq) VALUES (?, ?)")
                    .and_then(|mut s| s.execute(params![task.id.as_bytes(), seq]))
                    .map_err(sql)?;
                seq
            }
            Some(row) if row.place == Place::Imported => {
                outcome.replaced += 1;
                if let Some(counting) = rows::counting(connection, false, row.seq)? {
                    counters.remove(counting.counted());
                }
                seal::unseal(connection, row.seq)?;
                row.seq
            }
            Some(_) => {
                outcome.kept += 1;
                continue;
            }
        };
        insert(connection, counters, task, seq)?;
        changes.add(task.id);
    }
    Ok(outcome)
}

fn insert(
    connection: &Connection,
    counters: &mut Counters,
    task: &ImportedTask,
    seq: i64,
) -> Result<(), StoreError> {
    let resources = pack(&task.resources);
    connection
        .prepare_cached(
            "INSERT INTO history (seq, id, name, kind, status, created_at, completed_at, origin, resources, doc)
             VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
        )
        .and_then(|mut s| {
            s.execute(params![
                seq,
                task.id.as_bytes(),
                task.name,
                task.kind,
                task.status.code(),
                task.created_at.0,
                task.completed_at.map(|at| at.0),
                resources,
                checksum::add(task.json.clone())
            ])
        })
        .map_err(sql)?;
    let (name, created_at) = (task.name.as_str(), task.created_at.0);
    seal::index(connection, &seal::Entry { seq, name, created_at, resources: &resources })?;
    let (status, completed_at) = (task.status, task.completed_at);
    counters.add(Counted { kind: &task.kind, status, completed_at, resources: &resources });
    Ok(())
}
