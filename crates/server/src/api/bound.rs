//! Everything that no route of ours answers: a workflow's `route:` may, with 202 and a task.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use longhaul_engine::SubmitRequest;
use serde_json::{Map, Value};

use super::tasks::submit::{accept, idempotency_key};
use super::{ANONYMOUS, App};
use crate::error::ApiError;
use crate::request;

/// Starts the task of a bound workflow: the body, a JSON object, and the path's parameters are its input.
pub(crate) async fn bound(State(app): State<App>, request: Request<Body>) -> Result<Response, ApiError> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let Some((workflow, parameters)) = app.engine.route(method.as_str(), &path) else {
        return Err(ApiError::unknown_route(&method, &path));
    };
    let (headers, query) = (request.headers().clone(), request.uri().query().map(str::to_owned));
    let body = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let key = idempotency_key(&headers, &path, &body)?;
    let given: Value = if body.trim_ascii().is_empty() { Value::Null } else { request::parsed(&body)? };
    let mut input = match given {
        Value::Object(members) => members,
        Value::Null => Map::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return Err(ApiError::bad("INVALID_REQUEST", "the body must be a JSON object"));
        }
    };
    for (name, text) in parameters {
        input.insert(name, Value::String(text));
    }
    let submit = SubmitRequest {
        workflow: workflow.definition.name.clone(),
        version: Some(workflow.version),
        input: Value::Object(input),
        name: None,
        not_before: None,
        labels: Default::default(),
        by: Some(ANONYMOUS.to_owned()),
        key,
    };
    accept(&app, submit, query.as_deref()).await
}
