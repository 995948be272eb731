//! `POST /v1/tasks/{id}/release-locks`.

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
use crate::request::{self, Id};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseBody {
    reason: String,
}

/// Releases the locks of a failed task.
pub(crate) async fn release(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let given: ReleaseBody = request::parsed(&bytes)?;
    let task = app.engine.release_locks(id, reason(&given.reason)?, caller.audit()).await?;
    Ok(answer(&app, &caller, &task))
}
