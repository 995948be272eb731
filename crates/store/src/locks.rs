//! What tasks have for themselves, as operators see it.

use longhaul_model::{ClaimMode, TaskId, Timestamp};

/// One claim of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The type of the resource in capitals; of a place, the workflow's name.
    pub kind: String,
    /// The resource's id in small letters; of a place, its concurrency key.
    pub name: String,
    /// How.
    pub mode: ClaimMode,
    /// Whose.
    pub task: TaskId,
    /// What that task is called.
    pub task_name: String,
    /// False while it waits.
    pub held: bool,
    /// Since when it is held, or waits.
    pub since: Timestamp,
}

/// Which claims to read, in order of kind, name and arrival.
#[derive(Clone, Debug, Default)]
pub struct LockQuery {
    /// Of this type of resource, case ignored.
    pub kind: Option<String>,
    /// Of this id, case ignored.
    pub name: Option<String>,
    /// How many to leave out.
    pub offset: u64,
    /// How many at the most.
    pub limit: u32,
}

/// A page of claims.
#[derive(Clone, Debug, Default)]
pub struct LockPage {
    /// The claims.
    pub locks: Vec<Lock>,
    /// How many match.
    pub total: u64,
}

/// Result of one step of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Number of keys and tasks found stuck, which are now resumed.
    pub found: usize,
    /// True if the sweep has covered everything; the next step starts over.
    pub is_through: bool,
}
