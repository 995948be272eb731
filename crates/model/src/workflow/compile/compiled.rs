//! Compiled sub-tasks: expressions parsed, indexes in the place of names.

use std::sync::Arc;

use crate::expr::{Expr, JsonTemplate, Template, UrlTemplate};
use crate::time::Span;
use crate::workflow::{FaultTemplate, RetryPolicy, StatusRange};

/// A sub-task, ready to run.
#[derive(Debug)]
pub struct CompiledSubTask {
    /// Key of the sub-task.
    pub name: String,
    /// Name in the API, if that is not the key.
    pub title: Option<Template>,
    /// Description.
    pub description: Template,
    /// Sub-tasks that this one needs.
    pub needs: Vec<u32>,
    /// Sub-tasks that need this one.
    pub dependents: Vec<u32>,
    /// Condition.
    pub when: Option<Expr>,
    /// List for whose items the sub-task has children.
    pub for_each: Option<JsonTemplate>,
    /// Maximum number of children under way at once.
    pub parallel: u32,
    /// Action; under `for_each`, that of each child.
    pub action: CompiledAction,
    /// Automatic retries.
    pub retry: Option<RetryPolicy>,
    /// Timeout of one attempt.
    pub timeout: Option<Span>,
    /// Set if the task goes on after a failure of the sub-task.
    pub goes_on: bool,
    /// Set if an attempt of unknown outcome may be repeated.
    pub repeatable: bool,
}

/// Action of a sub-task, with its expressions parsed. Shared, as every attempt needs it.
#[derive(Clone, Debug)]
pub enum CompiledAction {
    /// A request.
    Http(Arc<HttpTemplate>),
    /// A program: its path and arguments, and its environment.
    Command(Arc<CommandTemplate>),
    /// A durable timer; the machine itself runs it.
    Wait(Arc<WaitTemplate>),
    /// A simulated outcome.
    Simulate(Arc<SimulateTemplate>),
    /// A worker's work.
    Worker(Arc<WorkerTemplate>),
}

impl CompiledAction {
    /// Returns true if the server runs the action itself: neither a worker does, nor a timer.
    pub fn is_built_in(&self) -> bool {
        match self {
            CompiledAction::Http(_) | CompiledAction::Command(_) | CompiledAction::Simulate(_) => true,
            CompiledAction::Wait(_) | CompiledAction::Worker(_) => false,
        }
    }

    /// Returns true if there is no expression to evaluate.
    pub fn is_constant(&self) -> bool {
        let plain = |template: &Template| matches!(template, Template::Plain(_));
        let plain_json =
            |template: &Option<JsonTemplate>| matches!(template, None | Some(JsonTemplate::Plain(_)));
        match self {
            CompiledAction::Http(http) => {
                plain(http.url.template())
                    && http.headers.iter().all(|(_, text)| plain(text))
                    && plain_json(&http.body)
                    && http.output.is_none()
            }
            CompiledAction::Command(command) => {
                command.arguments.iter().all(plain) && command.env.iter().all(|(_, text)| plain(text))
            }
            CompiledAction::Wait(wait) => match &**wait {
                WaitTemplate::For(text) | WaitTemplate::Until(text) => plain(text),
            },
            CompiledAction::Simulate(simulate) => {
                plain(&simulate.duration)
                    && plain_json(&simulate.output)
                    && matches!(simulate.fail_attempts, FailTemplate::These(_))
            }
            CompiledAction::Worker(worker) => plain_json(&worker.input),
        }
    }
}

/// An `http` action.
#[derive(Debug)]
pub struct HttpTemplate {
    /// Method.
    pub method: String,
    /// Address, in which each value is encoded for its place.
    pub url: UrlTemplate,
    /// Headers.
    pub headers: Vec<(String, Template)>,
    /// Body.
    pub body: Option<JsonTemplate>,
    /// Status codes that are a success.
    pub expect: Vec<StatusRange>,
    /// Output, made from `status`, `headers` and `body`.
    pub output: Option<Expr>,
}

/// A `command` action.
#[derive(Debug)]
pub struct CommandTemplate {
    /// The program, which is never an expression.
    pub program: String,
    /// Arguments.
    pub arguments: Vec<Template>,
    /// Environment.
    pub env: Vec<(String, Template)>,
}

/// A `wait` action.
#[derive(Debug)]
pub enum WaitTemplate {
    /// A wait of a duration.
    For(Template),
    /// A wait until an instant.
    Until(Template),
}

/// Attempts of a `simulate` action that fail.
#[derive(Debug)]
pub enum FailTemplate {
    /// Attempts with these numbers.
    These(Vec<u32>),
    /// Attempts whose numbers the expression returns.
    Expression(Template),
}

/// A `worker` action.
#[derive(Debug)]
pub struct WorkerTemplate {
    /// Queue in which the attempts wait.
    pub queue: Arc<str>,
    /// Higher goes first.
    pub priority: i8,
    /// Input of the worker.
    pub input: Option<JsonTemplate>,
}

/// A `simulate` action.
#[derive(Debug)]
pub struct SimulateTemplate {
    /// Duration of an attempt.
    pub duration: Template,
    /// The attempts that fail.
    pub fail_attempts: FailTemplate,
    /// Error of a failed attempt.
    pub error: Option<FaultTemplate>,
    /// Output of a success.
    pub output: Option<JsonTemplate>,
}
