//! Workflow definitions and the requests bound to them.

use std::sync::Arc;

use longhaul_model::WorkflowVersion;
use longhaul_model::workflow::{CompiledAction, CompiledSubTask, Definition, Workflow};
use longhaul_store::{Audit, StoreError, WorkflowPut, WorkflowSummary};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::routes::Bound;

impl Engine {
    /// Checks a definition and stores it as a new version, unless the newest is the same.
    pub async fn put_workflow(
        &self,
        definition: Definition,
        audit: Audit,
    ) -> Result<WorkflowPut, EngineError> {
        let checked = Workflow::compile(definition.clone(), 0).map_err(EngineError::BadWorkflow)?;
        if let Some(owner) = self.inner.routes.owner_of_overlap(&checked) {
            let route = definition.route.unwrap_or_default();
            return Err(EngineError::RouteTaken { route, owner });
        }
        if let Some(operation) = checked.definition.credentials
            && let Some(other) = self.inner.routes.of_operation(operation)
            && other.definition.name != definition.name
        {
            return Err(EngineError::OperationTaken { operation, owner: other.definition.name.clone() });
        }
        let audit = audit.target(definition.name.clone());
        let put = self.inner.store.put_workflow(definition, Some(audit)).await.map_err(EngineError::Store)?;
        self.inner.routes.set(put.workflow.clone());
        Ok(put)
    }

    /// Removes a workflow from the list. Its tasks go on; its versions stay.
    pub async fn delete_workflow(&self, name: &str, audit: Audit) -> Result<(), EngineError> {
        let audit = audit.target(name);
        self.inner
            .store
            .delete_workflow(name, Some(audit))
            .await
            .map_err(|e| self.no_workflow(name, None, e))?;
        self.inner.routes.remove(name);
        Ok(())
    }

    /// Returns a workflow by name, in the newest version unless one is given.
    pub fn workflow(
        &self,
        name: &str,
        version: Option<WorkflowVersion>,
    ) -> Result<Arc<Workflow>, EngineError> {
        self.inner.store.workflow(name, version).map_err(|e| self.no_workflow(name, version, e))
    }

    /// Returns every workflow, by name.
    pub fn workflows(&self) -> Result<Vec<WorkflowSummary>, EngineError> {
        self.inner.store.workflows().map_err(EngineError::Store)
    }

    /// Returns true if the newest version of a workflow has work for a queue.
    pub(crate) fn names_queue(&self, queue: &str) -> Result<bool, EngineError> {
        let asks = |sub: &CompiledSubTask| match &sub.action {
            CompiledAction::Worker(work) => &*work.queue == queue,
            _ => false,
        };
        Ok(self.workflows()?.iter().any(|summary| summary.workflow.sub_tasks.iter().any(asks)))
    }

    /// Returns the workflow whose `route:` a request is, with the path's parameters.
    pub fn route(&self, method: &str, path: &str) -> Option<Bound> {
        self.inner.routes.find(method, path)
    }

    fn no_workflow(&self, name: &str, version: Option<WorkflowVersion>, e: StoreError) -> EngineError {
        let StoreError::NotFound = e else { return EngineError::Store(e) };
        if let Some(version) = version
            && self.inner.store.workflow(name, None).is_ok()
        {
            return EngineError::NoWorkflowVersion(name.to_owned(), version);
        }
        let known = self.inner.store.workflows().unwrap_or_default();
        let names = known.iter().map(|summary| summary.workflow.definition.name.as_str());
        let nearest = longhaul_model::workflow::nearest(name, names).map(str::to_owned);
        EngineError::NoWorkflow { name: name.to_owned(), nearest }
    }
}
