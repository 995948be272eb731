//! Action of a sub-task as a file writes it: exactly one, by its keyword.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FaultTemplate, StatusRange};
use crate::time::Span;

/// Action of a sub-task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// A request to another service.
    Http(HttpAction),
    /// A program on the server's machine, if the server's configuration allows that very program.
    Command(CommandAction),
    /// A durable timer.
    Wait(WaitAction),
    /// A person's decision.
    Approval(ApprovalAction),
    /// Another workflow, as a task of its own.
    Task(TaskAction),
    /// A simulated action: it does nothing for a while, and has the outcome asked for. For demonstrations and
    /// tests.
    Simulate(SimulateAction),
    /// A worker's work.
    Worker(WorkerAction),
}

impl Action {
    /// Keyword of the action in a file.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Http(_) => "http",
            Action::Command(_) => "command",
            Action::Wait(_) => "wait",
            Action::Approval(_) => "approval",
            Action::Task(_) => "task",
            Action::Simulate(_) => "simulate",
            Action::Worker(_) => "worker",
        }
    }
}

/// `http`: succeeds when the status is one of `expect`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpAction {
    /// Method; `GET` unless given.
    #[serde(default = "get")]
    pub method: String,
    /// Absolute, `http` or `https`.
    pub url: String,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Body: a text is sent unchanged, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Status codes and ranges that count as a success: `[200-299]` unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<StatusRange>,
    /// Output: an expression over `status`, `headers` and `body`; the body unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// `command`: succeeds when the program exits with 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandAction {
    /// Absolute path of the program and its arguments; no shell.
    pub run: Vec<String>,
    /// Environment of the program, which inherits nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// `wait`: for a time, or until an instant. Exactly one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaitAction {
    /// Duration, or an expression that returns one.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub for_: Option<String>,
    /// RFC 3339 instant, or an expression that returns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// `approval`: built later than its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalAction {
    /// Accounts that may decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Longest time until the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// `task`: built later than its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskAction {
    /// The other workflow's name.
    pub workflow: String,
    /// Input of the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// `simulate`: takes a while, fails on given attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SimulateAction {
    /// Duration of an attempt: a literal, or an expression that returns one.
    #[serde(default = "no_time")]
    pub duration: String,
    /// Attempts (1 is the first) that fail: a list, or an expression that returns one.
    #[serde(default, skip_serializing_if = "FailAttempts::is_none")]
    pub fail_attempts: FailAttempts,
    /// Error of the attempts that fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FaultTemplate>,
    /// Output of a successful attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

fn no_time() -> String {
    "0ms".to_owned()
}

/// Attempts of a simulated action that fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FailAttempts {
    /// Attempts with these numbers.
    These(Vec<u32>),
    /// Attempts that an expression lists, so that the input can choose.
    Expression(String),
}

impl Default for FailAttempts {
    fn default() -> Self {
        FailAttempts::These(Vec::new())
    }
}

impl FailAttempts {
    /// Returns true for the empty list.
    pub fn is_none(&self) -> bool {
        matches!(self, FailAttempts::These(list) if list.is_empty())
    }
}

/// `worker`: a worker that leases the sub-task from its queue does it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerAction {
    /// Queue that the workers lease from.
    pub queue: String,
    /// Input of the worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    /// Priority among what waits in a queue: the highest goes first, from -100 to 100.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i8,
}

fn is_zero(priority: &i8) -> bool {
    *priority == 0
}
