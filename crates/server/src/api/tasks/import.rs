//! `POST /v1/tasks/import`: tasks as a Tasks API returned them, kept to the letter.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::ImportedTask;
use longhaul_model::{Resource, TaskStatus, Timestamp};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, unsaid};
use crate::respond;

/// What a task is found by; everything else is only kept.
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
struct PageIn<'a> {
    #[serde(borrow)]
    elements: Option<Vec<&'a RawValue>>,
}

/// Takes in one task, a list of them, or a page; all or none.
pub(crate) async fn import(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.import).await?;
    // Megabytes of JSON take long enough to hold up others.
    let tasks = tokio::task::spawn_blocking(move || tasks(&bytes));
    let tasks = tasks.await.map_err(|e| ApiError::internal(e.to_string()))??;
    let outcome = app.engine.import(tasks, caller.audit()).await?;
    let body = json!({ "imported": outcome.imported, "replaced": outcome.replaced, "kept": outcome.kept });
    Ok(respond::value(StatusCode::OK, &body))
}

fn tasks(bytes: &[u8]) -> Result<Vec<ImportedTask>, ApiError> {
    let tasks = elements(bytes)?.into_iter().enumerate().map(|(n, raw)| {
        task(raw).map_err(|message| {
            ApiError::field(&format!("/elements/{n}"), format!("task {}: {message}", n + 1))
        })
    });
    tasks.collect()
}

/// The JSON of each task that would be kept, or why none would be.
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

fn task(raw: &RawValue) -> Result<ImportedTask, String> {
    let given: TaskIn = serde_json::from_str(raw.get()).map_err(|e| unsaid(&e))?;
    let time = |name: &str, text: &str| text.parse::<Timestamp>().map_err(|e| format!("{name}: {e}"));
    Ok(ImportedTask {
        id: given.id.parse().map_err(|_| "id: this is no UUID".to_owned())?,
        name: given.name,
        kind: given.kind.unwrap_or_default(),
        status: TaskStatus::parse(&given.status)
            .ok_or_else(|| "status: this is no status of a task".to_owned())?,
        created_at: time("creationTimestamp", &given.creation_timestamp)?,
        completed_at: given
            .completion_timestamp
            .as_deref()
            .map(|text| time("completionTimestamp", text))
            .transpose()?,
        resources: given.resources.unwrap_or_default(),
        json: minified(raw.get()),
    })
}

/// The same JSON without the white space between its tokens.
fn minified(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted {
            out.push(c);
            (quoted, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if !c.is_ascii_whitespace() {
            out.push(c);
            quoted = c == '"';
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::minified;

    #[test]
    fn minified_text_is_the_same_json() {
        let text = "{ \"a\\\" b\" : [ 1.50 , \"x \\\\\" ] ,\n\t\"c\" : \"\\u0026 \\\\u0026\" }";
        assert_eq!(minified(text), "{\"a\\\" b\":[1.50,\"x \\\\\"],\"c\":\"\\u0026 \\\\u0026\"}");
    }
}
