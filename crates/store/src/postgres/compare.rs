//! Comparison of the attempts that a node owns with the store, for events of others that it missed.

use std::collections::HashMap;

use longhaul_model::{SubTaskStatus, TaskId, Token};
use tokio_postgres::IsolationLevel;
use uuid::Uuid;

use super::Shared;
use super::rows::{HOT, Row};
use super::sql::{failed, no_connection, query};
use crate::error::StoreError;
use crate::peers::Stale;
use crate::stored::Stored;

/// Number of tasks that one statement asks for.
const PAGE: usize = 500;

/// Returns attempts that are no longer live, or whose task is being stopped.
pub(super) async fn stale(
    shared: &Shared,
    mut attempts: Vec<(TaskId, u32, Token)>,
) -> Result<Vec<Stale>, StoreError> {
    attempts.sort_unstable_by_key(|(id, ..)| *id);
    let mut stale = Vec::new();
    let mut client = shared.pool.get().await.map_err(no_connection)?;
    for page in attempts.chunks(PAGE) {
        let mut ids: Vec<Uuid> = page.iter().map(|(id, ..)| id.0).collect();
        ids.dedup();
        let statement = format!("SELECT {HOT} FROM hot WHERE id = ANY($1)");
        let mut found = HashMap::with_capacity(ids.len());
        // A snapshot, as rows and their parts are read by separate statements.
        let snapshot = client
            .build_transaction()
            .read_only(true)
            .isolation_level(IsolationLevel::RepeatableRead)
            .start()
            .await
            .map_err(failed)?;
        for row in &query(&snapshot, &statement, &[&ids]).await? {
            let row = Row::read(row)?;
            let id = row.id;
            if let Stored::Own(record) = row.stored(&snapshot, &shared.workflows).await? {
                found.insert(id, record);
            }
        }
        snapshot.commit().await.map_err(failed)?;
        for (id, sub_task, token) in page.iter().copied() {
            // A task that does not exist has ended.
            let record = found.get(&id);
            let sub = record.and_then(|record| record.sub_tasks.get(sub_task as usize));
            let over = sub.is_none_or(|sub| sub.status != SubTaskStatus::InProgress || sub.token() != token);
            if over || record.is_some_and(|record| record.state.stopping.is_some()) {
                stale.push(Stale { attempt: (id, sub_task, token), over });
            }
        }
    }
    Ok(stale)
}
