//! Where tasks live. One trait of semantic operations ([`Store`]), its engines, and the suite that every engine
//! passes. A store runs commands: it loads the task inside its transaction, calls the model, and writes what
//! changed, so callers never read, change and write.
#![forbid(unsafe_code)]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod migrate;
mod query;
pub mod sqlite;
mod store;
mod stored;

pub use error::StoreError;
pub use query::{OrderBy, TaskQuery};
pub use store::{Commit, CommitSink, Store, Submission};
pub use stored::{
    IdempotencyKey, ImportOutcome, ImportedTask, Page, Stats, Stored, Submitted, WorkflowPut, WorkflowSummary,
};
