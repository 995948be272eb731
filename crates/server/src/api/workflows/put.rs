//! `PUT /v1/workflows/{name}`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_model::workflow::Definition;
use serde_json::{Value, json};

use super::whole;
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Named};
use crate::respond;

/// 201 for a new version, 200 when the newest is the same.
pub(crate) async fn put(
    State(app): State<App>,
    caller: Caller,
    path: Named,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let definition = read(&bytes).map_err(|e| {
        e.remedy("`longhaul workflow schema` prints what a definition may hold; `longhaul workflow lint` shows the lines")
    })?;
    if definition.name != path.get("name") {
        let message =
            format!("name: the path says `{}`, the definition `{}`", path.get("name"), definition.name);
        return Err(ApiError::field("/name", message));
    }
    let put = app.engine.put_workflow(definition, caller.audit()).await?;
    let status = if put.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(respond::json(status, whole(&app, &caller, &put.workflow)?))
}

/// Reads a definition; a mistake of its shape has its pointer.
fn read(bytes: &[u8]) -> Result<Definition, ApiError> {
    let definition: Definition = request::parsed(bytes).map_err(|mut e| {
        if e.fault.error_code == "INVALID_REQUEST" {
            "WORKFLOW_INVALID".clone_into(&mut e.fault.error_code);
        }
        e
    })?;
    // The deserializer accepts a list for the members of an object, in the order of our code: nobody means
    // that.
    let (given, own) = (request::any::<Value>(bytes)?, json!(definition));
    if let Some(pointer) = list_for_object(&given, &own) {
        let mut e =
            ApiError::field(&pointer, format!("{pointer}: there must be an object, and there is a list"));
        "WORKFLOW_INVALID".clone_into(&mut e.fault.error_code);
        return Err(e);
    }
    Ok(definition)
}

/// Pointer to a list that stands for an object, if there is one.
fn list_for_object(given: &Value, own: &Value) -> Option<String> {
    let inside = |name: &str, given, own| {
        let name = name.replace('~', "~0").replace('/', "~1");
        list_for_object(given, own).map(|rest| format!("/{name}{rest}"))
    };
    match (given, own) {
        (Value::Array(_), Value::Object(_)) => Some(String::new()),
        (Value::Array(given), Value::Array(own)) => {
            given.iter().zip(own).enumerate().find_map(|(n, (given, own))| inside(&n.to_string(), given, own))
        }
        (Value::Object(given), Value::Object(own)) => {
            given.iter().find_map(|(name, given)| inside(name, given, own.get(name)?))
        }
        _ => None,
    }
}
