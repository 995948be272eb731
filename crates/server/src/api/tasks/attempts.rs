//! `GET /v1/tasks/{id}/attempts`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::EngineError;

use crate::api::App;
use crate::error::ApiError;
use crate::request::Id;
use crate::respond;
use crate::wire;

/// Every attempt of every sub-task, in order of their starts.
pub(crate) async fn attempts(State(app): State<App>, Id(id): Id) -> Result<Response, ApiError> {
    let report = match app.engine.attempts(id).await {
        // An imported task has no known attempts.
        Err(EngineError::Imported(_)) => {
            let none: [(); 0] = [];
            return Ok(respond::json(StatusCode::OK, wire::page(none, 1, 0, 0, |_, ()| {})));
        }
        report => report?,
    };
    let count = report.attempts.len();
    let size = u32::try_from(count).unwrap_or(u32::MAX);
    let body = wire::page(&report.attempts, 1, size, count as u64, |json, attempt| {
        json.object(|json| {
            json.key("subTask").value(report.record.sub_task_name(attempt.sub_task));
            json.key("number").value(&attempt.number);
            json.key("generation").value(&(attempt.generation + 1));
            json.key("status").value(&attempt.outcome);
            json.key("creationTimestamp").time(attempt.started_at);
            if let Some(at) = attempt.ended_at {
                json.key("completionTimestamp").time(at);
            }
            if let Some(worker) = &attempt.worker {
                json.key("worker").value(&worker.0);
            }
            if let Some(error) = &attempt.error {
                json.key("error").value(error);
            }
        });
    });
    Ok(respond::json(StatusCode::OK, body))
}
