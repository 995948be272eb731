//! How the writing side of a store does, for readiness, metrics and whoever is on call.

use std::fmt;
use std::time::Duration;

use longhaul_model::TaskId;

/// How the writing side of a store does just now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why changes cannot be written; `None` while they can.
    pub trouble: Option<Trouble>,
    /// How long the oldest change waits that is not written yet.
    pub oldest_wait: Duration,
    /// Posted changes that could not be written and wait to be written again.
    pub repeated: usize,
    /// Posted changes that failed again and again while others were written, oldest first.
    pub set_aside: Vec<SetAside>,
    /// Statements beside those of changes that failed since the start, such as sweeps and news to other
    /// nodes; `None` for a store that counts none.
    pub failed_statements: Option<u64>,
    /// Whether the reserve of disk space is there; `None` for a store that keeps none.
    pub reserve: Option<bool>,
}

/// Why changes cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The disk is full: only what ends or frees something is written, out of the reserve.
    Full,
    /// The storage has not answered for so long.
    Stuck(Duration),
    /// The last attempt to write failed; it is repeated.
    Failing(String),
    /// The storage failed in a way that only a restart mends.
    Broken(String),
    /// The store is closed, or about to be.
    Closed,
}

impl Trouble {
    /// A word for programs.
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

/// A posted change that cannot be written though others can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// The task that it is about.
    pub task: TaskId,
    /// What went wrong the last time.
    pub reason: String,
    /// How often it was tried.
    pub tries: u32,
}
