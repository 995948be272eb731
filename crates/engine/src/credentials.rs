//! Credentials tasks (wire contract, section 6): started by a spec and the operation in it, retried and
//! cancelled by calls of their own.

use longhaul_model::credentials::{self, Operation};
use longhaul_model::{Command, Record, Refused, Spec, TaskId, value};
use longhaul_store::{Audit, Stored, Submitted, TaskQuery};
use serde_json::Value;

use crate::IdempotencyKey;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::long_work::beside_runtime;
use crate::secrets::remove;
use crate::submit::{Start, clear_about_secrets, fitting};

/// Page of the newest credentials tasks, with the count of all.
#[derive(Clone, Debug, Default)]
pub struct CredentialsPage {
    /// Newest first.
    pub tasks: Vec<Record>,
    /// Count of all.
    pub total: u64,
}

impl Engine {
    /// Starts the task of a spec, by the workflow of its operation.
    pub async fn update_credentials(
        &self,
        spec: Value,
        key: Option<IdempotencyKey>,
        audit: Audit,
    ) -> Result<Submitted, EngineError> {
        let operation = checked(&spec)?;
        let workflow =
            self.inner.routes.of_operation(operation).ok_or(EngineError::NoOperation(operation))?;
        clear_about_secrets(&workflow)?;
        let violations = fitting(&workflow, &spec);
        if !violations.is_empty() {
            return Err(EngineError::BadSpec(violations));
        }
        let spec = Spec { input: spec, labels: Default::default(), requested_by: None, caller: None };
        let start = Start { audit: Some(audit), key, ..Start::default() };
        self.accept(self.inner.env.new_task_id(), workflow, spec, start).await
    }

    /// Retries a failed credentials task, with a new spec if one is given.
    pub async fn retry_credentials(
        &self,
        id: TaskId,
        spec: Option<Value>,
        audit: Audit,
    ) -> Result<Stored, EngineError> {
        let record = self.credentials_task(id)?;
        let input = spec.map(|spec| self.sealed(&record, spec)).transpose()?;
        self.command(id, audit, |by| Command::RetryCredentials { by, input }).await
    }

    fn sealed(&self, record: &Record, mut spec: Value) -> Result<Value, EngineError> {
        let mut violations = credentials::violations(&spec);
        violations.extend(fitting(&record.workflow, &spec));
        if !violations.is_empty() {
            return Err(EngineError::BadSpec(violations));
        }
        if credentials::operation(&spec) != record.credentials_operation() {
            return Err(EngineError::Refused { id: record.id, refused: Refused::OtherResources });
        }
        let missed = beside_runtime(value::size(&spec), || record.workflow.missed_secret(&spec));
        if let Some(pointer) = missed.map_err(|violation| EngineError::BadSpec(vec![violation]))? {
            let workflow = record.workflow.definition.name.clone();
            return Err(EngineError::MissedSecret { workflow, pointer });
        }
        self.inner.vault.seal(record.id, &record.workflow.secrets, &mut spec);
        Ok(spec)
    }

    /// Cancels a failed credentials task, which frees its resources.
    pub async fn cancel_credentials(&self, id: TaskId, audit: Audit) -> Result<Stored, EngineError> {
        self.credentials_task(id)?;
        self.command(id, audit, |by| Command::CancelCredentials { by }).await
    }

    /// A credentials task.
    pub fn credentials_task(&self, id: TaskId) -> Result<Record, EngineError> {
        match self.get(id)? {
            Stored::Own(record) if record.credentials_operation().is_some() => Ok(*record),
            Stored::Damaged(damaged) => Err(EngineError::Unreadable { id, why: damaged.why }),
            Stored::Own(_) | Stored::Imported { .. } => {
                Err(EngineError::Refused { id, refused: Refused::NoCredentialsTask })
            }
        }
    }

    /// Returns the spec of a credentials task, without its passwords.
    pub async fn credentials_spec(&self, record: &Record) -> Result<Value, EngineError> {
        let id = record.id;
        let spec = self.beside(move |store| store.spec(id)).await.map_err(|e| Engine::wrong(id, e))?;
        let mut input = spec.ok_or(EngineError::NoTask(id))?.input;
        remove(&record.workflow.secrets, &mut input);
        Ok(input)
    }

    /// The newest credentials tasks of all operations.
    pub async fn credentials_tasks(&self, limit: u32) -> Result<CredentialsPage, EngineError> {
        self.beside(move |store| {
            let mut page = CredentialsPage::default();
            for operation in Operation::ALL {
                let kind = Some(operation.kind().to_owned());
                let found = store.list(&TaskQuery { kind, limit, ..TaskQuery::default() })?;
                page.total += found.total;
                for task in found.tasks {
                    match task {
                        Stored::Own(record) if record.credentials_operation().is_some() => {
                            page.tasks.push(*record);
                        }
                        // History of another server has no spec and no sub-tasks of this kind; a workflow
                        // that only has the type is none of these.
                        Stored::Own(_) | Stored::Imported { .. } | Stored::Damaged(_) => page.total -= 1,
                    }
                }
            }
            page.tasks.sort_by_key(|task| std::cmp::Reverse((task.state.created_at, task.id)));
            page.tasks.truncate(limit as usize);
            Ok(page)
        })
        .await
        .map_err(EngineError::Store)
    }
}

fn checked(spec: &Value) -> Result<Operation, EngineError> {
    let violations = credentials::violations(spec);
    match credentials::operation(spec) {
        Some(operation) if violations.is_empty() => Ok(operation),
        _ => Err(EngineError::BadSpec(violations)),
    }
}
