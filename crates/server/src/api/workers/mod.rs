//! The worker protocol (docs/workers.md): lease, heartbeat, complete and fail; and the list of workers.

pub(crate) mod heartbeat;
pub(crate) mod lease;
pub(crate) mod list;
pub(crate) mod report;
mod spec;

use axum::body::Body;
use http::Request;

use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Json};

/// The largest body of a worker, in bytes.
const LARGEST_BODY: usize = 8 << 20;

/// Reads a worker's body. Outputs and printed lines may have any character: they are kept in documents.
async fn body(app: &App, request: Request<Body>) -> Result<Json, ApiError> {
    request::any_json_body(request, &app.config.limits, LARGEST_BODY).await
}
