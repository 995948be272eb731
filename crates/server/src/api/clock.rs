//! `GET /v1/clock` and `POST /v1/clock/confirm`: whether tasks that are old by the clock may be deleted.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_model::Timestamp;
use serde::Deserialize;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request;
use crate::respond;

/// Shows both times.
pub(crate) async fn get(State(app): State<App>) -> Result<Response, ApiError> {
    let (now, doubt) = (app.engine.env().now(), app.engine.clock_doubt());
    let lived = Timestamp(now.0.saturating_sub_unsigned(doubt.0));
    Ok(respond::value(
        StatusCode::OK,
        &serde_json::json!({
            "clockTimestamp": now.to_string(),
            "livedTimestamp": lived.to_string(),
            "doubted": doubt.0 > 0,
        }),
    ))
}

/// Body of a confirmation by an administrator.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Confirmation {
    /// Current time, as the administrator knows it: only somebody who knows the time can confirm a clock.
    clock_timestamp: String,
}

/// Largest difference between the time given and the clock, in milliseconds.
const NEAR: u64 = 3_600_000;

/// The clock is right.
pub(crate) async fn confirm(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let said: Confirmation = request::parsed(&bytes)?;
    let now = app.engine.env().now();
    let near = |said: Timestamp| said.0.abs_diff(now.0) <= NEAR;
    if !said.clock_timestamp.parse().is_ok_and(near) {
        return Err(ApiError::field(
            "/clockTimestamp",
            format!("it takes the time, which the clock has as {now}"),
        ));
    }
    app.engine.confirm_clock(caller.audit()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
