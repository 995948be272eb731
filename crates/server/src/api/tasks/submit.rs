//! `POST /v1/tasks`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, StatusCode};
use longhaul_engine::{IdempotencyKey, SubmitRequest};
use longhaul_model::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{body, view};
use crate::api::{ANONYMOUS, App};
use crate::error::ApiError;
use crate::request::{self, Parameters};
use crate::respond;

/// What a submission says.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubmitBody {
    workflow: String,
    version: Option<u32>,
    input: Option<Value>,
    name: Option<String>,
    not_before: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// Starts a task: 202 once it is durable; with `wait`, once it ended or the time is over.
pub(crate) async fn submit(State(app): State<App>, request: Request<Body>) -> Result<Response, ApiError> {
    let query = request.uri().query().map(str::to_owned);
    let headers = request.headers().clone();
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let given: SubmitBody = request::parsed(&bytes)?;
    let submit = checked(given, idempotency_key(&headers, "/v1/tasks", &bytes)?)?;
    accept(&app, submit, query.as_deref()).await
}

fn checked(given: SubmitBody, key: Option<IdempotencyKey>) -> Result<SubmitRequest, ApiError> {
    let not_before: Option<Timestamp> = given.not_before.map(|text| text.parse()).transpose().map_err(
        |e: longhaul_model::time::BadTimestamp| ApiError::field("/notBefore", format!("notBefore: {e}")),
    )?;
    if let Some(name) = &given.name
        && (name.trim().is_empty() || name.chars().count() > 500)
    {
        return Err(ApiError::field("/name", "name: 1 to 500 characters, not only spaces"));
    }
    if given.labels.len() > 50
        || given.labels.iter().any(|(k, v)| k.is_empty() || k.len() > 100 || v.len() > 500)
    {
        let message = "labels: at most 50, names of 1 to 100 bytes, values of up to 500";
        return Err(ApiError::field("/labels", message));
    }
    Ok(SubmitRequest {
        workflow: given.workflow,
        version: given.version,
        input: given.input.unwrap_or_else(|| Value::Object(Map::new())),
        name: given.name,
        not_before,
        labels: given.labels,
        by: Some(ANONYMOUS.to_owned()),
        key,
    })
}

/// Hands a submission on and answers 202 with its task.
pub(crate) async fn accept(
    app: &App,
    submit: SubmitRequest,
    query: Option<&str>,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query, &app.config.limits)?;
    let submitted = match view::wait(&parameters)? {
        None => app.engine.submit(submit).await?,
        Some(limit) => app.engine.submit_and_wait(submit, limit).await?,
    };
    let mut response = respond::json(StatusCode::ACCEPTED, body(app, &submitted.task));
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/tasks/{}", submitted.task.id())) {
        headers.insert(header::LOCATION, location);
    }
    if submitted.replayed {
        headers.insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// The caller's key, with the hash of what it asks.
pub(crate) fn idempotency_key(
    headers: &HeaderMap,
    path: &str,
    body: &[u8],
) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(given) = headers.get("idempotency-key") else { return Ok(None) };
    let key = given.to_str().ok().filter(|key| !key.is_empty() && key.len() <= 255).ok_or_else(|| {
        ApiError::bad("INVALID_REQUEST", "the Idempotency-Key must be 1 to 255 printable ASCII characters")
    })?;
    let mut hash = Sha256::new();
    hash.update(path.as_bytes());
    hash.update([0]);
    hash.update(body);
    let fingerprint = hash.finalize().into();
    Ok(Some(IdempotencyKey { principal: ANONYMOUS.to_owned(), key: key.to_owned(), fingerprint }))
}
