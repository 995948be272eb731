//! Workflow as it is written: one YAML or JSON file. Plain data; [`super::check`] checks the combinations.

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

/// Workflow: what its tasks need, work on and do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Definition {
    /// Key: lower-case letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// `Task.type`, `<RESOURCE>_<OPERATION>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Name of the tasks, unless a request gives another; may use `input`.
    pub title: String,
    /// Purpose, for people who choose a workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Request such as `PATCH /v1/system/ceip` that starts a task with its body as input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Member of the input for a body of the route that is not an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Parameters of the route's query that become members of the input; others are refused. Without it a
    /// query is ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Vec<String>>,
    /// Operation on credentials that a task of the workflow carries out, started by `PATCH /v1/credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Operation>,
    /// JSON Schema of the input; `writeOnly` properties are secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Resources that a task works on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceTemplate>,
    /// Set if the tasks may be cancelled.
    #[serde(default = "yes")]
    pub cancellable: bool,
    /// Set if failed tasks may be retried.
    #[serde(default = "yes")]
    pub retryable: bool,
    /// Limit on the tasks that run at once, by a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// Longest duration of a task, from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Condition: false makes the task SKIPPED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// `undo` runs the undo actions of successful sub-tasks when the task fails or is cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<TaskOnFailure>,
    /// Error that a failed task carries; that of the sub-task becomes its cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FaultTemplate>,
    /// Spelling of the task's status on the wire; the server's setting unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_style: Option<StatusStyle>,
    /// Sub-tasks, in order unless one names what it `needs`.
    pub sub_tasks: Vec<SubTaskDefinition>,
}

fn yes() -> bool {
    true
}

/// Sub-task of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubTaskDefinition {
    /// Key within the workflow, and the name in the API unless there is a title.
    pub name: String,
    /// Name in the API if that depends on the input, such as `{{ input.fqdn }}:FTP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description for people; may use `input`.
    pub description: String,
    /// Action that the sub-task runs.
    pub action: Action,
    /// Automatic retries; without it one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Timeout of one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Condition: false makes the sub-task NOT_APPLICABLE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Sub-tasks that must have ended well before this one starts; without it the one written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<String>>,
    /// List: one child sub-task for each of its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// Number of children that run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallel: Option<u32>,
    /// `continue` lets the task go on, to end COMPLETED_WITH_WARNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<SubTaskOnFailure>,
    /// `false` if a second run may do harm: an attempt whose outcome is unknown is not repeated unasked.
    #[serde(default = "yes")]
    pub repeatable: bool,
    /// Looks at the real world when an outcome is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Action>,
    /// Action that undoes the sub-task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Action>,
}

/// Limit on the tasks of one key that run at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Concurrency {
    /// The key, an expression over `input`.
    pub key: String,
    /// Maximum number of tasks.
    pub limit: u32,
}

/// A resource, by expressions over `input`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceTemplate {
    /// Type of the resource.
    #[serde(rename = "type")]
    pub kind: String,
    /// ID of the resource.
    pub resource_id: String,
    /// Fully qualified name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// Display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Lock on the resource while the task runs.
    #[serde(default)]
    pub lock: LockMode,
}

/// Error as a file writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultTemplate {
    /// Stable and machine readable.
    pub code: String,
    /// Message for people.
    pub message: String,
    /// Remediation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation: Option<String>,
}

/// Effect of a failed sub-task on its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SubTaskOnFailure {
    /// The task fails: no further sub-task starts.
    Fail,
    /// The task goes on and ends COMPLETED_WITH_WARNING.
    Continue,
}

/// Treatment, by a failed or cancelled task, of its successful sub-tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskOnFailure {
    /// The task stops: an operator retries, skips or resolves.
    Stop,
    /// Undo actions of the successful sub-tasks run in reverse order.
    Undo,
}
