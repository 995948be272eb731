//! Locks and slots of tasks, as operators see them.

use longhaul_model::{ClaimMode, TaskId, Timestamp};

/// Claim of one task, held or waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Type of the resource in capitals; of a slot, the workflow's name.
    pub kind: String,
    /// ID of the resource in small letters; of a slot, its concurrency key.
    pub name: String,
    /// Mode of the claim.
    pub mode: ClaimMode,
    /// Task that has the claim.
    pub task: TaskId,
    /// Name of that task.
    pub task_name: String,
    /// False while the claim waits.
    pub held: bool,
    /// Time since when it is held, or waits.
    pub since: Timestamp,
}

/// Selection of claims, in order of kind, name and arrival.
#[derive(Clone, Debug, Default)]
pub struct LockQuery {
    /// Selects claims on this type of resource, case ignored.
    pub kind: Option<String>,
    /// Selects claims on this ID, case ignored.
    pub name: Option<String>,
    /// Count of claims to leave out at the beginning.
    pub offset: u64,
    /// Largest count of claims to return.
    pub limit: u32,
}

/// A page of claims.
#[derive(Clone, Debug, Default)]
pub struct LockPage {
    /// The claims.
    pub locks: Vec<Lock>,
    /// Count of all matching claims.
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
