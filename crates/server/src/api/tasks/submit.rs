//! `POST /v1/tasks`.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, StatusCode, Uri};
use longhaul_engine::{IdempotencyKey, SubmitRequest, Submitted};
use longhaul_model::{Timestamp, TraceContext};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::resolve::because;
use super::{body, view};
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Parameters, canonical};
use crate::respond;

/// Body of a submission.
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

/// Starts a task: 202 once it is durable; with `wait`, once it ended or the time is over. With `dryRun` the
/// submission is only checked: 200, and the task as it would begin.
pub(crate) async fn submit(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let (key, wait) = (KeyText::of(request.headers())?, wait(&app, request.uri())?);
    let dry = dry_run(&app, request.uri())?;
    let traced = span_of_caller(request.headers());
    let audit = because(caller.audit(), &app, request.uri().query())?;
    caller.waits(wait.unwrap_or_default())?;
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let given: SubmitBody = request::parsed(&bytes)?;
    if dry {
        let task = app.engine.rehearse(&checked(given, None, &caller)?)?;
        return Ok(respond::json(StatusCode::OK, body(&app, &caller, &task)));
    }
    let key = key.map(|key| key.with(&app, &caller, "POST /v1/tasks", &bytes));
    let mut submit = checked(given, key, &caller)?;
    submit.audit = Some(audit);
    submit.room = Some(bytes.into_room());
    submit.caller = traced;
    accept(&app, &caller, submit, wait).await
}

fn checked(
    given: SubmitBody,
    key: Option<IdempotencyKey>,
    caller: &Caller,
) -> Result<SubmitRequest, ApiError> {
    let not_before: Option<Timestamp> = given.not_before.map(|text| text.parse()).transpose().map_err(
        |e: longhaul_model::time::BadTimestamp| ApiError::field("/notBefore", format!("notBefore: {e}")),
    )?;
    if let Some(name) = &given.name
        && (name.trim().is_empty() || longer(name, 500))
    {
        return Err(ApiError::field("/name", "name: 1 to 500 characters, not only spaces"));
    }
    if given.labels.len() > 50
        || given.labels.iter().any(|(k, v)| k.is_empty() || longer(k, 100) || longer(v, 500))
    {
        let message = "labels: at most 50, names of 1 to 100 characters, values of up to 500";
        return Err(ApiError::field("/labels", message));
    }
    Ok(SubmitRequest {
        workflow: given.workflow,
        version: given.version,
        input: given.input.unwrap_or_else(|| Value::Object(Map::new())),
        name: given.name,
        not_before,
        labels: given.labels,
        audit: Some(caller.audit()),
        key,
        room: None,
        caller: None,
    })
}

/// Returns the span of the caller that the `traceparent` header names. What cannot be read counts for
/// nothing: W3C Trace Context, section 3.2.2, has a request go on without a trace then.
pub(crate) fn span_of_caller(headers: &HeaderMap) -> Option<TraceContext> {
    let mut given = headers.get_all("traceparent").iter();
    let only = given.next().filter(|_| given.next().is_none())?;
    only.to_str().ok()?.parse().ok()
}

/// Returns true if a text has more than `most` characters.
fn longer(text: &str, most: usize) -> bool {
    text.chars().nth(most).is_some()
}

/// Reads the `wait` of a submission, before anything is accepted.
pub(crate) fn wait(app: &App, uri: &Uri) -> Result<Option<Duration>, ApiError> {
    view::wait(&Parameters::parse(uri.query(), &app.config.limits)?)
}

fn dry_run(app: &App, uri: &Uri) -> Result<bool, ApiError> {
    Parameters::parse(uri.query(), &app.config.limits)?.flag("dryRun")
}

/// Passes a submission to the engine and answers 202 with its task.
pub(crate) async fn accept(
    app: &App,
    caller: &Caller,
    submit: SubmitRequest,
    wait: Option<Duration>,
) -> Result<Response, ApiError> {
    let submitted = match wait {
        None => app.engine.submit(submit).await?,
        Some(limit) => app.engine.submit_and_wait(submit, limit).await?,
    };
    Ok(accepted(app, caller, &submitted))
}

/// Answers 202 with the task, and its location.
pub(crate) fn accepted(app: &App, caller: &Caller, submitted: &Submitted) -> Response {
    let mut response = respond::json(StatusCode::ACCEPTED, body(app, caller, &submitted.task));
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/tasks/{}", submitted.task.id())) {
        headers.insert(header::LOCATION, location);
    }
    if submitted.replayed {
        headers.insert(HeaderName::from_static("idempotency-replayed"), HeaderValue::from_static("true"));
    }
    response
}

/// An `Idempotency-Key` as the caller wrote it.
pub(crate) struct KeyText(String);

impl KeyText {
    /// Reads the key of a request, if it has one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, ApiError> {
        let Some(given) = headers.get("idempotency-key") else { return Ok(None) };
        let key = given.to_str().ok().filter(|key| !key.is_empty() && key.len() <= 255).ok_or_else(|| {
            ApiError::bad(
                "INVALID_REQUEST",
                "the Idempotency-Key must be 1 to 255 printable ASCII characters",
            )
        })?;
        Ok(Some(KeyText(key.to_owned())))
    }

    /// Combines the key with the hash of the request: the call and the value of the body, however that is
    /// written.
    pub(crate) fn with(self, app: &App, caller: &Caller, call: &str, body: &[u8]) -> IdempotencyKey {
        let fingerprint = app.engine.fingerprint(&[call.as_bytes(), &canonical(body)]);
        IdempotencyKey { principal: caller.name().to_owned(), key: self.0, fingerprint }
    }
}
