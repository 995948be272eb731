//! Deletion of tasks: at the request of an operator, or by their age.

use std::collections::HashMap;

use deadpool_postgres::GenericClient;
use longhaul_model::{Record, TaskId, TaskStatus, Timestamp};
use uuid::Uuid;

use super::claims;
use super::errand::ERRANDS;
use super::rows::{HISTORY, Row};
use super::sql::{column, execute, query};
use super::{Shared, changes, totals};
use crate::changes::Pending;
use crate::counters::{Counted, Counters};
use crate::error::StoreError;
use crate::stored::{Deletion, Purged, Stored};

/// Deletes those of the named tasks that may be deleted.
pub(super) async fn named(
    db: &impl GenericClient,
    shared: &Shared,
    tasks: &[TaskId],
    now: Timestamp,
) -> Result<Vec<(TaskId, Deletion)>, StoreError> {
    let mut done = delete(db, shared, tasks, Record::is_deletable, now).await?;
    let mut told = |id: &TaskId| match done.get(id).copied() {
        // Named twice: the second time it is gone.
        Some(Deletion::Deleted) => done.remove(id).unwrap_or(Deletion::NotFound),
        other => other.unwrap_or(Deletion::NotFound),
    };
    Ok(tasks.iter().map(|id| (*id, told(id))).collect())
}

/// Deletes old tasks in one round of retention.
pub(super) async fn aged(
    db: &impl GenericClient,
    shared: &Shared,
    before: Timestamp,
    from: Option<(Timestamp, TaskId)>,
    limit: u32,
    now: Timestamp,
) -> Result<Purged, StoreError> {
    if from.is_none() && shared.cuts_logs(now) {
        changes::forget_old(db, now).await?;
    }
    let (at, id) = from.map_or((i64::MIN, Uuid::nil()), |(at, id)| (at.0, id.0));
    let statement = "SELECT completed_at, id FROM history
         WHERE completed_at < $1 AND (completed_at, id) > ($2, $3) ORDER BY completed_at, id LIMIT $4";
    let rows = query(db, statement, &[&before.0, &at, &id, &i64::from(limit)]).await?;
    let oldest = rows
        .iter()
        .map(|row| Ok((Timestamp(column(row, 0)?), TaskId(column(row, 1)?))))
        .collect::<Result<Vec<_>, StoreError>>()?;
    let ids: Vec<TaskId> = oldest.iter().map(|(_, id)| *id).collect();
    let done = delete(db, shared, &ids, Record::may_expire, now).await?;
    let deleted = done.values().filter(|what| **what == Deletion::Deleted).count() as u64;
    Ok(Purged { deleted, next: oldest.last().copied().filter(|_| oldest.len() == limit as usize) })
}

/// Deletes tasks that have ended and that `may` allows.
async fn delete(
    db: &impl GenericClient,
    shared: &Shared,
    tasks: &[TaskId],
    may: impl Fn(&Record) -> bool + Send,
    now: Timestamp,
) -> Result<HashMap<TaskId, Deletion>, StoreError> {
    let ids: Vec<Uuid> = tasks.iter().map(|id| id.0).collect();
    let mut done = HashMap::new();
    for row in &query(db, "SELECT id, status FROM hot WHERE id = ANY($1)", &[&ids]).await? {
        let open = status(column(row, 1)?).map_or(Deletion::Unreadable, Deletion::Open);
        done.insert(TaskId(column(row, 0)?), open);
    }
    let statement = format!(
        "SELECT {HISTORY}, kind, completed_at, resources FROM history WHERE id = ANY($1)
         ORDER BY id FOR UPDATE"
    );
    let (mut counters, mut gone) = (Counters::default(), Vec::new());
    for found in &query(db, &statement, &[&ids]).await? {
        let row = Row::read(found)?;
        let id = row.id;
        let Some(status) = row.status else {
            done.insert(id, Deletion::Unreadable);
            continue;
        };
        let deletable = match row.stored(db, &shared.workflows).await? {
            Stored::Own(record) => may(&record),
            Stored::Imported { .. } => status.is_ended(),
            Stored::Damaged(damaged) => damaged.unread(claims::holds(db, id).await?).is_deletable(),
        };
        if !deletable {
            done.insert(id, Deletion::Open(status));
            continue;
        }
        let completed_at = column::<Option<i64>>(found, 7)?.map(Timestamp);
        counters.remove(Counted {
            kind: column(found, 6)?,
            status,
            completed_at,
            resources: column(found, 8)?,
        });
        gone.push(id.0);
        done.insert(id, Deletion::Deleted);
    }
    for table in ["history", "specs", "chunks", "outputs", "attempts", "logs"] {
        execute(db, &format!("DELETE FROM {table} WHERE id = ANY($1)"), &[&gone]).await?;
    }
    let mut pending = Pending::default();
    gone.iter().for_each(|id| pending.add(TaskId(*id)));
    changes::write(db, shared, pending, now).await?;
    totals::write(db, ERRANDS, &mut counters).await?;
    Ok(done)
}

fn status(code: i16) -> Option<TaskStatus> {
    u8::try_from(code).ok().and_then(TaskStatus::from_code)
}
