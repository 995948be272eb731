//! A workflow as it is written: one YAML or JSON file (design: section "Workflows"). Plain data; what may be
//! combined with what is checked by [`super::check`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resource::LockMode;
use crate::status::StatusStyle;
use crate::time::Span;

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
    /// `false` says that a second run may do harm: an attempt whose outcome is unknown is not repeated unasked.
    #[serde(default = "yes")]
    pub repeatable: bool,
    /// Looks at the real world when an outcome is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Action>,
    /// Takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Action>,
}

/// What a sub-task does.
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
    /// Nothing, for a while, with the outcome asked for: demonstrations and tests.
    Simulate(SimulateAction),
    /// A worker's work.
    Worker(WorkerAction),
}

impl Action {
    /// The word that names it in a file.
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
    /// `GET` unless given.
    #[serde(default = "get")]
    pub method: String,
    /// Absolute, `http` or `https`.
    pub url: String,
    /// Further headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A text is sent as it is, anything else as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Status codes and ranges that are a success: `[200-299]` unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<StatusRange>,
    /// What becomes the output: an expression over `status`, `headers` and `body`; the body unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// `200`, or `200-299`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// First.
    pub from: u16,
    /// Last, included.
    pub to: u16,
}

impl Serialize for StatusRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.from == self.to {
            serializer.serialize_u16(self.from)
        } else {
            serializer.collect_str(&format_args!("{}-{}", self.from, self.to))
        }
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = StatusRange;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a status code such as 204 or a range such as 200-299")
            }
            fn visit_u64<E: serde::de::Error>(self, code: u64) -> Result<StatusRange, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_i64<E: serde::de::Error>(self, code: i64) -> Result<StatusRange, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<StatusRange, E> {
                let (from, to) = text.split_once('-').unwrap_or((text, text));
                let code =
                    |part: &str| part.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
                match (code(from), code(to)) {
                    (Some(from), Some(to)) if from <= to => Ok(StatusRange { from, to }),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// `command`: succeeds when the program exits with 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandAction {
    /// The program's absolute path and its arguments; no shell.
    pub run: Vec<String>,
    /// Its whole environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// `wait`: for a time, or until an instant. Exactly one of the two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaitAction {
    /// A duration, or an expression that gives one.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub for_: Option<String>,
    /// An RFC 3339 instant, or an expression that gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// `approval`: built later than its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalAction {
    /// Who may decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// How long the decision may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// `task`: built later than its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskAction {
    /// The other workflow's name.
    pub workflow: String,
    /// Its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// `simulate`: takes a while, fails on given attempts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SimulateAction {
    /// How long an attempt takes: a duration, or an expression that gives one.
    #[serde(default = "no_time")]
    pub duration: String,
    /// The attempts (1 is the first) that fail: a list, or an expression that gives one.
    #[serde(default, skip_serializing_if = "FailAttempts::is_none")]
    pub fail_attempts: FailAttempts,
    /// How they fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<FaultTemplate>,
    /// What a successful attempt gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
}

fn no_time() -> String {
    "0ms".to_owned()
}

/// Which attempts of a simulated action fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FailAttempts {
    /// These.
    These(Vec<u32>),
    /// Those that an expression lists, so that the input can choose.
    Expression(String),
}

impl Default for FailAttempts {
    fn default() -> Self {
        FailAttempts::These(Vec::new())
    }
}

impl FailAttempts {
    /// Whether it is the empty list.
    pub fn is_none(&self) -> bool {
        matches!(self, FailAttempts::These(list) if list.is_empty())
    }
}

/// `worker`: built later than its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerAction {
    /// The queue that its workers lease from.
    pub queue: String,
    /// What the worker gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
}

/// Automatic retries of one sub-task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The pause before the second attempt.
    #[serde(default = "one_second")]
    pub backoff: Span,
    /// What the pause is multiplied by each time.
    #[serde(default = "two")]
    pub factor: f64,
    /// The longest pause.
    #[serde(default = "one_minute")]
    pub max: Span,
    /// Lengthens each pause by up to a half, so that many failed at once do not come back at once.
    #[serde(default = "yes")]
    pub jitter: bool,
}

fn one_second() -> Span {
    Span(1000)
}

fn two() -> f64 {
    2.0
}

fn one_minute() -> Span {
    Span(60_000)
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
