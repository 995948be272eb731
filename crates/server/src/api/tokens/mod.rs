//! `/v1/tokens`: access tokens, valid for an hour (wire contract, section 5).

pub(crate) mod login;
pub(crate) mod refresh;
pub(crate) mod revoke;

use axum::body::Body;
use http::Request;
use uuid::Uuid;

use super::App;
use crate::error::ApiError;
use crate::request;

/// Reads the refresh token from a body: a JSON string, or bare as some clients send it.
async fn refresh_id(app: &App, request: Request<Body>) -> Result<Uuid, ApiError> {
    let bytes = request::public_body(request, &app.config.limits).await?;
    let body = bytes.trim_ascii();
    let text = match body.first() {
        Some(b'"') => request::any::<String>(body)?,
        _ => String::from_utf8_lossy(body).into_owned(),
    };
    // The message does not repeat the value: it may be a secret with a typing error.
    Uuid::try_parse(text.trim()).map_err(|_| {
        ApiError::bad("REFRESH_TOKEN_MALFORMED", "the body is not the id of a refresh token")
            .remedy("Send the `refreshToken.id` that POST /v1/tokens gave, as a JSON string")
    })
}
