//! `PUT /v1/workflows/{name}`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_model::workflow::Definition;

use super::whole;
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Named};
use crate::respond;

/// 201 for a new version, 200 when the newest is the same.
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    path: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let definition: Definition = serde_json::from_slice(&bytes).map_err(|e| {
        let code = if e.is_data() { "WORKFLOW_INVALID" } else { "MALFORMED_JSON" };
        ApiError::bad(code, format!("the definition cannot be read: {e}"))
            .remedy("`longhaul workflow schema` prints what a definition may hold")
    })?;
    if definition.name != path.get("name") {
        let message =
            format!("name: the path says `{}`, the definition `{}`", path.get("name"), definition.name);
        return Err(ApiError::field("/name", message));
    }
    let put = app.engine.put_workflow(definition, caller.audit()).await?;
    let status = if put.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(respond::json(status, whole(&app, &put.workflow)?))
}
