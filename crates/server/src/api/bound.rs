//! Requests that no route of the server answers: a workflow's `route:` may, with 202 and a task.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use longhaul_engine::SubmitRequest;
use longhaul_model::workflow::{Definition, QueryError, QueryMistake};
use serde_json::Value;

use super::App;
use super::tasks::submit::{KeyText, accept, span_of_caller, wait};
use crate::access::Role;
use crate::access::{Gate, Peer};
use crate::error::{ApiError, shortened};
use crate::request::{self, Parameters, decoded};

/// Methods that a workflow can be bound to.
const METHODS: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// Action of all of them in the audit log: a task is started.
const ACTION: &str = "startTask";

/// Starts the task of a bound workflow: the body and the path's parameters are its input.
pub(crate) async fn bound(State(app): State<App>, request: Request<Body>) -> Result<Response, ApiError> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // First of all: without a credential nobody learns which paths there are.
    let gate = Gate { app: app.clone(), action: ACTION, role: Role::Known, counts: true };
    let peer = request.extensions().get::<Peer>().copied();
    let caller = gate.admit(&method, request.headers(), peer).await?;
    let Some((workflow, parameters)) = app.engine.route(method.as_str(), &path) else {
        let others = METHODS.into_iter().filter(|other| app.engine.route(other, &path).is_some());
        let others: Vec<&str> = others.collect();
        return Err(match others.as_slice() {
            [] => ApiError::unknown_route(&method, &path),
            others => ApiError::wrong_method(&method, &path, &others.join(", ")),
        });
    };
    gate.require(&caller, Role::Operator).await?;
    let query = Parameters::parse(request.uri().query(), &app.config.limits)?;
    let (key, wait) = (KeyText::of(request.headers())?, wait(&app, request.uri())?);
    let traced = span_of_caller(request.headers());
    caller.waits(wait.unwrap_or_default())?;
    let body = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let input = given(&body, &workflow.definition)?;
    let mut input = workflow.definition.with_query(input, query.pairs()).map_err(in_query)?;
    for (name, text) in parameters {
        let text = decoded(&text)?;
        // An input that is not an object has no place for them, of which `lint` warned.
        if let Value::Object(members) = &mut input {
            members.insert(name, Value::String(text));
        }
    }
    let taken = workflow.definition.query.as_deref().unwrap_or_default();
    let call = called(&format!("{method} {path}"), taken, &query);
    let submit = SubmitRequest {
        workflow: workflow.definition.name.clone(),
        version: Some(workflow.version),
        input,
        name: None,
        not_before: None,
        labels: Default::default(),
        audit: Some(caller.audit()),
        key: key.map(|key| key.with(&app, &caller, &call, &body)),
        room: Some(body.into_room()),
        caller: traced,
    };
    let accepted = accept(&app, &caller, submit, wait).await;
    accepted.map_err(|e| {
        let given = |name: &&String| query.pairs().iter().any(|(known, _)| known == *name);
        e.in_query(taken.iter().filter(given)).in_body(workflow.definition.body.as_deref())
    })
}

/// A call as a repeat of it is known by: with the parameters that it gave to the input, by name.
fn called(call: &str, taken: &[String], query: &Parameters) -> String {
    let mut pairs: Vec<_> = query.pairs().iter().filter(|(name, _)| taken.contains(name)).collect();
    // The order among those of one name is that of a list.
    pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
    pairs.into_iter().fold(call.to_owned(), |call, pair| format!("{call} {pair:?}"))
}

/// The refusal of a parameter of the query.
fn in_query(e: QueryError) -> ApiError {
    let shown = shortened(&e.parameter);
    let (said, remedy) = match e.kind {
        QueryMistake::Type(wanted) => return ApiError::parameter(&shown, &format!("It takes {wanted}")),
        QueryMistake::Unknown(known) if known.is_empty() => {
            ("is none of this call", "Leave it out: the call takes none".to_owned())
        }
        QueryMistake::Unknown(known) => {
            ("is none of this call", format!("Leave it out: the call takes {}", known.join(", ")))
        }
        QueryMistake::Repeated => ("is there several times", "Give it once: it is no list".to_owned()),
        QueryMistake::Missing => ("is missing", format!("Add `{shown}=` with a value to the query")),
        QueryMistake::InBody => ("is in the body, too", "Give it in one of the two".to_owned()),
        QueryMistake::NoObject => {
            ("has no place beside a body that is no object", "Leave it out, or send an object".to_owned())
        }
    };
    ApiError::about_parameter(&shown, format!("the query parameter `{shown}` {said}")).remedy(remedy)
}

/// Reads a body as the input. An absent body, `null` and an empty object are the same: clients send any of
/// them.
fn given(body: &[u8], definition: &Definition) -> Result<Value, ApiError> {
    let body: Value = if body.trim_ascii().is_empty() { Value::Null } else { request::any(body)? };
    definition.input_of(body).map_err(|kind| {
        ApiError::field("", format!("the body must be a JSON object, and it is a {kind}"))
            .remedy("Send an object; the workflow's `body` says where a body of another type goes")
    })
}
