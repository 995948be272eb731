//! Successes that were lost although their outputs are stored: the part of the sweeps that both engines
//! share.

use longhaul_model::{Command, TaskId};
use serde_json::Value;

use crate::error::StoreError;
use crate::store::Store;

/// Outputs of one task that contradict its document.
pub(crate) type Lost = (TaskId, Vec<(u32, Value)>);

/// Ends the sub-tasks whose success was lost; returns the count of documents that had any.
pub(crate) async fn recover(store: &dyn Store, found: Vec<Lost>) -> Result<usize, StoreError> {
    let mut recovered = 0;
    for (id, outputs) in found {
        let sub_tasks: Vec<u32> = outputs.iter().map(|(index, _)| *index).collect();
        match store.command(id, Command::OutputsStored { outputs }, None).await {
            Ok(()) => {
                recovered += 1;
                tracing::error!(
                    task.id = %id,
                    ?sub_tasks,
                    "outputs are stored of sub-tasks that counted as running; they are successful now"
                );
            }
            // They have ended meanwhile, or another node was first.
            Err(StoreError::Refused(_) | StoreError::NotFound) => {}
            Err(e @ StoreError::Corrupt(_)) => {
                tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
            }
            Err(e) => return Err(e),
        }
    }
    Ok(recovered)
}
