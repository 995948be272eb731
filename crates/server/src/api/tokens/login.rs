//! `POST /v1/tokens`: an access token and a refresh token for a password, an API key or another issuer's ID
//! token.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_auth::LoginRequest;
use longhaul_crypto::Zeroizing;
use serde::Deserialize;
use serde_json::json;

use crate::access::Caller;
use crate::api::App;
use crate::config::Client;
use crate::error::ApiError;
use crate::request;
use crate::respond;

/// Credentials of a login; unknown members are ignored, as real clients send some.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenCreationSpec {
    username: Option<String>,
    password: Option<Zeroizing<String>>,
    api_key: Option<Zeroizing<String>>,
    id_token: Option<Zeroizing<String>>,
}

/// Logs an account in.
pub(crate) async fn login(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let bytes = request::public_body(request, &app.config.limits).await?;
    let spec: TokenCreationSpec = request::parsed(&bytes)?;
    let key = spec.api_key.clone();
    let pair = app.auth.login(wanted(spec)?, caller.address()).await?;
    let client = Client {
        who: Some(&pair.principal),
        credential: key.as_ref().map(|key| key.as_str()),
        headers: &headers,
    };
    let status = app.dialects.of(&client, &app.auth).login_status;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::CREATED);
    let body = json!({ "accessToken": *pair.access_token, "refreshToken": { "id": pair.refresh_id } });
    Ok(respond::value(status, &body))
}

fn wanted(spec: TokenCreationSpec) -> Result<LoginRequest, ApiError> {
    let missing = |pointer: &str, name: &str| {
        Err(ApiError::field(pointer, format!("`{name}` is missing"))
            .remedy("Send `username` and `password`, or `apiKey`, or `idToken`"))
    };
    match spec {
        TokenCreationSpec { api_key: Some(key), username: None, password: None, id_token: None } => {
            Ok(LoginRequest::ApiKey(key))
        }
        TokenCreationSpec { id_token: Some(token), username: None, password: None, api_key: None } => {
            Ok(LoginRequest::IdToken(token))
        }
        TokenCreationSpec {
            username: Some(username),
            password: Some(password),
            api_key: None,
            id_token: None,
        } => Ok(LoginRequest::Password { username, password }),
        TokenCreationSpec { username: None, api_key: None, id_token: None, .. } => {
            missing("/username", "username")
        }
        TokenCreationSpec { password: None, api_key: None, id_token: None, .. } => {
            missing("/password", "password")
        }
        _ => Err(ApiError::bad("INVALID_REQUEST", "the body names more than one way to come in")
            .remedy("Send `username` and `password`, or `apiKey`, or `idToken`")),
    }
}
