//! Accounts: look, make, change, delete.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_auth::{Bounds, NewUser, UserPatch};
use longhaul_crypto::Zeroizing;
use serde::Deserialize;

use super::role;
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Named};
use crate::respond;
use crate::routes;
use crate::wire::{self, user};

/// A new account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserSpec {
    name: String,
    role: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    password: Option<Zeroizing<String>>,
    #[serde(default)]
    queues: Option<Vec<String>>,
    #[serde(default)]
    actions: Option<Vec<String>>,
}

/// Changes to an account.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserUpdateSpec {
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    disabled: Option<bool>,
    #[serde(default)]
    password: Option<Zeroizing<String>>,
    #[serde(default)]
    queues: Option<Vec<String>>,
    #[serde(default)]
    actions: Option<Vec<String>>,
}

/// Reads the bounds of an account. Actions must exist and be open to its role.
fn bounds(queues: Option<Vec<String>>, actions: Option<Vec<String>>) -> Result<Bounds, ApiError> {
    for (n, action) in actions.iter().flatten().enumerate() {
        if !routes::is_action_of(action, longhaul_auth::Role::Worker) {
            let message = "this is no call of workers: name an `operationId` of the API's description";
            return Err(ApiError::field(&format!("/actions/{n}"), message));
        }
    }
    Ok(Bounds { queues, actions })
}

/// Returns every account, by name. Accounts are few: they are one page.
pub(crate) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let users = app.auth.users()?;
    let all = u32::try_from(users.len()).unwrap_or(u32::MAX);
    let body = wire::page(&users, 1, all, u64::from(all), |json, one| user::account(json, one, None));
    Ok(respond::json(StatusCode::OK, body))
}

/// Returns one account.
pub(crate) async fn get(State(app): State<App>, names: Named) -> Result<Response, ApiError> {
    let found = app.auth.user(names.get("name"))?;
    Ok(respond::json(StatusCode::OK, wire::one(|json| user::account(json, &found, None))))
}

/// Creates an account; a service account is answered with its API key in clear, this once.
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let spec: UserSpec = request::parsed(&bytes)?;
    let service = match spec.kind.as_deref() {
        None => false,
        Some(kind) if kind.eq_ignore_ascii_case("USER") => false,
        Some(kind) if kind.eq_ignore_ascii_case("SERVICE") => true,
        Some(_) => return Err(ApiError::field("/kind", "`kind` takes USER or SERVICE")),
    };
    let bounds = bounds(spec.queues, spec.actions)?;
    let new = NewUser { name: spec.name, role: role(&spec.role)?, password: spec.password, service, bounds };
    let (made, key) = app.auth.create_user(new, caller.audit()).await?;
    let body = wire::one(|json| user::account(json, &made, key.as_ref()));
    Ok(respond::json(StatusCode::CREATED, body))
}

/// Changes an account and answers with it.
pub(crate) async fn change(
    State(app): State<App>,
    caller: Caller,
    names: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let spec: UserUpdateSpec = request::parsed(&bytes)?;
    let patch = UserPatch {
        role: spec.role.as_deref().map(role).transpose()?,
        disabled: spec.disabled,
        password: spec.password,
        bounds: bounds(spec.queues, spec.actions)?,
    };
    let changed = app.auth.change_user(names.get("name"), patch, caller.audit()).await?;
    Ok(respond::json(StatusCode::OK, wire::one(|json| user::account(json, &changed, None))))
}

/// Deletes an account with its API keys and sessions.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    names: Named,
) -> Result<Response, ApiError> {
    app.auth.delete_user(names.get("name"), caller.audit()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
