//! Every error as an answer: a status, and the Error body of the Tasks API (wire contract, sections 1.5 and 4.1).
//! What is internal goes to the log under the same reference token, never into a body.

use axum::response::{IntoResponse, Response};
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use longhaul_engine::{EngineError, StoreError};
use longhaul_model::{Env, Fault, Refused};

use crate::respond;

/// An error on its way to a caller.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) fault: Box<Fault>,
    header: Option<(HeaderName, HeaderValue)>,
    /// For the log only.
    cause: Option<String>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, fault: Fault) -> Self {
        ApiError { status, fault: Box::new(fault), header: None, cause: None }
    }

    /// 400, for a request that cannot be read.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, Fault::new(code, message))
    }

    /// 400 for a member of the body, by JSON pointer.
    pub(crate) fn field(pointer: &str, message: impl Into<String>) -> Self {
        let mut e = ApiError::bad("INVALID_REQUEST", message);
        e.fault = Box::new(e.fault.with("pointer", pointer));
        e
    }

    /// 400 for a query parameter.
    pub(crate) fn parameter(name: &str, value: &str, allowed: &str) -> Self {
        let mut shown: String = value.chars().take(100).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        let message = format!("the query parameter `{name}` does not take `{shown}`");
        let fault = Fault::new("INVALID_PARAMETER", message).argument(name).argument(shown).remedy(allowed);
        ApiError::new(StatusCode::BAD_REQUEST, fault)
    }

    pub(crate) fn remedy(mut self, text: impl Into<String>) -> Self {
        self.fault = Box::new(self.fault.remedy(text));
        self
    }

    pub(crate) fn unknown_route(method: &Method, path: &str) -> Self {
        let fault = Fault::new("ROUTE_NOT_FOUND", format!("there is no {method} {path}"))
            .remedy("See /docs for what there is; a workflow's `route:` adds to it");
        ApiError::new(StatusCode::NOT_FOUND, fault)
    }

    pub(crate) fn wrong_method(method: &Method, path: &str, allowed: &str) -> Self {
        let fault = Fault::new("METHOD_NOT_ALLOWED", format!("{path} does not take {method}"))
            .remedy(format!("It takes {allowed}"));
        let mut e = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, fault);
        e.header = HeaderValue::from_str(allowed).ok().map(|value| (header::ALLOW, value));
        e
    }

    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let fault = Fault::new(
            "VCF_RUNTIME_ERROR",
            "Something went wrong. Please retry or contact the service provider and provide the reference token",
        );
        let mut e = ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, fault);
        e.cause = Some(cause.into());
        e
    }

    fn unavailable(status: StatusCode, code: &str, message: &str, cause: String) -> Self {
        let fault =
            Fault::new(code, message).remedy("Retry in a few seconds; what was asked for did not happen");
        let mut e = ApiError::new(status, fault);
        e.header = Some((header::RETRY_AFTER, HeaderValue::from_static("5")));
        e.cause = Some(cause);
        e
    }
}

/// The engine's refusals in the words of the Tasks API.
impl From<EngineError> for ApiError {
    fn from(e: EngineError) -> Self {
        let message = e.to_string();
        match e {
            EngineError::NoTask(id) => {
                let fault = Fault::new("TA_TASK_NOT_FOUND", format!("Task with ID {id} not found"))
                    .argument(id.to_string());
                ApiError::new(StatusCode::NOT_FOUND, fault)
            }
            EngineError::NoSubTask(_, name) => {
                ApiError::new(StatusCode::NOT_FOUND, Fault::new("SUB_TASK_NOT_FOUND", message).argument(name))
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
                    .remedy("GET /v1/workflows lists the versions"),
            ),
            EngineError::InvalidInput { violations, .. } => {
                let mut fault = Fault::new("INVALID_INPUT", message)
                    .remedy("Correct each value that a nested error points to");
                fault.nested_errors = violations
                    .into_iter()
                    .map(|violation| {
                        let pointer = format!("/input{}", violation.pointer);
                        Fault::new("INVALID_INPUT", format!("{pointer}: {}", violation.message))
                            .with("pointer", pointer)
                    })
                    .collect();
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, fault)
            }
            EngineError::Expression(_) => {
                ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, Fault::new("INVALID_INPUT", message))
            }
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
            EngineError::Config(_) => ApiError::internal(message),
            EngineError::Store(StoreError::Full) => ApiError::unavailable(
                StatusCode::INSUFFICIENT_STORAGE,
                "STORAGE_FULL",
                "the server's storage is full",
                message,
            ),
            EngineError::Store(StoreError::Unavailable(_)) => ApiError::unavailable(
                StatusCode::SERVICE_UNAVAILABLE,
                "SERVICE_UNAVAILABLE",
                "the server cannot store anything just now",
                message,
            ),
            EngineError::Store(_) => ApiError::internal(message),
        }
    }
}

impl ApiError {
    /// 409: the state of a task rules a command out.
    fn refused(id: &str, refused: &Refused) -> Self {
        let message = refused.to_string();
        let (code, remedy) = match refused {
            Refused::NotFailed(_) => ("TA_TASK_CAN_NOT_BE_RETRIED", "Retry a task once it has failed"),
            Refused::NotRetryable => ("TA_TASK_CAN_NOT_BE_RETRIED", "Start a new task instead"),
            Refused::Undecided(_) => (
                "TA_TASK_CAN_NOT_BE_RETRIED",
                "Look at the real world, then POST /v1/tasks/{id}/resolve with the sub-task and its outcome, or skip it",
            ),
            Refused::NotRunning(_) | Refused::Stopping => (
                "TA_TASK_CAN_NOT_BE_CANCELLED",
                "There is nothing left to cancel; GET the task to see how it ended",
            ),
            Refused::NotCancellable => ("TA_TASK_CAN_NOT_BE_CANCELLED", "Wait for its end"),
            Refused::NothingToDecide(_) | Refused::SubTaskNotFailed(_) | Refused::OutcomeKnown(_) => (
                "TA_TASK_NOTHING_TO_DECIDE",
                "GET the task to see which sub-task failed, and whether its outcome is known",
            ),
            Refused::NoSubTask(_) => ("SUB_TASK_NOT_FOUND", "GET the task to see its sub-tasks"),
            Refused::Stale | Refused::Nothing => {
                ("TA_TASK_NOTHING_TO_DO", "GET the task to see where it stands")
            }
        };
        let fault = Fault::new(code, message).argument(id).remedy(remedy.replace("{id}", id));
        ApiError::new(StatusCode::CONFLICT, fault)
    }
}

impl IntoResponse for ApiError {
    fn into_response(mut self) -> Response {
        let token = reference_token();
        if self.status.is_server_error() {
            tracing::error!(
                reference = token,
                status = self.status.as_u16(),
                code = self.fault.error_code,
                cause = self.cause.as_deref().unwrap_or(&self.fault.message),
                "a request failed"
            );
        } else {
            tracing::debug!(
                reference = token,
                status = self.status.as_u16(),
                code = self.fault.error_code,
                message = self.fault.message,
                "a request was refused"
            );
        }
        self.fault.reference_token = Some(token);
        let body = serde_json::to_vec(&self.fault).unwrap_or_default();
        let mut response = respond::json(self.status, body);
        if let Some((name, value)) = self.header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

/// Six characters of `[0-9A-Z]`, as real servers give them.
fn reference_token() -> String {
    const LETTERS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut seed = Env::real().random();
    (0..6)
        .map(|_| {
            let letter = LETTERS[(seed % 36) as usize];
            seed /= 36;
            char::from(letter)
        })
        .collect()
}
