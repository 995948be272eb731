//! Check of a whole store, of either engine: every row is read as a server reads it, and derived data is
//! compared with its source. The check reads one moment, changes nothing, and keeps no more than one task and
//! one page of each table in memory. [`repair`] rebuilds derived data.

mod extent;
mod finding;
mod inspector;
mod source;
mod tables;
mod tally;
mod task;
mod walk;

use longhaul_model::Env;

use crate::error::StoreError;
use crate::postgres::check as postgres;
use crate::sqlite::check as sqlite;
use crate::transfer::Location;

pub use extent::{Checked, Progress};
pub use finding::{Finding, Remedy};
pub use inspector::Inspector;
pub(crate) use source::{Line, Source, key_of};
pub(crate) use tally::Tally;
pub(crate) use task::expected_claims;
pub(crate) use walk::run;

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
