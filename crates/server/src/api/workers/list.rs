//! `GET /v1/workers`: who was heard of lately.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::api::App;
use crate::respond;
use crate::wire;

/// Workers heard of within the last minutes.
pub(crate) async fn list(State(app): State<App>) -> Response {
    let workers = app.engine.workers();
    let count = workers.len();
    let body =
        wire::page(&workers, 1, u32::try_from(count).unwrap_or(u32::MAX), count as u64, |json, one| {
            let (owner, name) = one.worker.0.rsplit_once('/').unwrap_or(("", &one.worker.0));
            json.object(|json| {
                json.key("worker").value(name);
                json.key("user").value(owner);
                json.key("queues").value(&one.queues.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
                json.key("running").value(&one.running);
                json.key("lastSeen").time(one.last_seen);
            });
        });
    respond::json(StatusCode::OK, body)
}
