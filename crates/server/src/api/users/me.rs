//! The caller's own account: who it is, and its password.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_crypto::Zeroizing;
use serde::Deserialize;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request;
use crate::respond;
use crate::wire::{self, user};

/// Change of the caller's own password.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PasswordUpdateSpec {
    old_password: Zeroizing<String>,
    new_password: Zeroizing<String>,
}

/// Name, role and kind.
pub(crate) async fn get(caller: Caller) -> Result<Response, ApiError> {
    let who = caller.principal()?;
    Ok(respond::json(StatusCode::OK, wire::one(|json| user::principal(json, who))))
}

/// Changes the caller's own password; every session of the account is over, this one included.
pub(crate) async fn password(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let spec: PasswordUpdateSpec = request::parsed(&bytes)?;
    let who = caller.principal()?;
    let (old, new) = (spec.old_password, spec.new_password);
    app.auth.change_own_password(who, old, new, caller.address(), caller.audit()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
