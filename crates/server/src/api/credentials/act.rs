//! `PATCH` and `DELETE /v1/credentials/tasks/{id}`: retry and cancellation of a failed task.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};

use super::given;
use crate::access::Caller;
use crate::api::App;
use crate::api::tasks::body;
use crate::error::ApiError;
use crate::request::Id;
use crate::respond;

/// Retries a failed task, with a new spec if there is one; answers once it runs again.
pub(crate) async fn retry(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let spec = given(&app, request).await?;
    let retried = app.engine.retry_credentials(id, spec, caller.audit()).await;
    let task = retried.map_err(ApiError::of_credentials)?;
    Ok(respond::json(StatusCode::ACCEPTED, body(&app, &caller, &task)))
}

/// Cancels a failed task, which frees its resources.
pub(crate) async fn cancel(State(app): State<App>, caller: Caller, Id(id): Id) -> Result<Response, ApiError> {
    let cancelled = app.engine.cancel_credentials(id, caller.audit()).await;
    let task = cancelled.map_err(ApiError::of_credentials)?;
    Ok(respond::json(StatusCode::ACCEPTED, body(&app, &caller, &task)))
}
