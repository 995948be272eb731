//! API keys of an account.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Named};
use crate::respond;

/// A new API key.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiKeySpec {
    #[serde(default)]
    name: Option<String>,
}

/// Creates an API key for an account and answers with it in clear, this once.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    names: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let spec: ApiKeySpec =
        if bytes.trim_ascii().is_empty() { ApiKeySpec::default() } else { request::parsed(&bytes)? };
    let made = app.auth.add_api_key(names.get("name"), spec.name, caller.audit()).await?;
    Ok(respond::value(StatusCode::CREATED, &json!({ "id": made.id, "apiKey": *made.key })))
}

/// Deletes an API key, and with it every session of the account.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    names: Named,
) -> Result<Response, ApiError> {
    app.auth.remove_api_key(names.get("name"), names.get("id"), caller.audit()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
