//! `GET /v1/tasks/{id}/history`: decisions about a task, with who made them and why, newest first.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::Told;

use crate::api::App;
use crate::error::ApiError;
use crate::request::{Id, Paging, Parameters};
use crate::respond;
use crate::wire::{self, Json};

const DEFAULT_SIZE: u32 = 100;

/// Returns a page of the task's history. Whoever may see the task may see it; addresses of callers are for
/// administrators, in the audit log.
pub(crate) async fn history(
    State(app): State<App>,
    Id(id): Id,
    RawQuery(text): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let Paging { number, size, offset } = Paging::read(&parameters, DEFAULT_SIZE)?;
    let all = app.engine.task_history(id).await?;
    let from = usize::try_from(offset).unwrap_or(usize::MAX);
    let shown = all.iter().skip(from).take(size as usize);
    let body = wire::page(shown, number, size, all.len() as u64, told);
    Ok(respond::json(StatusCode::OK, body))
}

fn told(json: &mut Json, Told { entry, decision, sub_task }: &Told) {
    json.object(|json| {
        json.key("id").value(&entry.seq);
        json.key("timestamp").time(entry.at);
        json.key("user").value(&entry.by);
        json.key("action").value(&entry.action);
        if let Some(decision) = decision {
            json.key("decision").value(&decision.what);
            if let Some(count) = decision.count {
                json.key("subTaskCount").value(&count);
            }
        }
        if let Some(sub_task) = sub_task {
            json.key("subTask").value(sub_task);
        }
        let reason =
            decision.as_ref().and_then(|decision| decision.reason.as_ref()).or(entry.detail.as_ref());
        if let Some(reason) = reason {
            json.key("reason").value(reason);
        }
    });
}
