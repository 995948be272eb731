//! Health of a store's writer, for readiness, metrics and operators.

use std::fmt;
use std::time::Duration;

use longhaul_model::TaskId;

/// Current health of a store's writing side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Reason why changes cannot be written; `None` while they can.
    pub trouble: Option<Trouble>,
    /// Age of the oldest change not written yet.
    pub oldest_wait: Duration,
    /// Number of posted changes that failed to be written and wait for a retry.
    pub repeated: usize,
    /// Posted changes that failed repeatedly while others were written, oldest first.
    pub set_aside: Vec<SetAside>,
    /// Number of failed statements since the start other than those of changes, such as sweeps and
    /// notifications to other nodes; `None` for a store that does not count them.
    pub failed_statements: Option<u64>,
    /// True if the reserve of disk space is in place; `None` for a store without one.
    pub reserve: Option<bool>,
}

/// Reason why changes cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The disk is full: only changes that end or free something are written, using the reserve.
    Full,
    /// The storage has not answered for this long.
    Stuck(Duration),
    /// The last write failed; it is retried.
    Failing(String),
    /// The storage failed in a way that only a restart repairs.
    Broken(String),
    /// The store is closed or closing.
    Closed,
}

impl Trouble {
    /// Returns the machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Trouble::Full => "STORAGE_FULL",
            Trouble::Stuck(_) => "STORAGE_STUCK",
            Trouble::Failing(_) => "STORAGE_FAILING",
            Trouble::Broken(_) => "STORAGE_BROKEN",
            Trouble::Closed => "STORAGE_CLOSED",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Full => f.write_str("the storage is full"),
            Trouble::Stuck(time) => write!(f, "the storage has not answered for {} s", time.as_secs()),
            Trouble::Failing(why) => write!(f, "the storage fails: {why}"),
            Trouble::Broken(why) => write!(f, "the storage failed for good: {why}"),
            Trouble::Closed => f.write_str("the storage is closed"),
        }
    }
}

/// A posted change that cannot be written although others can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Task that the change is about.
    pub task: TaskId,
    /// Error of the last attempt.
    pub reason: String,
    /// Number of attempts so far.
    pub tries: u32,
}
