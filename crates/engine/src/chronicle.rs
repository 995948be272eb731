//! History of a task: the rows of the audit log about it, each with the decision that the task itself
//! recorded.

use longhaul_model::{Decision, Record, TaskId};
use longhaul_store::{AuditEntry, AuditQuery, Stored};

use crate::engine::Engine;
use crate::error::EngineError;

/// Maximum number of rows that are read of one task: the newest.
const MOST: u32 = 1_000;

/// An entry of the history of a task.
#[derive(Clone, Debug)]
pub struct Told {
    /// The row of the audit log.
    pub entry: AuditEntry,
    /// Decision as the task recorded it, if the call led to one.
    pub decision: Option<Decision>,
    /// The name of the sub-task that the decision was about.
    pub sub_task: Option<String>,
}

impl Engine {
    /// Returns the history of a task, newest first.
    pub async fn task_history(&self, id: TaskId) -> Result<Vec<Told>, EngineError> {
        let task = self.get(id)?;
        let query = AuditQuery {
            target: Some(id.to_string()),
            accepted: Some(true),
            limit: MOST,
            ..AuditQuery::default()
        };
        let entries = self.audit(query).await?.entries;
        Ok(match &task {
            Stored::Own(record) => paired(entries, record),
            Stored::Imported { .. } | Stored::Damaged(_) => {
                entries.into_iter().map(|entry| Told { entry, decision: None, sub_task: None }).collect()
            }
        })
    }
}

/// Pairs entries with decisions. Both are in the order in which they happened: each entry that is a decision
/// gets the newest that fits and is not taken.
fn paired(entries: Vec<AuditEntry>, record: &Record) -> Vec<Told> {
    let mut decisions = record.state.decisions.iter().rev().peekable();
    let told = |entry: AuditEntry| {
        let fits = |decision: &&Decision| decision.by == entry.by && is_of(&entry.action, &decision.what);
        let decision = decisions.next_if(fits).cloned();
        let of = decision.as_ref().and_then(|decision| decision.sub_task);
        let of = of.filter(|index| (*index as usize) < record.sub_tasks.len());
        let sub_task = of.map(|index| record.sub_task_name(index).to_owned());
        Told { entry, decision, sub_task }
    };
    entries.into_iter().map(told).collect()
}

/// Returns true if a call leads to a decision of that kind.
fn is_of(action: &str, what: &str) -> bool {
    match action {
        "retryTask" | "retryCredentialsTask" => what == "retry",
        "cancelTask" | "cancelCredentialsTask" => what == "cancel",
        "skipSubTask" => what == "skip",
        "resolveTask" => matches!(what, "resolve" | "done" | "notDone" | "skip"),
        "releaseTaskLocks" => what == "release",
        "copyData" => what == "park",
        _ => false,
    }
}
