//! What can go wrong in a store, in words that name no engine.

use longhaul_model::Refused;
use thiserror::Error;

/// Why a store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no such task or workflow.
    #[error("not found")]
    NotFound,
    /// The model refused the command; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The idempotency key was used for another request; nothing changed.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The storage cannot be used just now; nothing changed, or whether it did is unknown only if `ambiguous`.
    #[error("the storage is unavailable: {0}")]
    Unavailable(String),
    /// The storage is full; nothing changed.
    #[error("the storage is full")]
    Full,
    /// Something stored cannot be read.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The data directory is in use, of an unknown version, or not writable.
    #[error("{0}")]
    Open(String),
}
