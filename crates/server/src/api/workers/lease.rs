//! `POST /v1/workers/lease`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::{Assigned, Assignment};
use longhaul_model::Span;

use super::spec::LeaseSpec;
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request;
use crate::respond;
use crate::wire::Json;

/// Pause until the next request to a server that stops.
const DRAINING: Span = Span(500);

/// Attempts for a worker.
pub(crate) async fn lease(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = super::body(&app, request).await?;
    let ask = request::parsed::<LeaseSpec>(&bytes)?.ask(&caller)?;
    caller.waits(ask.wait)?;
    let assigned = app.engine.lease(ask).await?;
    let mut json = Json::new(256 + 512 * assigned.leases.len());
    json.object(|json| members(json, &assigned));
    Ok(respond::json(StatusCode::OK, json.finish()))
}

/// Writes the leases that a worker was given.
pub(super) fn members(json: &mut Json, assigned: &Assigned) {
    json.key("leases").list(&assigned.leases, assignment);
    // A worker that obeys must not poll a stopping server as fast as it can answer.
    let retry_after =
        if assigned.draining { assigned.retry_after.max(DRAINING) } else { assigned.retry_after };
    json.key("retryAfterMs").value(&retry_after.0);
    if assigned.draining {
        json.key("draining").value(&true);
    }
}

fn assignment(json: &mut Json, one: &Assignment) {
    json.object(|json| {
        json.key("lease").plain(&one.lease.to_string());
        json.key("token").value(&one.token.0);
        json.key("expiresInMs").value(&one.expires_in.0);
        json.key("task").object(|json| {
            json.key("id").value(&one.lease.task());
            json.key("name").value(&one.task_name);
            json.key("type").value(&one.task_type);
            json.key("workflow").plain(&one.workflow);
        });
        json.key("subTask").value(&one.sub_task);
        json.key("queue").plain(&one.queue);
        json.key("attempt").value(&one.attempt);
        if let Some(index) = one.item_index {
            json.key("itemIndex").value(&index);
        }
        json.key("idempotencyKey").plain(&one.idempotency_key);
        if let Some(timeout) = one.timeout {
            json.key("timeoutMs").value(&timeout.0);
        }
        if let Some(trace) = &one.trace {
            json.key("traceparent").plain(&trace.to_string());
        }
        if let Some(input) = &one.input {
            json.key("input").value(input);
        }
    });
}
