//! Execution of tasks: the use cases, the dispatch of attempts, timers, built-in actions, recovery. The crate
//! knows the model and the store, nothing of HTTP or SQL.
#![forbid(unsafe_code)]

pub mod action;
mod chronicle;
mod clock;
mod config;
mod copy;
mod credentials;
mod dispatch;
mod egress;
mod engine;
mod error;
mod feed;
mod history;
mod locks;
mod logs;
mod long_work;
mod meters;
mod operate;
mod peers;
mod permits;
mod read;
mod routes;
mod secrets;
mod settings;
mod submit;
mod sweeps;
mod timers;
mod watch;
mod why;
mod workers;
mod workflows;

pub use chronicle::Told;
pub use config::{AllowedProgram, CommandConfig, CommandLimits, EngineConfig, HttpConfig};
pub use copy::park_all;
pub use credentials::CredentialsPage;
pub use engine::Engine;
pub use error::EngineError;
pub use feed::{FeedEnd, FeedEvent, FeedPage, FeedTask, Follower, Form};
pub use logs::{Log, LogChunk, LogLine, LogQuery, LogStream};
/// Launcher that starts and ends the programs of `command` actions.
pub use longhaul_process as launcher;
pub use longhaul_store::{
    Audit, AuditEntry, AuditPage, AuditQuery, Budget, Damaged, Deletion, Health, IdempotencyKey,
    ImportOutcome, ImportedTask, KnownNode, Lock, LockPage, LockQuery, Node, NodeState, OrderBy, Page,
    Position, Room, Stats, StoreError, Stored, Submitted, TaskQuery, Trouble, WorkflowPut, WorkflowSummary,
};
pub use longhaul_traces::TraceSettings;
pub use operate::{Several, VerdictRequest};
pub use permits::LineSummary;
pub use read::Report;
pub use routes::Bound;
pub use secrets::SecretCheck;
pub use settings::{DeletionResult, TaskSettings};
pub use submit::SubmitRequest;
pub use why::{Obstacle, Reason};
pub use workers::{
    Ask, Assigned, Assignment, Beat, Beats, Ending, LeaseName, LeaseState, Origin, QueueChange, QueueLimits,
    QueueSummary, Rate, Recorded, WorkerBounds, WorkerReport, WorkerSummary, is_queue_name,
};
