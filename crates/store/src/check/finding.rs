//! One thing that is wrong in a store.

use longhaul_model::TaskId;

/// Something that is wrong in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table, or `database` for the file as a whole and `log` for its write-ahead log.
    pub table: String,
    /// The task that the row belongs to, if known.
    pub task: Option<TaskId>,
    /// The row, by its key, if the finding is about one.
    pub row: Option<String>,
    /// Description of the fault.
    pub what: String,
    /// The way out.
    pub remedy: Remedy,
}

/// Ways out of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// A repair makes it anew.
    Repair,
    /// The task can be cancelled, so that nothing waits for it; its document is kept.
    Cancel(TaskId),
    /// A running server mends it by itself.
    Serve,
    /// Only a backup has what was there.
    Restore,
    /// The key file is not the one that sealed this.
    Keys,
    /// Nothing reads it: it only takes room.
    Leave,
}

impl Finding {
    /// Creates a finding about a table as a whole.
    pub(crate) fn of(table: impl Into<String>, what: impl Into<String>, remedy: Remedy) -> Self {
        Finding { table: table.into(), task: None, row: None, what: what.into(), remedy }
    }

    /// Returns the finding with its task.
    pub(crate) fn task(mut self, id: Option<TaskId>) -> Self {
        self.task = id;
        self
    }

    /// Returns the finding with its row.
    pub(crate) fn row(mut self, row: impl Into<String>) -> Self {
        self.row = Some(row.into());
        self
    }
}
