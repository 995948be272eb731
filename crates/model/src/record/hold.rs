//! Lock state of a task.

use serde::{Deserialize, Serialize};

/// Lock state of a task: whether it has what it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Hold {
    /// The task does not ask yet, or has released its locks.
    #[default]
    #[serde(rename = "n")]
    None,
    /// The task asks, and is PENDING until it has all of them.
    #[serde(rename = "w")]
    Waiting,
    /// The task has all of them.
    #[serde(rename = "h")]
    Held,
}

impl Hold {
    pub(crate) fn is_none(&self) -> bool {
        *self == Hold::None
    }
}
