//! Cache of workflow definitions: compiled once, kept for as long as the process lives.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{TaskId, WorkflowVersion};
use parking_lot::RwLock;

use crate::doc;
use crate::error::StoreError;

/// The compiled versions, by row.
#[derive(Default)]
pub(crate) struct Workflows {
    compiled: RwLock<HashMap<i64, Arc<Workflow>>>,
    /// The newest listed version by name.
    newest: RwLock<HashMap<String, (i64, Arc<Workflow>)>>,
    /// Count that rises with every change of `newest`, so that a reader with an older snapshot does not put
    /// back what was true before.
    epoch: AtomicU64,
}

impl Workflows {
    /// Returns the version of a row, if it is cached.
    pub(crate) fn compiled(&self, wid: i64) -> Option<Arc<Workflow>> {
        self.compiled.read().get(&wid).cloned()
    }

    /// Compiles the version of a row.
    pub(crate) fn compile(
        &self,
        wid: i64,
        text: &str,
        version: WorkflowVersion,
    ) -> Result<Arc<Workflow>, StoreError> {
        let compiled = Arc::new(compile(doc::parse(text)?, version)?);
        Ok(self.compiled.write().entry(wid).or_insert(compiled).clone())
    }

    /// Returns the newest listed version, if it is cached.
    pub(crate) fn newest(&self, name: &str) -> Option<Arc<Workflow>> {
        self.newest.read().get(name).map(|(_, workflow)| workflow.clone())
    }

    /// Returns the newest listed version with its row, if it is cached and no other is asked for.
    pub(crate) fn at_hand(
        &self,
        name: &str,
        version: Option<WorkflowVersion>,
    ) -> Option<(i64, Arc<Workflow>)> {
        let newest = self.newest.read();
        newest.get(name).filter(|found| version.is_none_or(|version| version == found.1.version)).cloned()
    }

    /// Returns the epoch, to be read before the newest version is, and passed on with it.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Caches the newest version, unless another was committed since.
    pub(crate) fn read(&self, epoch: u64, wid: i64, workflow: &Arc<Workflow>) {
        let mut newest = self.newest.write();
        if self.epoch() == epoch {
            newest.insert(workflow.definition.name.clone(), (wid, workflow.clone()));
        }
    }

    /// Caches a version that was committed.
    pub(crate) fn committed(&self, wid: i64, workflow: &Arc<Workflow>) {
        self.compiled.write().insert(wid, workflow.clone());
        let mut newest = self.newest.write();
        self.epoch.fetch_add(1, Ordering::SeqCst);
        newest.insert(workflow.definition.name.clone(), (wid, workflow.clone()));
    }

    /// Forgets which versions are the newest, as another node may have changed that.
    pub(crate) fn forget(&self) {
        let mut newest = self.newest.write();
        self.epoch.fetch_add(1, Ordering::SeqCst);
        newest.clear();
    }

    /// Forgets everything, as the rows may differ from the cached ones.
    pub(crate) fn forget_all(&self) {
        self.compiled.write().clear();
        self.forget();
    }

    /// Forgets a name that was removed from the list.
    pub(crate) fn removed(&self, name: &str) {
        let mut newest = self.newest.write();
        self.epoch.fetch_add(1, Ordering::SeqCst);
        newest.remove(name);
    }
}

/// Tasks found damaged since the start, so that sweeps skip them. After repairing a task, an operator
/// restarts the server or requests the task by its id.
#[derive(Default)]
pub(crate) struct Damages(RwLock<HashSet<TaskId>>);

impl Damages {
    /// Notes a damaged task, and logs it the first time.
    pub(crate) fn found(&self, id: TaskId, why: &str) {
        if self.0.write().insert(id) {
            tracing::error!(
                task.id = %id,
                error = why,
                "a task cannot be read and is left as it is: `longhaul check` names what is damaged and what to do"
            );
        }
    }

    /// Forgets a task that is no longer damaged: sweeps look at it again.
    pub(crate) fn forget(&self, id: TaskId) {
        self.0.write().remove(&id);
    }

    /// Returns all damaged tasks.
    pub(crate) fn all(&self) -> HashSet<TaskId> {
        self.0.read().clone()
    }
}

/// Compiles a definition that was checked when it was stored.
pub(crate) fn compile(definition: Definition, version: WorkflowVersion) -> Result<Workflow, StoreError> {
    let name = definition.name.clone();
    Workflow::stored(definition, version).map_err(|problems| {
        let first = problems
            .first()
            .map_or_else(String::new, |problem| format!("{}: {}", problem.pointer, problem.message));
        StoreError::Corrupt(format!("version {version} of the workflow `{name}` does not compile: {first}"))
    })
}
