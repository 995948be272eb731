//! Errors of a store, in words that name no engine.

use longhaul_model::{Refused, TaskId};
use thiserror::Error;

use crate::accounts::AccountRefused;

/// Reason why a store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The task, workflow or account does not exist.
    #[error("not found")]
    NotFound,
    /// The model refused the command; nothing changed.
    #[error(transparent)]
    Refused(Refused),
    /// The change of accounts is not allowed; nothing changed.
    #[error(transparent)]
    Account(#[from] AccountRefused),
    /// The idempotency key was used for another request; nothing changed.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The workflow was named without its version, and has changed or is gone by now; nothing changed.
    #[error("the workflow was changed meanwhile")]
    WorkflowChanged,
    /// The resources are held by other tasks; nothing changed.
    #[error("the resources are held by {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Locked(Vec<TaskId>),
    /// The storage cannot be used at the moment; nothing changed, or, if `ambiguous`, the outcome is unknown.
    #[error("the storage is unavailable: {0}")]
    Unavailable(String),
    /// A concurrent change got in the way; nothing changed, and a repetition may succeed.
    #[error("the storage is busy with the same: {0}")]
    Conflict(String),
    /// The storage is full; nothing changed.
    #[error("the storage is full")]
    Full,
    /// Stored data cannot be read.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The data directory is in use, of an unknown version, or not writable.
    #[error("{0}")]
    Open(String),
}

impl From<Refused> for StoreError {
    /// Converts a refusal. A task that cannot be changed for a fault of ours is treated like one that cannot
    /// be read: it is reported, skipped, and an operator may end it.
    fn from(refused: Refused) -> StoreError {
        match refused {
            Refused::Panicked => StoreError::Corrupt(refused.to_string()),
            refused => StoreError::Refused(refused),
        }
    }
}

impl StoreError {
    /// Returns true for a change that panicked, which is not due to stored data.
    pub(crate) fn is_fault_of_ours(&self) -> bool {
        matches!(self, StoreError::Corrupt(why) if *why == Refused::Panicked.to_string())
    }

    /// Copies the error, because all callers of a batch are told the same one.
    pub(crate) fn copy(&self) -> StoreError {
        match self {
            StoreError::NotFound => StoreError::NotFound,
            StoreError::Refused(refused) => StoreError::Refused(refused.clone()),
            StoreError::Account(refused) => StoreError::Account(*refused),
            StoreError::KeyReused => StoreError::KeyReused,
            StoreError::WorkflowChanged => StoreError::WorkflowChanged,
            StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
            StoreError::Conflict(why) => StoreError::Conflict(why.clone()),
            StoreError::Full => StoreError::Full,
            StoreError::Locked(holders) => StoreError::Locked(holders.clone()),
            StoreError::Corrupt(why) => StoreError::Corrupt(why.clone()),
            StoreError::Open(why) => StoreError::Open(why.clone()),
        }
    }
}
