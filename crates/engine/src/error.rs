//! Reasons why the engine did not do what it was asked. They know nothing of HTTP: the server maps each to a
//! status and a code.

use longhaul_model::credentials::Operation;
use longhaul_model::workflow::{Problem, Violation, nearest};
use longhaul_model::{Record, Refused, TaskId, Unfit};
use longhaul_store::StoreError;
use thiserror::Error;

/// Largest number of names that are told where one is not known.
const TOLD: usize = 10;

/// An expected refusal, or a failure of the storage below.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The task does not exist.
    #[error("task with ID {0} not found")]
    NoTask(TaskId),
    /// The server is paused: nothing new starts.
    #[error("the server is paused: no task starts")]
    Paused,
    /// The task has no such sub-task.
    #[error("task {task} has no sub-task `{name}`")]
    NoSubTask {
        /// The task.
        task: TaskId,
        /// As asked for.
        name: String,
        /// The first names of those that it has.
        known: Vec<String>,
        /// A name that is close.
        nearest: Option<String>,
    },
    /// The workflow does not exist.
    #[error("there is no workflow `{name}`")]
    NoWorkflow {
        /// Name, as it was given.
        name: String,
        /// A name that is close.
        nearest: Option<String>,
    },
    /// The workflow has no such version.
    #[error("the workflow `{0}` has no version {1}")]
    NoWorkflowVersion(String, u32),
    /// The input breaks the workflow's schema; every violation.
    #[error("the input does not match the schema of the workflow `{workflow}`")]
    InvalidInput {
        /// The workflow.
        workflow: String,
        /// Violations, at least one.
        violations: Vec<Violation>,
    },
    /// The workflow was stored when its schema could still be unclear about its secrets: no new task starts.
    #[error("the schema of the workflow `{0}` is unclear about its secrets")]
    UnclearSecrets(String),
    /// A value of the input is a secret for the schema's validator, and none for us: nothing is stored.
    #[error(
        "{pointer}: the schema of the workflow `{workflow}` does not say clearly that this value is a secret"
    )]
    MissedSecret {
        /// The workflow.
        workflow: String,
        /// JSON pointer of the value.
        pointer: String,
    },
    /// The name, resources or a description could not be made from the input.
    #[error("{0}")]
    Expression(String),
    /// A value that a task cannot keep; nothing changed.
    #[error("the {what} is {unfit}")]
    Unfit {
        /// The member that contained the value.
        what: &'static str,
        /// Reason why the task cannot keep the value.
        unfit: Unfit,
    },
    /// The definition has mistakes; every problem.
    #[error("the workflow has {} mistakes", .0.len())]
    BadWorkflow(Vec<Problem>),
    /// Another workflow has this route.
    #[error("the route `{route}` belongs to the workflow `{owner}`")]
    RouteTaken {
        /// The route.
        route: String,
        /// Account that owns the name.
        owner: String,
    },
    /// Another workflow has this operation on credentials.
    #[error("the operation {} belongs to the workflow `{owner}`", .operation.constant())]
    OperationTaken {
        /// The operation.
        operation: Operation,
        /// Account that owns the name.
        owner: String,
    },
    /// The operation on credentials has no workflow.
    #[error("no workflow has `credentials: {}`", .0.constant())]
    NoOperation(Operation),
    /// A `CredentialsUpdateSpec` that is none; every violation.
    #[error("the body is no CredentialsUpdateSpec")]
    BadSpec(Vec<Violation>),
    /// The task is a credentials task, which is started by its own call.
    #[error("tasks of the workflow `{0}` are started by PATCH /v1/credentials")]
    StartedByOwnCall(String),
    /// A value of a setting that is not allowed.
    #[error("{member}: {reason}")]
    BadSetting {
        /// The member.
        member: &'static str,
        /// Reason why the value is not allowed.
        reason: &'static str,
    },
    /// The state of the task rules the command out; nothing changed.
    #[error("{refused}")]
    Refused {
        /// The task.
        id: TaskId,
        /// Rule that refused it.
        refused: Refused,
    },
    /// Imported tasks are history: nothing can be asked of them.
    #[error("task {0} was imported and cannot be changed")]
    Imported(TaskId),
    /// The stored data of the task cannot be read; nothing changed.
    #[error("task {id} cannot be read: {why}")]
    Unreadable {
        /// The task.
        id: TaskId,
        /// Description of the damage.
        why: String,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The workers of an account ask too many queues for work.
    #[error("the workers of this account ask for work in {most} queues already, as many as one account may")]
    TooManyQueues {
        /// Number of queues that an account may have asked lately.
        most: usize,
    },
    /// An account has too many workers.
    #[error("this account has {most} workers already, as many as one account may")]
    TooManyWorkers {
        /// Number of workers that an account may have within some minutes.
        most: usize,
    },
    /// The engine's settings are wrong.
    #[error("{0}")]
    Config(String),
    /// An imported task cannot be read.
    #[error("{0}")]
    BadImport(String),
    /// The storage failed.
    #[error(transparent)]
    Store(StoreError),
}

impl EngineError {
    /// Returns the error about a name that no sub-task of a task has.
    pub fn no_sub_task(record: &Record, name: String) -> EngineError {
        let all = || (0..record.sub_tasks.len() as u32).map(|index| record.sub_task_name(index));
        let known = all().take(TOLD).map(str::to_owned).collect();
        let nearest = nearest(&name, all()).map(str::to_owned);
        EngineError::NoSubTask { task: record.id, name, known, nearest }
    }
}
