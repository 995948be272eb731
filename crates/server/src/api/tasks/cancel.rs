//! `DELETE /v1/tasks/{id}`. A reason may be given in the query. A body is ignored (wire contract, 8.1).

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::answer;
use super::resolve::because;
use crate::access::Caller;
use crate::api::App;
use crate::config::ActionBody;
use crate::error::ApiError;
use crate::request::Id;
use crate::respond;

/// Cancels a task; answers once no attempt of it can start any more.
pub(crate) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let audit = because(caller.audit(), &app, query.as_deref())?;
    let task = app
        .engine
        .cancel(id, audit)
        .await
        .map_err(|e| ApiError::of_command(e, "TA_TASK_CAN_NOT_BE_CANCELLED"))?;
    Ok(match caller.wire().action_body {
        ActionBody::Task => answer(&app, &caller, &task),
        ActionBody::Empty => respond::empty(StatusCode::OK),
    })
}
