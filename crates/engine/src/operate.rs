//! What callers decide about tasks: retry, cancel, skip, resolve.

use longhaul_model::{Command, TaskId, Verdict};
use longhaul_store::Stored;
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
    pub async fn retry(&self, id: TaskId, by: &str) -> Result<Stored, EngineError> {
        self.command(id, Command::Retry { by: by.to_owned() }).await
    }

    /// No attempt of the task starts from here on; running ones are told to stop.
    pub async fn cancel(&self, id: TaskId, by: &str) -> Result<Stored, EngineError> {
        self.command(id, Command::Cancel { by: by.to_owned(), grace: self.inner.config.cancel_grace }).await
    }

    /// A failed task goes on without one failed sub-task.
    pub async fn skip(
        &self,
        id: TaskId,
        sub_task: &str,
        by: &str,
        reason: &str,
    ) -> Result<Stored, EngineError> {
        let sub_task = self.sub_task(id, sub_task)?;
        self.command(id, Command::Skip { sub_task, by: by.to_owned(), reason: reason.to_owned() }).await
    }

    /// Somebody dealt with a failure; with a verdict, a task of unknown outcome goes on.
    pub async fn resolve(
        &self,
        id: TaskId,
        by: &str,
        reason: &str,
        verdict: Option<VerdictRequest>,
    ) -> Result<Stored, EngineError> {
        let verdict = verdict
            .map(|verdict| {
                let sub_task = self.sub_task(id, &verdict.sub_task)?;
                Ok::<_, EngineError>(Verdict { sub_task, done: verdict.done, output: verdict.output })
            })
            .transpose()?;
        self.command(id, Command::Resolve { by: by.to_owned(), reason: reason.to_owned(), verdict }).await
    }

    async fn command(&self, id: TaskId, command: Command) -> Result<Stored, EngineError> {
        match self.inner.store.command(id, command).await {
            Ok(()) => self.get(id),
            // A store finds nothing to command in an imported task: say which of the two it is.
            Err(longhaul_store::StoreError::NotFound) => match self.get(id)? {
                Stored::Imported { .. } => Err(EngineError::Imported(id)),
                Stored::Own(_) => Err(EngineError::NoTask(id)),
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
        }
    }
}
