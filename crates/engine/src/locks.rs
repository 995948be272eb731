//! Locks of tasks: holders, waiting tasks, and the release of a failed task's locks.

use longhaul_model::TaskId;
use longhaul_store::{Audit, KnownNode, Lock, LockPage, LockQuery, Stored};

use crate::engine::Engine;
use crate::error::EngineError;

/// Tasks in the way of another that are named, at the most.
const NAMED: u32 = 20;

impl Engine {
    /// Returns the nodes that share the store; none for a server on its own files.
    pub async fn nodes(&self) -> Result<Vec<KnownNode>, EngineError> {
        self.beside(|store| store.nodes()).await.map_err(EngineError::Store)
    }

    /// Returns a page of locks and slots that tasks hold, or wait for.
    pub async fn locks(&self, query: LockQuery) -> Result<LockPage, EngineError> {
        self.beside(move |store| store.locks(&query)).await.map_err(EngineError::Store)
    }

    /// Returns the locks that hold up a task that waits for locks or a place: the first of them.
    pub async fn blockers(&self, id: TaskId) -> Result<Vec<Lock>, EngineError> {
        self.beside(move |store| store.blockers(id, NAMED)).await.map_err(|e| Engine::wrong(id, e))
    }

    /// Releases the locks of a failed task; late reports of its attempts are refused by their tokens.
    pub async fn release_locks(&self, id: TaskId, reason: &str, audit: Audit) -> Result<Stored, EngineError> {
        let (audit, reason) = (audit.detail(reason), reason.to_owned());
        self.command(id, audit, |by| longhaul_model::Command::Release { by, reason }).await
    }
}
