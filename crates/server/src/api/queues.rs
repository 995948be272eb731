//! `GET /v1/queues`, `PUT` and `PATCH /v1/queues/{name}`: waiting sub-tasks, and the limits that an operator
//! sets.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::{QueueChange, QueueLimits, QueueSummary, is_queue_name};
use longhaul_model::Fault;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Named, Parameters};
use crate::respond;
use crate::wire::{self, Json};

/// Returns every queue, by name.
pub(crate) async fn list(State(app): State<App>) -> Response {
    let queues = app.engine.queues();
    let count = queues.len();
    let body = wire::page(&queues, 1, u32::try_from(count).unwrap_or(u32::MAX), count as u64, queue);
    respond::json(StatusCode::OK, body)
}

/// Sets the limits of a queue; members that are left out are not limited.
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    names: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let limits: QueueLimits = request::parsed(&bytes)?;
    let name = queue_name(&names)?;
    let summary = app.engine.limit_queue(name, limits, caller.audit()).await?;
    let mut json = Json::new(256);
    queue(&mut json, &summary);
    Ok(respond::json(StatusCode::OK, json.finish()))
}

/// Changes the limits of one in what the body names.
pub(crate) async fn patch(
    State(app): State<App>,
    caller: Caller,
    names: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let makes = Parameters::parse(request.uri().query(), &app.config.limits)?.flag("create")?;
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let change: QueueChange = request::parsed(&bytes)?;
    let name = queue_name(&names)?;
    let changed = app.engine.change_queue(name, change, makes, caller.audit()).await?;
    let summary = changed.ok_or_else(|| unknown(name))?;
    let mut json = Json::new(256);
    queue(&mut json, &summary);
    Ok(respond::json(StatusCode::OK, json.finish()))
}

fn queue_name(names: &Named) -> Result<&str, ApiError> {
    let name = names.get("name");
    if is_queue_name(name) {
        return Ok(name);
    }
    let message = "a queue's name is 1 to 100 letters, digits, `.`, `_` and `-`";
    Err(ApiError::bad("INVALID_QUEUE", message))
}

/// Nobody asked for a queue of this name: rather a slip than a new one.
fn unknown(name: &str) -> ApiError {
    let fault = Fault::new("QUEUE_NOT_FOUND", format!("there is no queue `{name}`"))
        .argument(name)
        .remedy("GET /v1/queues lists those that there are; `?create=true` sets limits for a new one");
    ApiError::new(StatusCode::NOT_FOUND, fault)
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
