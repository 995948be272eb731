//! `PATCH /v1/credentials`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use serde_json::Value;

use super::given;
use crate::access::Caller;
use crate::api::App;
use crate::api::tasks::submit::{KeyText, accepted};
use crate::error::ApiError;

/// Starts the task of a `CredentialsUpdateSpec`: 202 once it is durable.
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let key = KeyText::of(request.headers())?;
    let spec = given(&app, request).await?.unwrap_or(Value::Null);
    let key = key.map(|key| key.with(&app, &caller, "PATCH /v1/credentials", spec.to_string().as_bytes()));
    let submitted = app.engine.update_credentials(spec, key, caller.audit()).await?;
    Ok(accepted(&app, &caller, &submitted))
}
