//! Workflow definitions.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::WorkflowSummary;
use longhaul_model::workflow::{Definition, Workflow};

use super::App;
use crate::error::ApiError;
use crate::request::{self, Named, Parameters};
use crate::respond;
use crate::wire::{self, Json};

/// `GET /v1/workflows`.
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

/// `GET /v1/workflows/{name}`, the newest version unless one is asked for.
pub(crate) async fn get(
    State(app): State<App>,
    path: Named,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref(), &app.config.limits)?;
    let version = parameters
        .get("version")
        .map(|text| {
            text.parse::<u32>()
                .map_err(|_| ApiError::parameter("version", text, "It takes a whole number from 1"))
        })
        .transpose()?;
    let workflow = app.engine.workflow(path.get("name"), version)?;
    Ok(respond::json(StatusCode::OK, whole(&app, &workflow)?))
}

/// `PUT /v1/workflows/{name}`: 201 for a new version, 200 when the newest is the same.
pub(crate) async fn put(
    State(app): State<App>,
    path: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let definition: Definition = serde_json::from_slice(&bytes).map_err(|e| {
        let code = if e.is_data() { "WORKFLOW_INVALID" } else { "MALFORMED_JSON" };
        ApiError::bad(code, format!("the definition cannot be read: {e}"))
            .remedy("`longhaul workflow schema` prints what a definition may hold")
    })?;
    if definition.name != path.get("name") {
        let message =
            format!("name: the path says `{}`, the definition `{}`", path.get("name"), definition.name);
        return Err(ApiError::field("/name", message));
    }
    let put = app.engine.put_workflow(definition).await?;
    let status = if put.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(respond::json(status, whole(&app, &put.workflow)?))
}

/// `DELETE /v1/workflows/{name}`: its tasks go on.
pub(crate) async fn delete(State(app): State<App>, path: Named) -> Result<Response, ApiError> {
    app.engine.delete_workflow(path.get("name")).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

fn whole(app: &App, workflow: &Arc<Workflow>) -> Result<Vec<u8>, ApiError> {
    let name = &workflow.definition.name;
    let all = app.engine.workflows()?;
    let versions =
        all.iter().find(|summary| summary.workflow.definition.name == *name).map(|found| &found.versions);
    let at = versions.and_then(|all| all.iter().find(|(version, _)| *version == workflow.version));
    let mut json = Json::new(4096);
    json.object(|json| {
        json.key("name").value(name);
        json.key("version").value(&workflow.version);
        if let Some((_, at)) = at {
            json.key("creationTimestamp").time(*at);
        }
        json.key("definition").value(&workflow.definition);
        if !workflow.warnings.is_empty() {
            json.key("warnings").value(&workflow.warnings);
        }
    });
    Ok(json.finish())
}
