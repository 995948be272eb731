//! `GET /v1/workflows`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::WorkflowSummary;

use crate::api::App;
use crate::error::ApiError;
use crate::respond;
use crate::wire::{self, Json};

/// Returns every workflow in its newest version, on one page.
pub(crate) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let all = app.engine.workflows()?;
    let count = all.len();
    let size = u32::try_from(count).unwrap_or(u32::MAX);
    let body = wire::page(&all, 1, size, count as u64, line);
    Ok(respond::json(StatusCode::OK, body))
}

fn line(json: &mut Json, summary: &WorkflowSummary) {
    let definition = &summary.workflow.definition;
    json.object(|json| {
        json.key("name").value(&definition.name);
        json.key("type").value(&definition.kind);
        json.key("title").value(&definition.title);
        if let Some(description) = &definition.description {
            json.key("description").value(description);
        }
        json.key("version").value(&summary.workflow.version);
        json.key("versions").list(&summary.versions, |json, (version, _)| json.value(version));
        if let Some(route) = &definition.route {
            json.key("route").value(route);
        }
        if let Some((_, at)) = summary.versions.last() {
            json.key("creationTimestamp").time(*at);
        }
    });
}
