//! Import of tasks: straight into history, as they were received.

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use longhaul_model::{TaskId, TaskStatus, Timestamp};
use uuid::Uuid;

use super::errand::ERRANDS;
use super::sql::{column, query};
use super::writes::{HistoryRow, HistoryRows};
use super::{Shared, changes, totals};
use crate::changes::Pending;
use crate::checksum;
use crate::counters::{Counted, Counters};
use crate::error::StoreError;
use crate::packed::pack;
use crate::stored::{ImportOutcome, ImportedTask};

/// Imports inside a transaction.
pub(super) async fn import(
    db: &impl GenericClient,
    shared: &Shared,
    tasks: &[ImportedTask],
    now: Timestamp,
) -> Result<ImportOutcome, StoreError> {
    let ids: Vec<Uuid> = tasks.iter().map(|task| task.id.0).collect();
    let mut own: HashMap<TaskId, bool> = HashMap::new();
    let mut counters = Counters::default();
    for row in &query(db, "SELECT id FROM hot WHERE id = ANY($1)", &[&ids]).await? {
        own.insert(TaskId(column(row, 0)?), true);
    }
    let statement = "SELECT id, origin, status, kind, completed_at, resources FROM history
         WHERE id = ANY($1) ORDER BY id FOR UPDATE";
    for row in &query(db, statement, &[&ids]).await? {
        let imported = column::<i16>(row, 1)? != 0;
        own.insert(TaskId(column(row, 0)?), !imported);
        if imported {
            let code: i16 = column(row, 2)?;
            let status = u8::try_from(code).ok().and_then(TaskStatus::from_code);
            let status =
                status.ok_or_else(|| StoreError::Corrupt(format!("a task has the status {code}")))?;
            let completed_at = column::<Option<i64>>(row, 4)?.map(Timestamp);
            counters.remove(Counted {
                kind: column(row, 3)?,
                status,
                completed_at,
                resources: column(row, 5)?,
            });
        }
    }
    let mut outcome = ImportOutcome::default();
    // The last of several with one id counts, as if they had come one after the other.
    let mut taken: HashMap<TaskId, &ImportedTask> = HashMap::new();
    for task in tasks {
        match (own.get(&task.id), taken.contains_key(&task.id)) {
            (Some(true), _) => outcome.kept += 1,
            (Some(false), _) | (None, true) => outcome.replaced += 1,
            (None, false) => outcome.imported += 1,
        }
        if own.get(&task.id) != Some(&true) {
            taken.insert(task.id, task);
        }
    }
    let mut rows = HistoryRows::default();
    for task in taken.values() {
        let resources = pack(&task.resources);
        let (status, completed_at) = (task.status, task.completed_at);
        counters.add(Counted { kind: &task.kind, status, completed_at, resources: &resources });
        rows.add(HistoryRow {
            id: task.id,
            version: 1,
            name: &task.name,
            kind: &task.kind,
            status,
            created_at: task.created_at,
            completed_at,
            due_at: None,
            imported: true,
            holders: String::from("{}"),
            resources: &resources,
            doc: checksum::add(task.json.clone()),
        });
    }
    rows.write(db).await?;
    let mut pending = Pending::default();
    taken.keys().for_each(|id| pending.add(*id));
    changes::write(db, shared, pending, now).await?;
    totals::write(db, ERRANDS, &mut counters).await?;
    Ok(outcome)
}
