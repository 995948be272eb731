//! `GET /v1/credentials/tasks/{id}`, one of its sub-tasks, and the credentials that the task changes.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use longhaul_model::{Fault, TaskId};

use crate::api::App;
use crate::error::{ApiError, shortened};
use crate::request::{Id, Named};
use crate::respond;
use crate::wire::{self, Json};

/// A credentials task.
pub(crate) async fn get(State(app): State<App>, Id(id): Id) -> Result<Response, ApiError> {
    let record = app.engine.credentials_task(id)?;
    let mut json = Json::new(2048);
    wire::credentials_task(&mut json, &record);
    Ok(respond::json(StatusCode::OK, json.finish()))
}

/// Sub-task of a credentials task, by the ID that sub-tasks have in these calls.
pub(crate) async fn sub_task(State(app): State<App>, Id(id): Id, path: Named) -> Result<Response, ApiError> {
    let record = app.engine.credentials_task(id)?;
    let given = path.get("subtaskId");
    let index = given.parse::<TaskId>().ok().and_then(|sub| record.credentials_sub_task(sub));
    let index = index.ok_or_else(|| {
        let message = format!("task {id} has no sub-task with ID {}", shortened(given));
        let fault = Fault::new("SUB_TASK_NOT_FOUND", message).argument(shortened(given));
        ApiError::new(StatusCode::NOT_FOUND, fault.remedy("GET the task to see its sub-tasks and their IDs"))
    })?;
    let mut json = Json::new(1024);
    wire::credentials_sub_task(&mut json, &record, index, true);
    Ok(respond::json(StatusCode::OK, json.finish()))
}

/// Returns the credentials that the task changes, without passwords.
pub(crate) async fn resource_credentials(State(app): State<App>, Id(id): Id) -> Result<Response, ApiError> {
    let record = app.engine.credentials_task(id)?;
    let spec = app.engine.credentials_spec(&record).await?;
    Ok(respond::value(StatusCode::OK, &spec["elements"]))
}
