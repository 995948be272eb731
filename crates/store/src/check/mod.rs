//! Check of a whole store, of either engine: every row is read as a server reads it, and derived data is
//! compared with its source. The check reads one moment, changes nothing, and keeps no more than one task and
//! one page of each table in memory. [`repair`] rebuilds derived data.

mod finding;
mod source;
mod tables;
mod tally;
mod task;
mod walk;

use longhaul_model::Env;
use longhaul_model::TaskId;
use longhaul_model::workflow::Workflow;
use serde_json::Value;

use crate::error::StoreError;
use crate::postgres::check as postgres;
use crate::sqlite::check as sqlite;
use crate::transfer::Location;

pub use finding::{Finding, Remedy};
pub(crate) use source::{Line, Source, key_of};
pub(crate) use tally::Tally;
pub(crate) use task::expected_claims;
pub(crate) use walk::run;

/// Listener to a check.
pub trait Inspector {
    /// Called with the progress of the check.
    fn progress(&mut self, _progress: Progress) {}
    /// Called with a finding, as soon as there is one.
    fn found(&mut self, finding: Finding);
    /// Tries to open the secrets in the input of a task. The error is the reason why they stay closed.
    fn secrets(&mut self, _id: TaskId, _workflow: &Workflow, _input: &Value) -> Result<(), String> {
        Ok(())
    }
}

/// Progress of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The part of the store that is looked at.
    pub part: &'static str,
    /// Rows read so far.
    pub done: u64,
    /// Rows to read; 0 while that is unknown.
    pub all: u64,
}

/// Extent of a check that ran to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Number of rows read, by table.
    pub rows: Vec<(&'static str, u64)>,
    /// Remarks on parts that were not checked, with the reasons.
    pub notes: Vec<String>,
}

/// Checks a store. A data directory may be that of a running server, and nodes may be active on a database:
/// one moment of it is read, and nothing is written. To be called outside of a runtime. Err: the store cannot
/// be checked, such as one that does not exist or is of another version.
pub fn check(at: &Location, inspector: &mut dyn Inspector) -> Result<Checked, StoreError> {
    match at {
        Location::Directory(directory) => sqlite::check(directory, inspector),
        Location::Database(url) => postgres::check(url, inspector),
    }
}

/// Rebuilds the data that a store derives from its tasks: indexes, totals, claims. Documents are left as they
/// are. Returns one sentence for each thing done. Refused while a server or node is active on the store. To
/// be called outside of a runtime. After Ok: on disk. Crash in the middle: each step happened whole or not at
/// all.
pub fn repair(at: &Location, env: &Env) -> Result<Vec<String>, StoreError> {
    match at {
        Location::Directory(directory) => sqlite::repair(directory, env),
        Location::Database(url) => postgres::repair(url, env),
    }
}
