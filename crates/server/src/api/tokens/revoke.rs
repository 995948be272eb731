//! `DELETE /v1/tokens/refresh-token`: revocation of a refresh token.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::EngineError;

use super::refresh_id;
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::respond;

/// Revokes the token; the answer is the same if there was none.
pub(crate) async fn revoke(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let id = refresh_id(&app, request).await?;
    app.auth.revoke(id, Some(caller.address())).await.map_err(EngineError::Store)?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
