//! A store that became a copy while its original lives on: the original goes on with what is under way, and
//! the copy with none of it unless somebody decides so.

use longhaul_model::{Command, Refused, TaskId, TaskStatus};
use longhaul_store::{Audit, Store, StoreError, TaskQuery};

/// Tasks of a page.
const PAGE: u32 = 200;

/// Parks every task that has not ended ([`Command::Park`]), each with its note in the audit log. To be
/// called before an engine starts on the store. Returns how many were parked.
/// After Ok: durable. After Err, or a crash in the middle: some are parked; the same call again parks the
/// others.
pub async fn park_all(store: &dyn Store) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let mut parked = 0;
        // Those that wait come first: what the others let go of must not start them.
        for status in [TaskStatus::Pending, TaskStatus::InProgress] {
            for id in with_status(store, status)? {
                parked += u64::from(park(store, id).await?);
            }
        }
        if parked == 0 {
            return Ok(all);
        }
        all += parked;
    }
}

async fn park(store: &dyn Store, id: TaskId) -> Result<bool, StoreError> {
    let reason = "the data is a copy, and its original lives on";
    let command = Command::Park { by: "server".to_owned(), reason: reason.to_owned() };
    let note = Audit::new("server".into(), None, "copyData").target(id.to_string()).detail(reason);
    match store.command(id, command, Some(note)).await {
        Ok(()) => Ok(true),
        // It has ended, is of another server, or is gone.
        Err(StoreError::Refused(Refused::Nothing) | StoreError::NotFound) => Ok(false),
        // Nothing of a task that cannot be read goes on by itself.
        Err(StoreError::Corrupt(why)) => {
            tracing::warn!(task = %id, error = why, "a task cannot be read, and stays as it is");
            Ok(false)
        }
        Err(e) => Err(e),
    }
}

fn with_status(store: &dyn Store, status: TaskStatus) -> Result<Vec<TaskId>, StoreError> {
    let mut ids = Vec::new();
    loop {
        let query = TaskQuery {
            statuses: vec![status],
            descending: false,
            offset: ids.len() as u64,
            limit: PAGE,
            ..TaskQuery::default()
        };
        let page = store.list(&query)?;
        let is_last = page.tasks.len() < PAGE as usize;
        ids.extend(page.tasks.iter().map(|task| task.id()));
        if is_last {
            return Ok(ids);
        }
    }
}
