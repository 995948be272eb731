//! What tasks have for themselves: who holds what, who waits for whom, and taking it from one that failed.

use longhaul_model::TaskId;
use longhaul_store::{Audit, KnownNode, Lock, LockPage, LockQuery, Stored};

use crate::engine::Engine;
use crate::error::EngineError;

/// Tasks in the way of another that are named, at the most.
const NAMED: u32 = 20;

impl Engine {
    /// Which nodes share the store; none where it is one server's own.
    pub async fn nodes(&self) -> Result<Vec<KnownNode>, EngineError> {
        self.beside(|store| store.nodes()).await.map_err(EngineError::Store)
    }

    /// A page of what tasks have for themselves, or wait for.
    pub async fn locks(&self, query: LockQuery) -> Result<LockPage, EngineError> {
        self.beside(move |store| store.locks(&query)).await.map_err(EngineError::Store)
    }

    /// Returns the locks that hold up a task that waits for locks or a place: the first of them.
    pub async fn blockers(&self, id: TaskId) -> Result<Vec<Lock>, EngineError> {
        self.beside(move |store| store.blockers(id, NAMED)).await.map_err(|e| Engine::wrong(id, e))
    }

    /// Releases what a failed task holds; whatever its late attempts say is refused by their tokens.
    pub async fn release_locks(&self, id: TaskId, reason: &str, audit: Audit) -> Result<Stored, EngineError> {
        let (audit, reason) = (audit.detail(reason), reason.to_owned());
        self.command(id, audit, |by| longhaul_model::Command::Release { by, reason }).await
    }
}
