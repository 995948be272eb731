//! Credentials, and the tasks that change them (wire contract, section 6). A task's ID is the same as in the
//! Tasks API.

pub(crate) mod act;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod update;

use axum::body::Body;
use http::Request;
use serde_json::Value;

use super::App;
use crate::error::ApiError;
use crate::request;

/// Reads the body as JSON; `None` for an absent body, `null` and an empty object, as clients send any of
/// them.
async fn given(app: &App, request: Request<Body>) -> Result<Option<Value>, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    if bytes.trim_ascii().is_empty() {
        return Ok(None);
    }
    let value: Value = request::any(&bytes)?;
    let empty = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    Ok((!empty).then_some(value))
}
