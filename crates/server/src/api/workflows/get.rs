//! `GET /v1/workflows/{name}`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::whole;
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{Named, Parameters};
use crate::respond;

/// Returns a workflow, in its newest version unless one is asked for.
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    path: Named,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref(), &app.config.limits)?;
    let version = parameters
        .get("version")
        .map(|text| {
            text.parse::<u32>().map_err(|_| ApiError::parameter("version", "It takes a whole number from 1"))
        })
        .transpose()?;
    let workflow = app.engine.workflow(path.get("name"), version)?;
    Ok(respond::json(StatusCode::OK, whole(&app, &caller, &workflow)?))
}
