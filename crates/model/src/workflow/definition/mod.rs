//! A workflow as it is written: one YAML or JSON file (design: section "Workflows"). Plain data; what may be
//! combined with what is checked by [`super::check`].

mod action;
mod retry;
mod status_range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::credentials::Operation;
use crate::resource::LockMode;
use crate::status::StatusStyle;
use crate::time::Span;

pub use action::*;
pub use retry::RetryPolicy;
pub use status_range::StatusRange;

/// A workflow: what a task of it needs, works on and does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Key: lower-case letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// `Task.type`, `<RESOURCE>_<OPERATION>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What a task of it is called, unless its request says otherwise; may use `input`.
    pub title: String,
    /// What it is for, for people who choose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A request such as `PATCH /v1/system/ceip` that starts a task with its body as input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The member of the input that a body of the route takes if it is no object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The operation on credentials that a task of it carries out, started by `PATCH /v1/credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Operation>,
    /// JSON Schema of the input; `writeOnly` properties are secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// What a task works on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceTemplate>,
    /// Whether its tasks may be cancelled.
    #[serde(default = "yes")]
    pub cancellable: bool,
    /// Whether its failed tasks may be retried.
    #[serde(default = "yes")]
    pub retryable: bool,
    /// How many of its tasks may run at once, by a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// How long a task may take, from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Condition: false makes the task SKIPPED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// `undo` runs the undo actions of what had succeeded when the task fails or is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<TaskOnFailure>,
    /// The error that a failed task carries; that of the sub-task becomes its cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FaultTemplate>,
    /// How the task's status is spelled on the wire; the server's setting unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_style: Option<StatusStyle>,
    /// What is done, in this order unless a sub-task says what it `needs`.
    pub sub_tasks: Vec<SubTaskDefinition>,
}

fn yes() -> bool {
    true
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubTaskDefinition {
    /// Its key within the workflow, and its name in the API unless it has a title.
    pub name: String,
    /// Its name in the API when that depends on the input, such as `{{ input.fqdn }}:FTP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does, for people; may use `input`.
    pub description: String,
    /// What it runs.
    pub action: Action,
    /// Automatic retries; without it one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// How long one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Condition: false makes it NOT_APPLICABLE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The sub-tasks that must have ended well before it starts; without it the one written before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<String>>,
    /// A list: one child sub-task for each of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// How many children run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// `continue` lets the task go on, to end COMPLETED_WITH_WARNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<SubTaskOnFailure>,
    /// `false` says that a second run may do harm: an attempt whose outcome is unknown is not repeated
    /// unasked.
    #[serde(default = "yes")]
    pub repeatable: bool,
    /// Looks at the real world when an outcome is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Action>,
    /// Takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Action>,
}

/// How many tasks of one key may run at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Concurrency {
    /// The key, an expression over `input`.
    pub key: String,
    /// How many.
    pub limit: u32,
}

/// A resource, by expressions over `input`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceTemplate {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub resource_id: String,
    /// Its fully qualified name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// Its display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it is held while the task runs.
    #[serde(default)]
    pub lock: LockMode,
}

/// An error as a file writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultTemplate {
    /// Stable and machine readable.
    pub code: String,
    /// For people.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
}

/// What a failed sub-task does to its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubTaskOnFailure {
    /// The task fails: no further sub-task starts.
    Fail,
    /// The task goes on and ends COMPLETED_WITH_WARNING.
    Continue,
}

/// What a failed or cancelled task does about what it had done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskOnFailure {
    /// Nothing: an operator retries, skips or resolves.
    Stop,
    /// The undo actions of what had succeeded run in reverse order.
    Undo,
}
