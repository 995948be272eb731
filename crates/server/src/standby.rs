//! What a node answers while another one is active: that it lives, that it is not the one to ask, and nothing else.

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use longhaul_model::Fault;
use serde_json::json;

use crate::api::health;
use crate::error::ApiError;
use crate::respond;

pub(crate) fn router() -> Router {
    Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(ready))
        .fallback(refused)
}

async fn ready() -> Response {
    respond::value(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "STANDBY" }))
}

async fn refused() -> Response {
    let fault = Fault::new("NODE_STANDS_BY", "this node stands by: another one is active").remedy(
        "Ask the active node, the one whose /health/ready answers 200: a load balancer finds it by that",
    );
    ApiError::not_now(StatusCode::SERVICE_UNAVAILABLE, fault).into_response()
}
