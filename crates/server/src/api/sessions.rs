//! `/v1/sessions`: the caller's own login sessions, or for administrators everybody's.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use longhaul_auth::{Principal, Role, Whose};
use longhaul_engine::EngineError;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{Named, Paging, Parameters};
use crate::respond;
use crate::wire::{self, user};

const DEFAULT_SIZE: u32 = 50;

/// A page of sessions that last, and their exact total.
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    RawQuery(text): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let Paging { number, size, offset } = Paging::read(&parameters, DEFAULT_SIZE)?;
    let who = caller.principal()?;
    let whose = whose(who, parameters.get("user"))?;
    let (sessions, total) = app.auth.sessions(whose, offset, size).map_err(EngineError::Store)?;
    let body = wire::page(&sessions, number, size, total, |json, one| {
        user::session(json, one, who.session == Some(one.id));
    });
    Ok(respond::json(StatusCode::OK, body))
}

/// Returns the sessions that the caller may see; with a name, those of that account, for administrators only.
fn whose(who: &Principal, named: Option<&str>) -> Result<Whose, ApiError> {
    match named {
        Some(name) if who.role == Role::Admin => Ok(Whose::Named(name.to_owned())),
        None if who.role == Role::Admin => Ok(Whose::Anybody),
        Some(name) if !name.eq_ignore_ascii_case(&who.name) => {
            Err(ApiError::forbidden(who, crate::access::Role::Admin))
        }
        _ => Ok(who.own_sessions()),
    }
}

/// Ends a session: neither its refresh token nor its access tokens count any more.
pub(crate) async fn end(State(app): State<App>, caller: Caller, names: Named) -> Result<Response, ApiError> {
    let Ok(id) = names.get("id").parse() else { return Err(ApiError::no_session()) };
    let ended = app.auth.end_session(caller.principal()?, id, caller.audit()).await;
    if ended.map_err(EngineError::Store)? {
        Ok(respond::empty(StatusCode::NO_CONTENT))
    } else {
        Err(ApiError::no_session())
    }
}
