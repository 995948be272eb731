//! `POST /v1/tasks/{id}/subtasks/{name}/skip`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use serde::Deserialize;

use super::answer;
use super::resolve::reason;
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Id, Named};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SkipBody {
    reason: String,
}

/// Skips a failed sub-task and lets its failed task go on.
pub(crate) async fn skip(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    path: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let given: SkipBody = request::parsed(&bytes)?;
    let task = app.engine.skip(id, path.get("name"), reason(&given.reason)?, caller.audit()).await?;
    Ok(answer(&app, &caller, &task))
}
