//! Finding: one fault of a store.

use longhaul_model::TaskId;

/// Fault of a store, with its place and remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Table of the finding, or `database` for the file as a whole and `log` for its write-ahead log.
    pub table: String,
    /// The task that the row belongs to, if known.
    pub task: Option<TaskId>,
    /// Row of the finding by its key, if it is about one.
    pub row: Option<String>,
    /// Description of the fault.
    pub what: String,
    /// The way out.
    pub remedy: Remedy,
}

/// Ways out of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Repair the store, which rebuilds the data.
    Repair,
    /// Cancel the task, so that nothing waits for it; its document is kept.
    Cancel(TaskId),
    /// Start the server, which repairs the data while it runs.
    Serve,
    /// Restore a backup: the data is nowhere else.
    Restore,
    /// Use the key file that sealed the secrets; this one did not.
    Keys,
    /// Leave it: it is never read, and only takes room.
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
