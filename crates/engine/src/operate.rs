//! What callers decide about tasks: retry, cancel, skip, resolve.

use longhaul_model::{Command, TaskId, Verdict};
use longhaul_store::{Audit, Stored};
use serde_json::Value;

use crate::engine::Engine;
use crate::error::EngineError;

/// What an operator found out about a sub-task of unknown outcome.
#[derive(Clone, Debug)]
pub struct VerdictRequest {
    /// The sub-task, by its name.
    pub sub_task: String,
    /// True: done. False: not done.
    pub done: bool,
    /// Its output, where it was done.
    pub output: Option<Value>,
}

impl Engine {
    /// A failed task goes on from what failed; answers with the task, running again.
    pub async fn retry(&self, id: TaskId, audit: Audit) -> Result<Stored, EngineError> {
        self.command(id, audit, |by| Command::Retry { by }).await
    }

    /// No attempt of the task starts from here on; running ones are told to stop.
    pub async fn cancel(&self, id: TaskId, audit: Audit) -> Result<Stored, EngineError> {
        let grace = self.inner.config.cancel_grace;
        self.command(id, audit, |by| Command::Cancel { by, grace }).await
    }

    /// A failed task goes on without one failed sub-task.
    pub async fn skip(
        &self,
        id: TaskId,
        sub_task: &str,
        reason: &str,
        audit: Audit,
    ) -> Result<Stored, EngineError> {
        let audit = audit.detail(format!("{sub_task}: {reason}"));
        let sub_task = self.sub_task(id, sub_task)?;
        self.command(id, audit, |by| Command::Skip { sub_task, by, reason: reason.to_owned() }).await
    }

    /// Somebody dealt with a failure; with a verdict, a task of unknown outcome goes on.
    pub async fn resolve(
        &self,
        id: TaskId,
        reason: &str,
        verdict: Option<VerdictRequest>,
        audit: Audit,
    ) -> Result<Stored, EngineError> {
        let audit = audit.detail(reason);
        let verdict = verdict
            .map(|verdict| {
                let sub_task = self.sub_task(id, &verdict.sub_task)?;
                Ok::<_, EngineError>(Verdict { sub_task, done: verdict.done, output: verdict.output })
            })
            .transpose()?;
        self.command(id, audit, |by| Command::Resolve { by, reason: reason.to_owned(), verdict }).await
    }

    /// Has the store apply what one principal asks, and note it.
    pub(crate) async fn command(
        &self,
        id: TaskId,
        audit: Audit,
        command: impl FnOnce(String) -> Command,
    ) -> Result<Stored, EngineError> {
        let command = command(audit.by.as_ref().to_owned());
        match self.inner.store.command(id, command, Some(audit.target(id.to_string()))).await {
            Ok(()) => self.get(id),
            // A store finds nothing to command in an imported task: say which of the two it is.
            Err(longhaul_store::StoreError::NotFound) => match self.get(id)? {
                Stored::Imported { .. } => Err(EngineError::Imported(id)),
                Stored::Own(_) | Stored::Damaged(_) => Err(EngineError::NoTask(id)),
            },
            Err(e) => Err(Engine::wrong(id, e)),
        }
    }

    fn sub_task(&self, id: TaskId, name: &str) -> Result<u32, EngineError> {
        match self.get(id)? {
            Stored::Own(record) => {
                record.find_sub_task(name).ok_or_else(|| EngineError::NoSubTask(id, name.to_owned()))
            }
            Stored::Imported { .. } => Err(EngineError::Imported(id)),
            Stored::Damaged(damaged) => Err(EngineError::Unreadable { id, why: damaged.why }),
        }
    }
}
