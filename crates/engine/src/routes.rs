//! Routes of workflows: a small table in memory of the requests that start tasks, for paths that are not the
//! API's own, and for operations on credentials.

use std::sync::Arc;

use longhaul_model::credentials::Operation;
use longhaul_model::workflow::Workflow;
use longhaul_store::WorkflowSummary;
use parking_lot::RwLock;

/// A bound workflow, and the path's parameters by name.
pub type Bound = (Arc<Workflow>, Vec<(String, String)>);

pub(crate) struct Routes(RwLock<Vec<Arc<Workflow>>>);

impl Routes {
    pub(crate) fn new(all: Vec<WorkflowSummary>) -> Self {
        let bound = all.into_iter().map(|summary| summary.workflow).filter(|workflow| is_bound(workflow));
        Routes(RwLock::new(bound.collect()))
    }

    /// Replaces the routes by those of all workflows as they are now.
    pub(crate) fn reset(&self, all: Vec<WorkflowSummary>) {
        let bound = all.into_iter().map(|summary| summary.workflow).filter(|workflow| is_bound(workflow));
        *self.0.write() = bound.collect();
    }

    pub(crate) fn find(&self, method: &str, path: &str) -> Option<Bound> {
        self.0.read().iter().find_map(|workflow| {
            let parameters = workflow.route.as_ref()?.matches(method, path)?;
            let owned =
                parameters.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
            Some((workflow.clone(), owned))
        })
    }

    /// The workflow of an operation on credentials.
    pub(crate) fn of_operation(&self, operation: Operation) -> Option<Arc<Workflow>> {
        self.0.read().iter().find(|workflow| workflow.definition.credentials == Some(operation)).cloned()
    }

    /// Returns another workflow that would answer the same requests.
    pub(crate) fn owner_of_overlap(&self, candidate: &Workflow) -> Option<String> {
        let route = candidate.route.as_ref()?;
        let bound = self.0.read();
        let other = bound.iter().find(|workflow| {
            workflow.definition.name != candidate.definition.name
                && workflow.route.as_ref().is_some_and(|taken| taken.overlaps(route))
        })?;
        Some(other.definition.name.clone())
    }

    pub(crate) fn set(&self, workflow: Arc<Workflow>) {
        let mut bound = self.0.write();
        bound.retain(|known| known.definition.name != workflow.definition.name);
        if is_bound(&workflow) {
            bound.push(workflow);
        }
    }

    pub(crate) fn remove(&self, name: &str) {
        self.0.write().retain(|known| known.definition.name != name);
    }
}

fn is_bound(workflow: &Workflow) -> bool {
    workflow.route.is_some() || workflow.definition.credentials.is_some()
}
