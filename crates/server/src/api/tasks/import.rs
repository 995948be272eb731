//! `POST /v1/tasks/import`: tasks as a Tasks API returned them, stored to the letter but for nulls and facts
//! that are not text, which no typed client could read.

mod fitted;
mod official;

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::ImportedTask;
use longhaul_model::{Resource, TaskStatus, Timestamp};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use fitted::Unfit;

use crate::access::Caller;
use crate::api::App;
use crate::error::{ApiError, shortened};
use crate::request::{self, unsaid};
use crate::respond;

/// Members by which an imported task is found; all others are only kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TaskIn {
    id: String,
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: String,
    creation_timestamp: String,
    completion_timestamp: Option<String>,
    resources: Option<Vec<Resource>>,
}

#[derive(Deserialize)]
struct Identity {
    id: Option<String>,
}

/// Longest type of a task or resource, in characters, that fits into an index.
const LONGEST_TYPE: usize = 200;

#[derive(Deserialize)]
struct PageIn<'a> {
    #[serde(borrow)]
    elements: Option<Vec<&'a RawValue>>,
}

/// Imports one task, a list of them, or a page; all or none.
pub(crate) async fn import(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.import).await?;
    // Parsing megabytes of JSON takes long enough to hold up others.
    let tasks = tokio::task::spawn_blocking(move || tasks(&bytes));
    let tasks = tasks.await.map_err(|e| ApiError::internal(e.to_string()))??;
    let outcome = app.engine.import(tasks, caller.audit()).await?;
    let body = json!({ "imported": outcome.imported, "replaced": outcome.replaced, "kept": outcome.kept });
    Ok(respond::value(StatusCode::OK, &body))
}

fn tasks(bytes: &[u8]) -> Result<Vec<ImportedTask>, ApiError> {
    elements(bytes)?
        .into_iter()
        .enumerate()
        .map(|(n, raw)| task(raw).map_err(|e| refused(n, raw, e)))
        .collect()
}

/// Refuses an import for one of its tasks, named by its position and its ID.
fn refused(n: usize, raw: &RawValue, Unfit { pointer, message, cut }: Unfit) -> ApiError {
    let id = serde_json::from_str::<Identity>(raw.get()).ok().and_then(|one| one.id);
    // Anything else may be a secret in the wrong place.
    let id = id.and_then(|id| Uuid::try_parse(&id).ok());
    let whose = id.map_or_else(|| "without a valid ID".to_owned(), |id| format!("with ID {id}"));
    let place = pointer.trim_start_matches('/').replace('/', ".");
    let place = if place.is_empty() { String::new() } else { format!("{}: ", shortened(&place)) };
    let message = format!("task {} {whose}: {place}{message}", n + 1);
    let e = ApiError::field(&format!("/elements/{n}{pointer}"), message);
    let e = if cut {
        e.remedy("Write the file again with `ConvertTo-Json -Depth 20`: what is nested deeper than its depth is cut off")
    } else {
        e.remedy("Leave this task out, or correct it: nothing of the request was imported")
    };
    match id {
        Some(id) => e.argument(&id.to_string()),
        None => e,
    }
}

/// Converts an imported task into a form that every client can read: earlier versions kept nulls and facts
/// that are not text.
pub(crate) fn readable(json: &str) -> Cow<'_, str> {
    if !json.contains("null") && !json.contains("\"context\"") {
        return json.into();
    }
    let fitted = serde_json::from_str(json).ok().and_then(|raw| fitted::task(raw).ok());
    fitted.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// Returns the JSON of each task to be stored, or the reason why none is.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<String>, String> {
    let tasks = tasks(bytes).map_err(|e| e.fault.message)?;
    Ok(tasks.into_iter().map(|task| task.json).collect())
}

fn elements(bytes: &[u8]) -> Result<Vec<&RawValue>, ApiError> {
    let malformed = |e: serde_json::Error| {
        ApiError::bad("MALFORMED_JSON", format!("the body cannot be read: {}", unsaid(&e)))
    };
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return serde_json::from_slice(bytes).map_err(malformed);
    }
    let page: PageIn<'_> = serde_json::from_slice(bytes).map_err(malformed)?;
    match page.elements {
        Some(elements) => Ok(elements),
        None => Ok(vec![serde_json::from_slice(bytes).map_err(malformed)?]),
    }
}

fn task(raw: &RawValue) -> Result<ImportedTask, Unfit> {
    let json = fitted::task(raw)?;
    let wrong = |pointer: &str, message: String| Unfit { pointer: pointer.to_owned(), message, cut: false };
    let given: TaskIn = serde_json::from_str(&json).map_err(|e| wrong("", unsaid(&e)))?;
    let time = |member: &str, text: &str| {
        text.parse::<Timestamp>().map_err(|e| wrong(&format!("/{member}"), e.to_string()))
    };
    let resources = given.resources.unwrap_or_default();
    // Both are part of the totals.
    if given.kind.as_deref().is_some_and(is_long) {
        return Err(wrong("/type", format!("a type has at most {LONGEST_TYPE} characters")));
    }
    if let Some(n) = resources.iter().position(|resource| is_long(&resource.kind)) {
        return Err(wrong(
            &format!("/resources/{n}/type"),
            format!("a type has at most {LONGEST_TYPE} characters"),
        ));
    }
    Ok(ImportedTask {
        id: given.id.parse().map_err(|_| wrong("/id", "this is no UUID".to_owned()))?,
        name: given.name,
        kind: given.kind.unwrap_or_default(),
        status: TaskStatus::parse(&given.status)
            .ok_or_else(|| wrong("/status", "this is no status of a task".to_owned()))?,
        created_at: time("creationTimestamp", &given.creation_timestamp)?,
        completed_at: given
            .completion_timestamp
            .as_deref()
            .map(|text| time("completionTimestamp", text))
            .transpose()?,
        resources,
        json,
    })
}

fn is_long(kind: &str) -> bool {
    kind.chars().nth(LONGEST_TYPE).is_some()
}
