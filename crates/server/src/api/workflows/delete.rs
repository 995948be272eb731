//! `DELETE /v1/workflows/{name}`. A body is ignored.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::Named;
use crate::respond;

/// Removes a workflow from the list; its tasks go on.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    path: Named,
) -> Result<Response, ApiError> {
    app.engine.delete_workflow(path.get("name"), caller.audit()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
