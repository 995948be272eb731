//! Reads: lists, attempts, inputs and outputs, counts. Reads that may take milliseconds run beside the event
//! loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longhaul_model::{Attempt, Record, Spec, TaskId};
use longhaul_store::{Audit, ImportOutcome, ImportedTask, Page, Stats, Store, StoreError, Stored, TaskQuery};
use serde_json::Value;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::secrets::hide;

/// Task with all its attempts.
#[derive(Clone, Debug)]
pub struct Report {
    /// The task.
    pub record: Box<Record>,
    /// Attempts of the task, in order of their starts.
    pub attempts: Vec<Attempt>,
}

impl Engine {
    /// A page of tasks and the exact total.
    pub async fn list(&self, query: TaskQuery) -> Result<Page, EngineError> {
        self.beside(move |store| store.list(&query)).await.map_err(EngineError::Store)
    }

    /// Returns at most so many tasks whose ID begins or ends with these hexadecimal digits, in short.
    pub async fn tasks_like(&self, digits: String, limit: u32) -> Result<Vec<Stored>, EngineError> {
        let found = self.beside(move |store| {
            let ids = store.ids_like(&digits, limit)?;
            let read = ids.into_iter().map(|id| store.get_short(id));
            // A task that was deleted meanwhile is left out.
            read.filter(|read| !matches!(read, Err(StoreError::NotFound))).collect()
        });
        found.await.map_err(EngineError::Store)
    }

    /// Returns those of the given tasks that exist, with the counts of their children only.
    pub async fn in_short(&self, ids: BTreeSet<TaskId>) -> Result<BTreeMap<TaskId, Stored>, EngineError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let read = self.beside(move |store| {
            // A task that cannot be read is left out: the rest of the answer is worth more.
            Ok(ids.into_iter().filter_map(|id| Some((id, store.get_short(id).ok()?))).collect())
        });
        read.await.map_err(EngineError::Store)
    }

    /// Returns every attempt of a task; none for an imported one.
    pub async fn attempts(&self, id: TaskId) -> Result<Report, EngineError> {
        let record = match self.get(id)? {
            Stored::Own(record) => record,
            Stored::Imported { .. } => return Err(EngineError::Imported(id)),
            Stored::Damaged(damaged) => return Err(EngineError::Unreadable { id, why: damaged.why }),
        };
        let attempts =
            self.beside(move |store| store.attempts(id)).await.map_err(|e| Engine::wrong(id, e))?;
        Ok(Report { record, attempts })
    }

    /// Returns input, labels and requester; `None` for an imported task. Secrets are shown to nobody.
    pub async fn spec(&self, record: &Record) -> Result<Option<Spec>, EngineError> {
        let id = record.id;
        let mut spec = self.beside(move |store| store.spec(id)).await.map_err(|e| Engine::wrong(id, e))?;
        if let Some(spec) = &mut spec {
            hide(&record.workflow.secrets, &mut spec.input);
        }
        Ok(spec)
    }

    /// Returns the outputs of a task's sub-tasks, by index.
    pub async fn outputs(&self, id: TaskId) -> Result<Vec<(u32, Value)>, EngineError> {
        self.beside(move |store| store.outputs(id)).await.map_err(|e| Engine::wrong(id, e))
    }

    /// Imports tasks, a few at a time beside the load. After an error the first ones may be stored; importing
    /// the same tasks again replaces them.
    pub async fn import(&self, tasks: Vec<ImportedTask>, audit: Audit) -> Result<ImportOutcome, EngineError> {
        let audit = audit.detail(format!("{} tasks", tasks.len()));
        self.inner.store.import(tasks, Some(audit)).await.map_err(EngineError::Store)
    }

    /// Counts and sizes.
    pub async fn stats(&self) -> Result<Stats, EngineError> {
        self.beside(|store| store.stats()).await.map_err(EngineError::Store)
    }

    pub(crate) async fn beside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let stopping = || StoreError::Unavailable("the server is stopping".to_owned());
        let _turn = self.inner.lists.acquire().await.map_err(|_| stopping())?;
        let store: Arc<dyn Store> = self.inner.store.clone();
        tokio::task::spawn_blocking(move || read(&*store)).await.map_err(|_| stopping())?
    }
}
