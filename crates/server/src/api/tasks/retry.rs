//! `PATCH /v1/tasks/{id}`. A reason may be given in the query. A body is ignored: clients send nothing, `{}`,
//! `null` or more (wire contract, 8.1).

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

/// Retries a failed task; answers once it runs again.
pub(crate) async fn retry(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let audit = because(caller.audit(), &app, query.as_deref())?;
    let task = app
        .engine
        .retry(id, audit)
        .await
        .map_err(|e| ApiError::of_command(e, "TA_TASK_CAN_NOT_BE_RETRIED"))?;
    Ok(match caller.wire().action_body {
        ActionBody::Task => answer(&app, &caller, &task),
        ActionBody::Empty => respond::empty(StatusCode::OK),
    })
}
