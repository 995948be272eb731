//! The check of a whole store, of either engine: every row is read as a server reads it, and what is derived
//! is compared with what it is derived from. Reads one moment, changes nothing, and keeps no more than one
//! task and one page of each table in memory. [`repair`] makes anew what is derived.

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
    /// Hears how far the check is.
    fn progress(&mut self, _progress: Progress) {}
    /// Hears of a finding, as soon as there is one.
    fn found(&mut self, finding: Finding);
    /// Tries to open the secrets in the input of a task. Err: the reason why they stay closed.
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
    /// Remarks on what was not checked, and why.
    pub notes: Vec<String>,
}

/// Checks a store. A data directory may be that of a running server, and nodes may be at work on a database:
/// one moment of it is read, and nothing is written. To be called where no runtime is.
/// Err: the store cannot be checked, such as one that is not there or of another version.
pub fn check(at: &Location, inspector: &mut dyn Inspector) -> Result<Checked, StoreError> {
    match at {
        Location::Directory(directory) => sqlite::check(directory, inspector),
        Location::Database(url) => postgres::check(url, inspector),
    }
}

/// Makes anew what a store derives from its tasks: indexes, totals, claims. Documents are left as they are.
/// Returns what was done, one sentence each. Refused while a server or node is at work on the store. To be
/// called where no runtime is.
/// After Ok: on disk. Crash in the middle: each step happened whole or not at all.
pub fn repair(at: &Location, env: &Env) -> Result<Vec<String>, StoreError> {
    match at {
        Location::Directory(directory) => sqlite::repair(directory, env),
        Location::Database(url) => postgres::repair(url, env),
    }
}
