//! stub
#![expect(clippy::unimplemented, unused_variables, missing_docs)]
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{Attempt, Env, Record, Spec, TaskId, Timestamp, WorkflowVersion};
use longhaul_store::*;
use serde_json::Value;

use crate::{EngineConfig, EngineError};

/// A task to start.
#[derive(Clone, Debug)]
pub struct SubmitRequest {
    /// The workflow's name.
    pub workflow: String,
    /// Its version, the newest unless given.
    pub version: Option<WorkflowVersion>,
    /// Its input; an empty object unless given.
    pub input: Value,
    /// What the task is called, the workflow's title unless given.
    pub name: Option<String>,
    /// When it may start.
    pub not_before: Option<Timestamp>,
    /// Free words to find it by.
    pub labels: BTreeMap<String, String>,
    /// Who asks.
    pub by: Option<String>,
    /// The caller's key.
    pub key: Option<IdempotencyKey>,
}

/// What an operator found out.
#[derive(Clone, Debug)]
pub struct VerdictRequest {
    /// The sub-task, by its name.
    pub sub_task: String,
    /// True: done. False: not done.
    pub done: bool,
    /// Its output, where it was done.
    pub output: Option<Value>,
}

/// Everything about the attempts of a task.
#[derive(Clone, Debug)]
pub struct Report {
    /// The task.
    pub record: Box<Record>,
    /// Its attempts, in order of their starts.
    pub attempts: Vec<Attempt>,
}

/// The running engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {}

impl Engine {
    /// Recovers what a crash left, then runs. Tasks of the store move from here on.
    pub async fn start(store: Arc<dyn Store>, env: Env, config: EngineConfig) -> Result<Engine, EngineError> { unimplemented!() }
    pub fn env(&self) -> &Env { unimplemented!() }
    /// Accepts a task; durable when this returns.
    pub async fn submit(&self, request: SubmitRequest) -> Result<Submitted, EngineError> { unimplemented!() }
    /// Point read, sync, microseconds.
    pub fn get(&self, id: TaskId) -> Result<Stored, EngineError> { unimplemented!() }
    /// Answers when the task has ended or the time is over.
    pub async fn wait(&self, id: TaskId, limit: Duration) -> Result<Stored, EngineError> { unimplemented!() }
    pub async fn list(&self, query: TaskQuery) -> Result<Page, EngineError> { unimplemented!() }
    pub async fn retry(&self, id: TaskId, by: &str) -> Result<Stored, EngineError> { unimplemented!() }
    pub async fn cancel(&self, id: TaskId, by: &str) -> Result<Stored, EngineError> { unimplemented!() }
    pub async fn skip(&self, id: TaskId, sub_task: &str, by: &str, reason: &str) -> Result<Stored, EngineError> { unimplemented!() }
    pub async fn resolve(&self, id: TaskId, by: &str, reason: &str, verdict: Option<VerdictRequest>) -> Result<Stored, EngineError> { unimplemented!() }
    pub async fn attempts(&self, id: TaskId) -> Result<Report, EngineError> { unimplemented!() }
    /// Input, labels, requester; None for an imported task.
    pub async fn spec(&self, id: TaskId) -> Result<Option<Spec>, EngineError> { unimplemented!() }
    /// Outputs by sub-task index.
    pub async fn outputs(&self, id: TaskId) -> Result<Vec<(u32, Value)>, EngineError> { unimplemented!() }
    /// Checks (Workflow::compile, route overlap) and stores.
    pub async fn put_workflow(&self, definition: Definition) -> Result<WorkflowPut, EngineError> { unimplemented!() }
    pub async fn delete_workflow(&self, name: &str) -> Result<(), EngineError> { unimplemented!() }
    pub fn workflow(&self, name: &str, version: Option<WorkflowVersion>) -> Result<Arc<Workflow>, EngineError> { unimplemented!() }
    pub fn workflows(&self) -> Result<Vec<WorkflowSummary>, EngineError> { unimplemented!() }
    /// The workflow whose `route:` this request is, with the path's parameters.
    pub fn route(&self, method: &str, path: &str) -> Option<(Arc<Workflow>, Vec<(String, String)>)> { unimplemented!() }
    pub async fn import(&self, tasks: Vec<ImportedTask>) -> Result<ImportOutcome, EngineError> { unimplemented!() }
    pub async fn stats(&self) -> Result<Stats, EngineError> { unimplemented!() }
    /// False once draining or when the store cannot write.
    pub fn is_ready(&self) -> bool { unimplemented!() }
    /// Stops starting attempts, waits for running ones up to `limit`, closes the store.
    pub async fn shutdown(&self, limit: Duration) { unimplemented!() }
}
