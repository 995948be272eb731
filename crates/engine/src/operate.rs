//! Decisions of callers about tasks: retry, cancel, skip, resolve.

use std::collections::HashMap;

use longhaul_model::{Command, Decided, Record, TaskId, Verdict};
use longhaul_store::{Audit, Stored};
use serde_json::Value;

use crate::engine::Engine;
use crate::error::EngineError;

/// Verdict of an operator about a sub-task of unknown outcome.
#[derive(Clone, Debug)]
pub struct VerdictRequest {
    /// Name of the sub-task.
    pub sub_task: String,
    /// True: done. False: not done.
    pub done: bool,
    /// Output of the sub-task, if its work was done.
    pub output: Option<Value>,
}

/// Sub-tasks to which an operator applies the same decision.
#[derive(Clone, Debug)]
pub enum Several {
    /// The sub-tasks with these names.
    Named(Vec<String>),
    /// All sub-tasks of the task, or all children of one sub-task, to which the decision can apply: those of
    /// unknown outcome, or, for a skip, those that failed.
    All(Option<String>),
}

impl Engine {
    /// Applies one decision to several sub-tasks in one durable change; to all of them or none.
    pub async fn decide(
        &self,
        id: TaskId,
        several: Several,
        what: Decided,
        reason: &str,
        audit: Audit,
    ) -> Result<Stored, EngineError> {
        let record = self.own(id)?;
        let sub_tasks = match several {
            Several::Named(names) => {
                by_name(&record, names).map_err(|name| EngineError::no_sub_task(&record, name))?
            }
            Several::All(parent) => {
                let find = |name: String| {
                    record.find_sub_task(&name).ok_or_else(|| EngineError::no_sub_task(&record, name))
                };
                record.open_to(what, parent.map(find).transpose()?)
            }
        };
        let about = named(&record, &sub_tasks);
        let audit = audit.detail(format!("{} sub-tasks ({about}), {what:?}: {reason}", sub_tasks.len()));
        let reason = reason.to_owned();
        self.command(id, audit, |by| Command::Decide { sub_tasks, what, by, reason }).await
    }

    /// Retries a failed task from what failed; returns the task, running again.
    pub async fn retry(&self, id: TaskId, audit: Audit) -> Result<Stored, EngineError> {
        self.command(id, audit, |by| Command::Retry { by }).await
    }

    /// Cancels a task: no attempt starts from here on, and running ones are told to stop.
    pub async fn cancel(&self, id: TaskId, audit: Audit) -> Result<Stored, EngineError> {
        let grace = self.inner.config.cancel_grace;
        self.command(id, audit, |by| Command::Cancel { by, grace }).await
    }

    /// Skips a failed sub-task, so that its failed task goes on without it.
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

    /// Resolves a failure that somebody dealt with; with a verdict, a task of unknown outcome goes on.
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

    /// Gives the store one principal's command to apply, with an entry for the audit log.
    pub(crate) async fn command(
        &self,
        id: TaskId,
        audit: Audit,
        command: impl FnOnce(String) -> Command,
    ) -> Result<Stored, EngineError> {
        let command = command(audit.by.as_ref().to_owned());
        match self.inner.store.command(id, command, Some(audit.target(id.to_string()))).await {
            Ok(()) => self.get(id),
            // A store finds no task to command in an imported one: the two must be told apart here.
            Err(longhaul_store::StoreError::NotFound) => match self.get(id)? {
                Stored::Imported { .. } => Err(EngineError::Imported(id)),
                Stored::Own(_) | Stored::Damaged(_) => Err(EngineError::NoTask(id)),
            },
            Err(e) => Err(Engine::wrong(id, e)),
        }
    }

    fn sub_task(&self, id: TaskId, name: &str) -> Result<u32, EngineError> {
        let record = self.own(id)?;
        record.find_sub_task(name).ok_or_else(|| EngineError::no_sub_task(&record, name.to_owned()))
    }

    /// Returns the record of a task, if the task can be decided about.
    fn own(&self, id: TaskId) -> Result<Box<Record>, EngineError> {
        match self.get(id)? {
            Stored::Own(record) => Ok(record),
            Stored::Imported { .. } => Err(EngineError::Imported(id)),
            Stored::Damaged(damaged) => Err(EngineError::Unreadable { id, why: damaged.why }),
        }
    }
}

/// Finds sub-tasks by their names; fails with the first unknown name.
fn by_name(record: &Record, names: Vec<String>) -> Result<Vec<u32>, String> {
    // Children come in thousands: a map avoids a search for each name.
    let known: HashMap<&str, u32> =
        (0..record.sub_tasks.len() as u32).rev().map(|index| (record.sub_task_name(index), index)).collect();
    let find = |name: String| {
        let own = record.workflow.index_of(&name);
        let known = own.or_else(|| known.get(name.as_str()).copied());
        known.or_else(|| record.find_sub_task(&name)).ok_or(name)
    };
    names.into_iter().map(find).collect()
}

/// Returns the names of the first few sub-tasks.
fn named(record: &Record, sub_tasks: &[u32]) -> String {
    const NAMED: usize = 20;
    let names: Vec<&str> = sub_tasks.iter().take(NAMED).map(|index| record.sub_task_name(*index)).collect();
    let more = if sub_tasks.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", names.join(", "))
}
