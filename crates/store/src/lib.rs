//! Stores of tasks. One trait of semantic operations ([`Store`]), its engines, and the suite that every
//! engine passes. A store runs commands: it loads the task inside its transaction, calls the model, and
//! writes what changed, so callers never read, change and write.
#![forbid(unsafe_code)]

mod accounts;
mod attempts;
mod audit;
mod budget;
mod cache;
mod changes;
mod check;
mod checksum;
#[cfg(feature = "conformance")]
pub mod conformance;
mod counters;
mod deep;
mod doc;
mod document_filters;
mod error;
mod health;
mod known;
mod locks;
mod logs;
mod lost;
mod matching;
mod merge;
mod meters;
mod migrate;
mod nodes;
mod packed;
pub mod peers;
pub mod postgres;
mod query;
mod replacement;
mod session;
pub mod sqlite;
mod store;
mod stored;
mod transfer;

pub use accounts::{ADMIN, AccountRefused, Accounts, ApiKey, MOST_API_KEYS, User, UserChange, Users};
pub use audit::{Audit, AuditEntry, AuditPage, AuditQuery, referenced};
pub use budget::{Budget, Room};
pub use changes::{Changes, Position};
pub use check::{Checked, Finding, Inspector, Progress, Remedy, check, repair};
pub use error::StoreError;
pub use health::{Health, SetAside, Trouble};
pub use locks::{Lock, LockPage, LockQuery, Sweep};
pub use logs::{LARGEST_LOG, LONGEST_LINE, LogChunk, LogLine, LogQuery, LogStream};
pub use matching::Facts;
pub use nodes::{KnownNode, Node, NodeState};
pub use query::{OrderBy, TaskQuery};
pub use session::{Basis, RefreshToken, SessionId, SessionPage, SessionQuery, Whose};
pub use store::{Commit, CommitSink, Store, Submission, Work};
pub use stored::{
    Damaged, Deletion, Grant, IdempotencyKey, ImportOutcome, ImportedTask, Page, Purged, Stats, Stored,
    Submitted, Worked, WorkflowPut, WorkflowSummary,
};
pub use transfer::{KEYS, Location, Moved, Phase, STORAGE_ID, Step, transfer, undo_transfer};
