//! Secrets of tasks under way: opened for an attempt, and removed from whatever the attempt says.

use std::sync::Arc;

use longhaul_model::{Failure, Fault, Launch, Spec, TaskId};
use longhaul_store::{StoreError, Stored};

use super::Dispatcher;
use crate::secrets::{Redactor, closed};
use crate::workers::Key;

impl Dispatcher {
    /// Returns the redactor for an attempt at a worker, which removes the task's secrets; `None` if the task
    /// has none. The redactor of a live lease is kept until the lease ends.
    pub(crate) fn redactor(&self, key: &Key, live: bool) -> Result<Option<Arc<Redactor>>, StoreError> {
        if let Some(redactor) = self.redactors.of_lease(key) {
            return Ok(Some(redactor));
        }
        let id = key.0;
        let record = match self.store.get_short(id)? {
            Stored::Own(record) => record,
            // No attempt is one of a task of another server.
            Stored::Imported { .. } => return Err(StoreError::NotFound),
            // The record may contain secrets: none of it is passed on.
            Stored::Damaged(damaged) => return Err(StoreError::Corrupt(damaged.why)),
        };
        if !record.has_secrets() {
            return Ok(None);
        }
        let mut spec = self.spec_of_secrets(id)?;
        let secrets = &record.workflow.secrets;
        let print = self.vault.print(secrets, &mut spec.input);
        let redactor = match self.redactors.of_task(id, print) {
            Some(redactor) => redactor,
            None => {
                let learned = self.vault.open(id, secrets, &mut spec.input);
                Arc::new(learned.map_err(|e| StoreError::Corrupt(e.to_string()))?.into())
            }
        };
        if live {
            self.redactors.add(id, print, &redactor);
            self.redactors.lease(*key, redactor.clone());
        }
        Ok(Some(redactor))
    }

    /// Returns the request for a task that has secrets. Without it nobody knows them, and nothing that might
    /// hold one may be passed on: a missing request is an error.
    fn spec_of_secrets(&self, id: TaskId) -> Result<Spec, StoreError> {
        self.store.spec(id)?.ok_or_else(|| StoreError::Corrupt("its input is missing".to_owned()))
    }

    /// Opens the secrets that an attempt may need; returns `None` if it needs none.
    pub(crate) fn opened(&self, id: TaskId, launch: &mut Launch) -> Result<Option<Arc<Redactor>>, Failure> {
        let Some(workflow) = &launch.secrets else { return Ok(None) };
        let unreadable = |e: StoreError| {
            let fault = Fault::new("INPUT_UNREADABLE", format!("the task's input cannot be read: {e}"));
            Failure::Local { fault, retryable: true }
        };
        let mut spec = self.spec_of_secrets(id).map_err(unreadable)?;
        let print = self.vault.print(&workflow.secrets, &mut spec.input);
        let learned = self.vault.open(id, &workflow.secrets, &mut spec.input).map_err(|e| closed(&e))?;
        let redactor = self.redactors.of_task(id, print).unwrap_or_else(|| Arc::new(learned.into()));
        self.redactors.add(id, print, &redactor);
        launch.scope = launch.scope.replaced("input", &spec.input);
        Ok(Some(redactor))
    }

    /// Opens secrets like [`Dispatcher::opened`], for an attempt at a worker: the worker's output is cleaned
    /// until the lease ends.
    pub(crate) fn opened_for_worker(&self, id: TaskId, launch: &mut Launch) -> Result<(), Failure> {
        if let Some(redactor) = self.opened(id, launch)? {
            self.redactors.lease((id, launch.sub_task, launch.token), redactor);
        }
        Ok(())
    }
}
