//! Liveness and readiness, answered without a token.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::Trouble;
use serde_json::json;

use super::App;
use crate::respond;

/// Answers as long as the process does.
pub(crate) async fn live() -> Response {
    respond::value(StatusCode::OK, &json!({ "status": "UP" }))
}

/// Answers 200 if the server accepts and runs tasks; 503 with the reason while it drains, is paused or cannot
/// write. The call needs no credential, so it tells no more than a load balancer or an alarm needs; the rest
/// is in the server's log.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    let health = app.engine.store_health();
    let reason = match &health.trouble {
        _ if app.engine.is_draining() => Some("DRAINING"),
        _ if app.engine.is_paused() => Some("PAUSED"),
        trouble => trouble.as_ref().map(Trouble::code),
    };
    let mut body = json!({ "status": if reason.is_none() { "UP" } else { "DOWN" } });
    if let Some(reason) = reason {
        body["reason"] = reason.into();
    }
    if !health.set_aside.is_empty() {
        body["setAside"] = health.set_aside.len().into();
    }
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond::value(status, &body)
}
