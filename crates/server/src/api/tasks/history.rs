//! `DELETE /v1/tasks/history` (wire contract, sections 1.10 and 2.1): each task for itself, so that some may
//! fail.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::Deletion;
use longhaul_model::{TaskId, TaskStatus};
use serde::Deserialize;

use crate::access::Caller;
use crate::api::App;
use crate::error::{ApiError, shortened};
use crate::request;
use crate::respond;
use crate::wire::Json;

/// Maximum number of tasks that one call deletes.
const MOST: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletionBody {
    task_ids: Vec<String>,
}

/// A task that stays, and why.
struct Failed<'a> {
    id: &'a str,
    code: &'static str,
    message: String,
}

/// Deletes tasks that cannot change any more.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let DeletionBody { task_ids } = request::parsed(&bytes)?;
    if task_ids.is_empty() || task_ids.len() > MOST {
        return Err(ApiError::field("/taskIds", "taskIds: 1 to 1,000 IDs of tasks"));
    }
    let known: Vec<TaskId> = task_ids.iter().filter_map(|id| id.parse().ok()).collect();
    let results = app.engine.delete_history(known, caller.audit()).await?;
    let mut results = results.into_iter();
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for id in &task_ids {
        let parsed = id.parse::<TaskId>().ok();
        match parsed.and_then(|_| results.next()).map(|(_, deletion)| deletion) {
            Some(Deletion::Deleted) => successful.push(id),
            Some(Deletion::Open(status)) => failed.push(Failed::open(id, status)),
            Some(Deletion::Unreadable) => failed.push(Failed::unreadable(id)),
            Some(Deletion::NotFound) | None => failed.push(Failed::unknown(id)),
        }
    }
    let mut json = Json::new(1024);
    json.object(|json| {
        json.key("successful").value(&successful);
        json.key("failed").list(&failed, |json, failed| {
            json.object(|json| {
                json.key("taskId").value(failed.id);
                json.key("errorCode").plain(failed.code);
                json.key("message").value(&failed.message);
            });
        });
    });
    Ok(respond::json(StatusCode::OK, json.finish()))
}

impl<'a> Failed<'a> {
    fn unknown(id: &'a str) -> Self {
        let message = format!("Task with ID {} not found", shortened(id));
        Failed { id, code: "TA_TASK_NOT_FOUND", message }
    }

    fn unreadable(id: &'a str) -> Self {
        let message = format!("Task with ID {id} cannot be read: cancel it first (DELETE /v1/tasks/{id})");
        Failed { id, code: "TA_TASK_CAN_NOT_BE_DELETED", message }
    }

    fn open(id: &'a str, status: TaskStatus) -> Self {
        let why = if status == TaskStatus::Failed {
            "it can be retried, holds resources or waits for a decision; deal with it first"
        } else {
            "it has not ended"
        };
        let message = format!("Task with ID {id} is {}: {why}", status.display());
        Failed { id, code: "TA_TASK_CAN_NOT_BE_DELETED", message }
    }
}
