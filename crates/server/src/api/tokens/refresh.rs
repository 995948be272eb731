//! `PATCH /v1/tokens/access-token/refresh`: a new access token, as a JSON string.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use serde_json::json;

use super::refresh_id;
use crate::api::App;
use crate::error::ApiError;
use crate::respond;

/// Issues an access token for a refresh token, which may be used again.
pub(crate) async fn refresh(State(app): State<App>, request: Request<Body>) -> Result<Response, ApiError> {
    let id = refresh_id(&app, request).await?;
    let token = app.auth.refresh(id)?;
    Ok(respond::value(StatusCode::OK, &json!(*token)))
}
