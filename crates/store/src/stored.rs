//! Parameters and results of a store's operations.

use std::sync::Arc;

use longhaul_model::{
    Launch, Record, Resource, TaskId, TaskStatus, Timestamp, Unread, WorkflowVersion, workflow::Workflow,
};

use crate::error::StoreError;

/// Task as a store returns it.
#[derive(Clone, Debug)]
pub enum Stored {
    /// Task that Longhaul runs or ran.
    Own(Box<Record>),
    /// Imported task, which is given back as it came.
    Imported {
        /// ID of the task.
        id: TaskId,
        /// JSON object, with members and their order as they were received.
        json: String,
    },
    /// Task that cannot be read in full, with its remains.
    Damaged(Box<Damaged>),
}

/// Known facts of a task that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// ID of the task; derived from its row number where even the ID cannot be read.
    pub id: TaskId,
    /// Name, as far as it can be read.
    pub name: String,
    /// Type, as far as it can be read.
    pub kind: String,
    /// Status according to the row; `None` if unreadable.
    pub status: Option<TaskStatus>,
    /// Time of creation.
    pub created_at: Option<Timestamp>,
    /// Time of completion.
    pub completed_at: Option<Timestamp>,
    /// Description of the damage.
    pub why: String,
}

impl Damaged {
    /// Describes a task whose own row can be read and another row of which cannot.
    pub fn beside(record: &Record, why: String) -> Self {
        Damaged {
            id: record.id,
            name: record.name.clone(),
            kind: record.workflow.definition.kind.clone(),
            status: Some(record.state.status),
            created_at: Some(record.state.created_at),
            completed_at: record.state.completed_at,
            why,
        }
    }

    /// Returns the state machine's view, which decides what may still be done to the task.
    pub fn unread(&self, holds: bool) -> Unread {
        Unread { status: self.status, completed_at: self.completed_at, holds }
    }

    /// Returns true if, for all that is known, the task does not change any more by itself.
    pub fn has_ended(&self) -> bool {
        self.status.is_none_or(TaskStatus::is_ended)
    }
}

impl Stored {
    /// Returns the ID of the task.
    pub fn id(&self) -> TaskId {
        match self {
            Stored::Own(record) => record.id,
            Stored::Imported { id, .. } => *id,
            Stored::Damaged(damaged) => damaged.id,
        }
    }
}

/// Page of tasks.
#[derive(Clone, Debug)]
pub struct Page {
    /// The tasks, in the order asked for.
    pub tasks: Vec<Stored>,
    /// Number of matches, exact, as of the same moment.
    pub total: u64,
}

/// Attempt that was leased, with the facts that its worker is told of its task.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The task.
    pub id: TaskId,
    /// Name of the task.
    pub name: String,
    /// Workflow version of the task.
    pub workflow: Arc<Workflow>,
    /// Name of the sub-task.
    pub sub_task: String,
    /// The attempt.
    pub launch: Launch,
}

/// Outcome of a worker's call.
#[derive(Debug, Default)]
pub struct Worked {
    /// Outcome of each report, in order.
    pub reports: Vec<Result<(), StoreError>>,
    /// Attempts leased: first those that became ready by the reports.
    pub grants: Vec<Grant>,
    /// Items that were offered for a lease and had no room: they wait still.
    pub unused: Vec<(TaskId, u32)>,
}

/// `Idempotency-Key` of a submission: the same key and request within its lifetime give the same task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Account that the key belongs to.
    pub principal: String,
    /// The key.
    pub key: String,
    /// Hash of the request that carried it.
    pub fingerprint: [u8; 32],
}

/// Outcome of a submission.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// New task, or the one that the key made before.
    pub task: Stored,
    /// True when the key had been used for the same request before.
    pub replayed: bool,
}

/// Imported task, with the members by which it is found.
#[derive(Clone, Debug)]
pub struct ImportedTask {
    /// ID of the task.
    pub id: TaskId,
    /// Name of the task.
    pub name: String,
    /// Type of the task; empty if it has none.
    pub kind: String,
    /// Status of the task.
    pub status: TaskStatus,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the end.
    pub completed_at: Option<Timestamp>,
    /// Resources that the task worked on.
    pub resources: Vec<Resource>,
    /// JSON object, as it was received.
    pub json: String,
}

/// Outcome of the deletion of a task's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The task is gone.
    Deleted,
    /// The task does not exist.
    NotFound,
    /// The task may still change: it has not ended, can be retried, or waits for a decision.
    Open(TaskStatus),
    /// The task cannot be read, so it is not known to have ended: it must be cancelled first.
    Unreadable,
}

/// Outcome of a round of retention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Tasks that are gone.
    pub deleted: u64,
    /// Position at which the next round begins; `None` when nothing is left to look at.
    pub next: Option<(Timestamp, TaskId)>,
}

/// Outcome of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOutcome {
    /// Tasks that are new here.
    pub imported: u64,
    /// Number of tasks that had been imported before, and were replaced.
    pub replaced: u64,
    /// Number of tasks with the ID of one that Longhaul ran itself: left as they are.
    pub kept: u64,
}

impl ImportOutcome {
    /// Adds the outcome of another part of the same import.
    pub(crate) fn add(&mut self, other: ImportOutcome) {
        self.imported += other.imported;
        self.replaced += other.replaced;
        self.kept += other.kept;
    }
}

/// Outcome of storing a definition.
#[derive(Clone, Debug)]
pub struct WorkflowPut {
    /// The stored version.
    pub workflow: Arc<Workflow>,
    /// False when the newest version was the same already.
    pub created: bool,
    /// True for the first version of its name.
    pub first: bool,
}

/// Entry of the list of workflows.
#[derive(Clone, Debug)]
pub struct WorkflowSummary {
    /// The newest version.
    pub workflow: Arc<Workflow>,
    /// Versions, oldest first, with the time at which each was stored.
    pub versions: Vec<(WorkflowVersion, Timestamp)>,
}

/// Counts and sizes of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Tasks by status.
    pub tasks: Vec<(TaskStatus, u64)>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of the write-ahead log among them; `None` for a store whose log is not its own.
    pub wal_bytes: Option<u64>,
}
