//! `GET /v1/queues`, `PUT /v1/queues/{name}`: what waits for workers, and what an operator allows.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::{QueueLimits, QueueSummary, is_queue_name};

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Named};
use crate::respond;
use crate::wire::{self, Json};

/// Every queue, by name.
pub(crate) async fn list(State(app): State<App>) -> Response {
    let queues = app.engine.queues();
    let count = queues.len();
    let body = wire::page(&queues, 1, u32::try_from(count).unwrap_or(u32::MAX), count as u64, queue);
    respond::json(StatusCode::OK, body)
}

/// Sets the limits of one; what is left out is not limited.
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    names: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let limits: QueueLimits = request::parsed(&bytes)?;
    let name = names.get("name");
    if !is_queue_name(name) {
        let message = "a queue's name is 1 to 100 letters, digits, `.`, `_` and `-`";
        return Err(ApiError::bad("INVALID_QUEUE", message));
    }
    let summary = app.engine.limit_queue(name, limits, caller.audit()).await?;
    let mut json = Json::new(256);
    queue(&mut json, &summary);
    Ok(respond::json(StatusCode::OK, json.finish()))
}

fn queue(json: &mut Json, queue: &QueueSummary) {
    json.object(|json| {
        json.key("name").plain(&queue.name);
        json.key("waiting").value(&queue.waiting);
        json.key("running").value(&queue.running);
        json.key("oldestWaitMs").value(&queue.oldest_wait.map_or(0, |wait| wait.as_millis() as u64));
        json.key("workers").value(&queue.workers);
        json.key("limits").value(&queue.limits);
    });
}
