//! `POST /v1/tasks/{id}/resolve`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::Request;
use longhaul_engine::{Audit, Several, VerdictRequest};
use longhaul_model::Decided;
use serde::Deserialize;
use serde_json::Value;

use super::answer;
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{self, Id, Parameters};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResolveBody {
    reason: String,
    sub_task: Option<String>,
    sub_tasks: Option<Vec<String>>,
    #[serde(default)]
    all: bool,
    outcome: Option<OutcomeBody>,
    output: Option<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum OutcomeBody {
    Done,
    NotDone,
    Failed,
    Skipped,
}

/// Maximum number of sub-tasks that one call may name.
const MOST_NAMED: usize = 10_000;

/// Marks a failure as dealt with; with a sub-task and its outcome, the task goes on.
pub(crate) async fn resolve(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = request::json_body(request, &app.config.limits, app.config.limits.body).await?;
    let given: ResolveBody = request::parsed(&bytes)?;
    let reason = reason(&given.reason)?.to_owned();
    let of_one = matches!(given.outcome, None | Some(OutcomeBody::Done | OutcomeBody::NotDone));
    if given.all || given.sub_tasks.is_some() || !of_one {
        let (several, what) = several(given)?;
        let task = app.engine.decide(id, several, what, &reason, caller.audit()).await?;
        return Ok(answer(&app, &caller, &task));
    }
    let verdict = match (given.sub_task, given.outcome) {
        (Some(sub_task), Some(outcome)) => {
            let done = outcome == OutcomeBody::Done;
            if given.output.is_some() && !done {
                return Err(ApiError::field("/output", "output: only with the outcome `done`"));
            }
            Some(VerdictRequest { sub_task, done, output: given.output })
        }
        (None, None) if given.output.is_none() => None,
        (None, _) => {
            return Err(ApiError::field("/subTask", "subTask: name the sub-task whose outcome this is"));
        }
        (Some(_), None) => {
            return Err(ApiError::field(
                "/outcome",
                "outcome: say `done`, `notDone`, `failed` or `skipped` of the sub-task",
            ));
        }
    };
    let task = app.engine.resolve(id, &reason, verdict, caller.audit()).await?;
    Ok(answer(&app, &caller, &task))
}

/// Reads which sub-tasks get the same verdict, and the verdict.
fn several(given: ResolveBody) -> Result<(Several, Decided), ApiError> {
    let ResolveBody { sub_task, sub_tasks, all, outcome, output, .. } = given;
    if output.is_some() {
        return Err(ApiError::field("/output", "output: only for one sub-task, with the outcome `done`"));
    }
    let what = match outcome {
        Some(OutcomeBody::Done) => Decided::Done,
        Some(OutcomeBody::NotDone) => Decided::NotDone,
        Some(OutcomeBody::Failed) => Decided::Failed,
        Some(OutcomeBody::Skipped) => Decided::Skipped,
        None => {
            return Err(ApiError::field(
                "/outcome",
                "outcome: say `done`, `notDone`, `failed` or `skipped` of them",
            ));
        }
    };
    let several = match (all, sub_task, sub_tasks) {
        (true, parent, None) => Several::All(parent),
        (false, None, Some(names)) if (1..=MOST_NAMED).contains(&names.len()) => Several::Named(names),
        (false, Some(name), None) => Several::Named(vec![name]),
        (false, None, _) => {
            return Err(ApiError::field("/subTasks", "subTasks: name 1 to 10,000 sub-tasks, or write `all`"));
        }
        (true, _, Some(_)) | (false, Some(_), Some(_)) => {
            return Err(ApiError::field("/subTasks", "subTasks: not beside `all` or `subTask`"));
        }
    };
    Ok((several, what))
}

/// Adds the reason from the query of a call whose body is ignored, if it has one, to the audit entry.
pub(crate) fn because(audit: Audit, app: &App, query: Option<&str>) -> Result<Audit, ApiError> {
    let parameters = Parameters::parse(query, &app.config.limits)?;
    let Some(given) = parameters.get("reason") else { return Ok(audit) };
    let allowed = "It takes 1 to 1,000 characters, not only spaces";
    let said = reason(given).map_err(|_| ApiError::parameter("reason", allowed))?;
    Ok(audit.detail(said))
}

/// Checks that a reason is not blank.
pub(crate) fn reason(text: &str) -> Result<&str, ApiError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 1000 {
        return Err(ApiError::field("/reason", "reason: 1 to 1,000 characters, not only spaces"));
    }
    Ok(text)
}
