//! Refusals of the engine in the terms of the Tasks API: each a status, a code and advice on what to do.

use http::StatusCode;
use longhaul_engine::{EngineError, StoreError};
use longhaul_model::fault::code;
use longhaul_model::workflow::Violation;
use longhaul_model::{Fault, Refused, TaskStatus};

use super::{ApiError, shortened};

/// Advice about a server that is paused.
pub(crate) const UNPAUSE: &str = "Start the server again without `--paused`; one on data that was copied or restored with \
                                  `--moved`, where the original is gone, or with `--copy`, where it lives on";

/// Converts a refusal of the engine into the terms of the Tasks API.
impl From<EngineError> for ApiError {
    fn from(e: EngineError) -> Self {
        let message = e.to_string();
        match e {
            EngineError::NoTask(id) => {
                let fault = Fault::new("TA_TASK_NOT_FOUND", format!("Task with ID {id} not found"))
                    .argument(id.to_string());
                ApiError::new(StatusCode::NOT_FOUND, fault)
            }
            EngineError::Paused => {
                let fault = Fault::new("SERVER_PAUSED", message).remedy(UNPAUSE);
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, fault)
            }
            EngineError::NoSubTask { name, known, nearest, .. } => {
                let meant = nearest.map(|near| format!("Did you mean `{near}`? ")).unwrap_or_default();
                let known: Vec<String> = known.iter().map(|name| format!("`{}`", shortened(name))).collect();
                let fault = Fault::new("SUB_TASK_NOT_FOUND", message)
                    .argument(name)
                    .remedy(format!("{meant}Its sub-tasks are {}", known.join(", ")));
                ApiError::new(StatusCode::NOT_FOUND, fault)
            }
            EngineError::NoWorkflow { name, nearest } => {
                let remedy = nearest.map_or_else(
                    || "GET /v1/workflows lists what there is".to_owned(),
                    |near| format!("Did you mean `{near}`? GET /v1/workflows lists what there is"),
                );
                let fault = Fault::new("WORKFLOW_NOT_FOUND", message).argument(name).remedy(remedy);
                ApiError::new(StatusCode::NOT_FOUND, fault)
            }
            EngineError::NoWorkflowVersion(..) => ApiError::new(
                StatusCode::NOT_FOUND,
                Fault::new("WORKFLOW_VERSION_NOT_FOUND", message)
                    .remedy("GET /v1/workflows lists each workflow with its `versions`"),
            ),
            EngineError::InvalidInput { violations, .. } => {
                let mut fault = Fault::new("INVALID_INPUT", message)
                    .remedy("Correct each value that a nested error points to");
                fault.nested_errors = nested("INVALID_INPUT", "/input", violations);
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, fault)
            }
            EngineError::UnclearSecrets(_) => ApiError::new(
                StatusCode::CONFLICT,
                Fault::new("WORKFLOW_SECRETS_UNCLEAR", message).remedy(
                    "Store the workflow again: `longhaul workflow lint` shows which `writeOnly` is unclear and what to write",
                ),
            ),
            EngineError::MissedSecret { .. } => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Fault::new("WORKFLOW_SECRETS_UNCLEAR", message)
                    .remedy("Write `writeOnly: true` under `properties`, where the value is described"),
            ),
            EngineError::Expression(_) => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, Fault::new("INVALID_INPUT", message))
            }
            EngineError::Unreadable { id, .. } => {
                ApiError::new(StatusCode::CONFLICT, task_unreadable(message).argument(id.to_string()))
            }
            EngineError::Unfit { what, .. } => ApiError::field(&format!("/{what}"), message),
            EngineError::BadWorkflow(problems) => {
                let mut fault = Fault::new("WORKFLOW_INVALID", message).remedy(
                    "Correct what the nested errors point to; `longhaul workflow lint` shows the lines",
                );
                fault.nested_errors = problems
                    .into_iter()
                    .map(|problem| {
                        let mut nested =
                            Fault::new("WORKFLOW_INVALID", problem.message).with("pointer", problem.pointer);
                        nested.remediation_message = problem.hint;
                        nested
                    })
                    .collect();
                ApiError::new(StatusCode::BAD_REQUEST, fault)
            }
            EngineError::RouteTaken { .. } => ApiError::new(
                StatusCode::CONFLICT,
                Fault::new("WORKFLOW_ROUTE_TAKEN", message).remedy("Give the workflow another `route:`"),
            ),
            EngineError::OperationTaken { .. } => ApiError::new(
                StatusCode::CONFLICT,
                Fault::new("CREDENTIALS_OPERATION_TAKEN", message)
                    .remedy("Delete that workflow first, or store this one under its name"),
            ),
            EngineError::NoOperation(operation) => {
                let remedy = format!(
                    "Store a workflow with `credentials: {}`; `longhaul workflow schema` tells more",
                    operation.constant()
                );
                ApiError::bad("CREDENTIALS_OPERATION_NOT_SUPPORTED", message).remedy(remedy)
            }
            EngineError::BadSpec(violations) => {
                let mut fault = Fault::new("INVALID_CREDENTIALS_SPEC", message)
                    .remedy("Correct each value that a nested error points to");
                fault.nested_errors = nested("INVALID_CREDENTIALS_SPEC", "", violations);
                ApiError::new(StatusCode::BAD_REQUEST, fault)
            }
            EngineError::StartedByOwnCall(_) => ApiError::new(
                StatusCode::CONFLICT,
                Fault::new("CREDENTIALS_OWN_CALL", message)
                    .remedy("PATCH /v1/credentials with a CredentialsUpdateSpec starts it"),
            ),
            EngineError::BadSetting { member, .. } => ApiError::field(&format!("/{member}"), message),
            EngineError::Refused { id, refused } => ApiError::refused(&id.to_string(), &refused),
            EngineError::Imported(_) => ApiError::new(
                StatusCode::CONFLICT,
                Fault::new("TA_TASK_IMPORTED", message)
                    .remedy("Imported tasks are history: start a new task instead"),
            ),
            EngineError::KeyReused => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                Fault::new("IDEMPOTENCY_KEY_REUSED", message)
                    .remedy("Use a new Idempotency-Key for a new request"),
            ),
            EngineError::BadImport(_) => ApiError::bad("INVALID_IMPORT", message),
            EngineError::TooManyQueues { .. } => {
                ApiError::too_many("TOO_MANY_QUEUES", message, longhaul_model::Span(60_000))
            }
            EngineError::TooManyWorkers { .. } => {
                ApiError::too_many("TOO_MANY_WORKERS", message, longhaul_model::Span(60_000))
            }
            EngineError::Config(_) => ApiError::internal(message),
            EngineError::Store(StoreError::Locked(holders)) => {
                let mut fault = Fault::new("RESOURCES_LOCKED", message)
                    .remedy("Wait for these tasks; retry or cancel those that failed");
                fault.arguments = holders.iter().map(ToString::to_string).collect();
                ApiError::new(StatusCode::CONFLICT, fault)
            }
            EngineError::Store(StoreError::Full) => ApiError::passing(
                StatusCode::INSUFFICIENT_STORAGE,
                Fault::new("STORAGE_FULL", "the server's storage is full; nothing changed")
                    .remedy("Retry once there is room"),
                message,
            ),
            EngineError::Store(
                StoreError::Unavailable(_) | StoreError::Conflict(_) | StoreError::WorkflowChanged,
            ) => ApiError::passing(
                StatusCode::SERVICE_UNAVAILABLE,
                Fault::new("SERVICE_UNAVAILABLE", "the server's storage does not answer")
                    .remedy("Retry in a few seconds; with an Idempotency-Key nothing is started twice"),
                message,
            ),
            EngineError::Store(_) => ApiError::internal(message),
        }
    }
}

/// An error for each violation, by JSON pointer into the body.
fn nested(code: &str, root: &str, violations: Vec<Violation>) -> Vec<Fault> {
    let each = |violation: Violation| {
        let pointer = format!("{root}{}", violation.pointer);
        Fault::new(code, format!("{pointer}: {}", violation.message)).with("pointer", pointer)
    };
    violations.into_iter().map(each).collect()
}

/// Error that is shown in the place of an unreadable task, and returned where something is asked of it.
pub(crate) fn task_unreadable(message: String) -> Fault {
    Fault::new(code::TASK_UNREADABLE, message).remedy(
        "DELETE /v1/tasks/{id} ends it, POST /v1/tasks/{id}/release-locks frees what it holds, DELETE /v1/tasks/history deletes it; or \
         restore what is damaged from a backup. `longhaul check` on the server's machine names all that is damaged",
    )
}

impl ApiError {
    /// Converts the refusal of a call on a credentials task: those declare 400 where others have 409 (wire
    /// contract, section 6).
    pub(crate) fn of_credentials(e: EngineError) -> Self {
        let refused = matches!(e, EngineError::Refused { .. });
        let mut e = ApiError::from(e);
        if refused && e.status == StatusCode::CONFLICT {
            e.status = StatusCode::BAD_REQUEST;
        }
        e
    }

    /// Converts the refusal of a retry or cancel, for which clients know one code only.
    pub(crate) fn of_command(e: EngineError, code: &str) -> Self {
        let imported = matches!(e, EngineError::Imported(_));
        let mut e = ApiError::from(e);
        if imported {
            code.clone_into(&mut e.fault.error_code);
        }
        e
    }

    /// 409: the state of a task rules a command out.
    fn refused(id: &str, refused: &Refused) -> Self {
        let message = refused.to_string();
        let status = match refused {
            Refused::NoSubTask(_) | Refused::NoCredentialsTask => StatusCode::NOT_FOUND,
            _ => StatusCode::CONFLICT,
        };
        let (code, remedy) = match refused {
            Refused::NotFailed(_) => ("TA_TASK_CAN_NOT_BE_RETRIED", "Retry a task once it has failed"),
            Refused::RetriedByOwnCall => {
                ("TA_TASK_CAN_NOT_BE_RETRIED", "PATCH /v1/credentials/tasks/{id} retries a credentials task")
            }
            Refused::CancelledByOwnCall => (
                "TA_TASK_CAN_NOT_BE_CANCELLED",
                "DELETE /v1/credentials/tasks/{id} cancels a failed credentials task",
            ),
            Refused::NoCredentialsTask => {
                ("CREDENTIALS_TASK_NOT_FOUND", "GET /v1/credentials/tasks lists the credentials tasks")
            }
            Refused::NothingToGiveUp(_) => {
                ("TA_TASK_CAN_NOT_BE_CANCELLED", "DELETE /v1/tasks/{id} cancels a task that has not ended")
            }
            Refused::OtherResources => (
                "CREDENTIALS_OTHER_RESOURCES",
                "Name the resources of the task, or cancel it and start another",
            ),
            Refused::NotRetryable => ("TA_TASK_CAN_NOT_BE_RETRIED", "Start a new task instead"),
            Refused::Undecided(_) => (
                "TA_TASK_CAN_NOT_BE_RETRIED",
                "Look at the real world, then POST /v1/tasks/{id}/resolve with the sub-task and its outcome: done, not done or \
                 failed; or skip it",
            ),
            Refused::NotRunning(TaskStatus::Failed) => (
                "TA_TASK_CAN_NOT_BE_CANCELLED",
                "It has failed, and nothing of it runs: PATCH /v1/tasks/{id} tries again, POST /v1/tasks/{id}/resolve says what \
                 became of a sub-task, and POST /v1/tasks/{id}/release-locks frees what it still holds",
            ),
            Refused::NotRunning(_) | Refused::Stopping => (
                "TA_TASK_CAN_NOT_BE_CANCELLED",
                "There is nothing left to cancel; GET the task to see how it ended",
            ),
            Refused::NotCancellable => ("TA_TASK_CAN_NOT_BE_CANCELLED", "Wait for its end"),
            Refused::NothingToDecide(_)
            | Refused::SubTaskNotFailed(_)
            | Refused::OutcomeKnown(_)
            | Refused::DecidedByChildren(_) => (
                "TA_TASK_NOTHING_TO_DECIDE",
                "GET the task to see which of its sub-tasks and their children failed",
            ),
            Refused::NoSubTask(_) => ("SUB_TASK_NOT_FOUND", "GET the task to see its sub-tasks"),
            Refused::HoldsNothing => (
                "TA_TASK_HOLDS_NO_LOCKS",
                "GET /v1/resources/locks shows who holds what; cancel a task that runs",
            ),
            Refused::ReleasedByOwnCall => (
                "TA_TASK_HOLDS_NO_LOCKS",
                "DELETE /v1/credentials/tasks/{id} cancels a failed credentials task",
            ),
            // A value that cannot be kept has an answer of its own, EngineError::Unfit.
            Refused::Unfit { .. }
            | Refused::Panicked
            | Refused::Stale
            | Refused::Repeated
            | Refused::Nothing => ("TA_TASK_NOTHING_TO_DO", "GET the task to see where it stands"),
        };
        let fault = Fault::new(code, message).argument(id).remedy(remedy.replace("{id}", id));
        ApiError::new(status, fault)
    }
}
