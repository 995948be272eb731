//! `GET /v1/workers`: workers that were heard of lately.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::{Stored, WorkerSummary};
use longhaul_model::TaskId;

use crate::api::App;
use crate::error::ApiError;
use crate::respond;
use crate::wire::{self, Json};

/// Maximum number of tasks that are read for their names; further ones are shown by their IDs.
const READ: usize = 200;

/// Workers heard of within the last minutes.
pub(crate) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let workers = app.engine.workers();
    let work = workers.iter().flat_map(|one| &one.work).map(|(task, _)| *task);
    let tasks = app.engine.in_short(work.take(READ).collect()).await?;
    let count = workers.len();
    let body =
        wire::page(&workers, 1, u32::try_from(count).unwrap_or(u32::MAX), count as u64, |json, one| {
            json.object(|json| worker(json, one, &tasks));
        });
    Ok(respond::json(StatusCode::OK, body))
}

fn worker(json: &mut Json, one: &WorkerSummary, tasks: &BTreeMap<TaskId, Stored>) {
    let (owner, name) = one.worker.0.rsplit_once('/').unwrap_or(("", &one.worker.0));
    json.key("worker").value(name);
    json.key("user").value(owner);
    json.key("queues").value(&one.queues.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
    json.key("running").value(&one.running);
    json.key("work").list(&one.work, |json, (task, index)| {
        json.object(|json| {
            json.key("taskId").value(task);
            if let Some(Stored::Own(record)) = tasks.get(task) {
                json.key("taskName").value(&record.name);
                // Children are not read: their indexes are beyond those of the workflow's own sub-tasks.
                if *index < record.own_sub_tasks() {
                    json.key("subTask").value(record.sub_task_name(*index));
                }
            }
        });
    });
    json.key("lastSeen").time(one.last_seen);
    json.key("alive").value(&one.alive);
    if let Some(origin) = &one.origin {
        if let Some(host) = &origin.host {
            json.key("host").value(host);
        }
        if let Some(process) = origin.process {
            json.key("process").value(&process);
        }
    }
}
