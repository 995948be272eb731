//! Answers of a node that waits for its store: it is alive, it is not ready, and nothing else.

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
    respond::value(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "STARTING" }))
}

async fn refused() -> Response {
    let fault = Fault::new("NODE_STARTS", "this node waits for its database").remedy(
        "Ask a node whose /health/ready answers 200: a load balancer finds those by that; the log of this one says what it waits for",
    );
    ApiError::not_now(StatusCode::SERVICE_UNAVAILABLE, fault).into_response()
}
