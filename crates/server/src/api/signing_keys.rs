//! `POST /v1/signing-keys/rotate`: a new key for access tokens; tokens that were signed before stay valid
//! until they expire.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::respond;

/// Makes a new signing key.
pub(crate) async fn rotate(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    app.auth.rotate_signing_keys(caller.audit()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
