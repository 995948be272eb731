//! `GET` and `PATCH /v1/tasks/config/settings` (wire contract, section 1.10).

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::TaskSettings;
use serde_json::json;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request;
use crate::respond;

/// The settings.
pub(crate) async fn get(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(answer(app.engine.settings()?))
}

/// Changes the settings; answers with those that are valid from now on.
pub(crate) async fn patch(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let given: TaskSettings = request::parsed(&bytes)?;
    app.engine.set_settings(given, caller.audit()).await?;
    Ok(answer(given))
}

fn answer(settings: TaskSettings) -> Response {
    respond::value(StatusCode::OK, &json!(settings))
}
