//! Reasons why a server does not answer.

use anyhow::anyhow;
use longhaul_auth::{RotateError, StartError};
use longhaul_engine::EngineError;
use longhaul_store::StoreError;

/// Reason why a server does not answer.
pub(crate) enum NotStarted {
    /// The store became unavailable meanwhile; it may be back soon.
    Away(String),
    Failed(anyhow::Error),
}

impl NotStarted {
    pub(crate) fn of(said: String, cause: Option<&StoreError>) -> NotStarted {
        match cause {
            Some(StoreError::Unavailable(_) | StoreError::Conflict(_)) => NotStarted::Away(said),
            _ => NotStarted::Failed(anyhow!("{said}")),
        }
    }
}

impl From<StoreError> for NotStarted {
    fn from(e: StoreError) -> Self {
        NotStarted::of(e.to_string(), Some(&e))
    }
}

impl From<StartError> for NotStarted {
    fn from(e: StartError) -> Self {
        let cause = match &e {
            StartError::Store(cause) | StartError::Keys(RotateError::Store(cause)) => Some(cause),
            _ => None,
        };
        NotStarted::of(e.to_string(), cause)
    }
}

impl NotStarted {
    pub(crate) fn engine(e: &EngineError, origin: Option<&str>) -> NotStarted {
        let cause = match e {
            EngineError::Store(cause) => Some(cause),
            _ => None,
        };
        let said = origin.map_or_else(|| e.to_string(), |origin| format!("{origin}: {e}"));
        NotStarted::of(said, cause)
    }
}
