//! `POST /v1/signing-keys/rotate`: a new key for access tokens; what was signed before stays good for as long as it
//! lives.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::respond;

/// Makes one.
pub(crate) async fn rotate(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    app.auth.rotate_signing_keys(caller.audit()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
