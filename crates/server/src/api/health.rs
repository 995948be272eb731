//! Is it alive, is it ready: answered without a token.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::App;
use crate::respond;

/// The process answers.
pub(crate) async fn live() -> Response {
    respond::value(StatusCode::OK, &json!({ "status": "UP" }))
}

/// It accepts and runs tasks; 503 while it drains or cannot write.
pub(crate) async fn ready(State(app): State<App>) -> Response {
    if app.engine.is_ready() {
        respond::value(StatusCode::OK, &json!({ "status": "UP" }))
    } else {
        respond::value(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "DOWN" }))
    }
}
