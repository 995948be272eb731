//! What makes tasks move: the use cases, the dispatch of attempts, timers, built-in actions, recovery.
//! Knows the model and the store, nothing of HTTP or SQL.
#![forbid(unsafe_code)]

pub mod action;
mod config;
mod egress;
mod engine;
mod error;
pub mod launcher;

pub use config::{CommandConfig, EngineConfig, HttpConfig};
pub use engine::{Engine, Report, SubmitRequest, VerdictRequest};
pub use error::EngineError;
pub use longhaul_store::{
    ImportOutcome, ImportedTask, OrderBy, Page, Stats, Stored, Submitted, TaskQuery, WorkflowPut,
    WorkflowSummary,
};
