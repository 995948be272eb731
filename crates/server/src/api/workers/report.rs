//! `POST /v1/workers/complete` and `/fail`: one body for both.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::{Ending, Recorded, WorkerReport};
use longhaul_model::{Env, Failure, Fault};
use serde::Deserialize;
use serde_json::Value;

use super::lease::members;
use super::spec::{self, ErrorSpec, LineSpec, MOST_LEASES, NextSpec};
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request;
use crate::respond;
use crate::wire::Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportSpec {
    worker: String,
    #[serde(default)]
    completed: Vec<CompletedSpec>,
    #[serde(default)]
    failed: Vec<FailedSpec>,
    #[serde(default)]
    released: Vec<ReleasedSpec>,
    #[serde(default)]
    next: Option<NextSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CompletedSpec {
    lease: String,
    #[serde(default)]
    output: Option<Value>,
    #[serde(default)]
    log: Vec<LineSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FailedSpec {
    lease: String,
    error: ErrorSpec,
    #[serde(default = "yes")]
    retryable: bool,
    #[serde(default)]
    outcome_unknown: bool,
    #[serde(default)]
    abandoned: bool,
    #[serde(default)]
    log: Vec<LineSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleasedSpec {
    lease: String,
}

impl FailedSpec {
    fn ending(self, pointer: &str) -> Result<(String, Ending, Vec<LineSpec>), ApiError> {
        let fault = self.error.fault(pointer)?;
        let failure = match (self.abandoned, self.outcome_unknown) {
            (true, _) => Failure::Abandoned { fault },
            (false, true) => Failure::Unknown { fault },
            (false, false) => Failure::Error { fault, retryable: self.retryable },
        };
        Ok((self.lease, Ending::Failed(failure), self.log))
    }
}

fn yes() -> bool {
    true
}

/// Records the results of attempts, and leases the next.
pub(crate) async fn report(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = super::body(&app, request).await?;
    let mut given: ReportSpec = request::parsed(&bytes)?;
    let worker = spec::worker(&given.worker, &caller)?;
    let mut next = given.next.take().map(|next| next.ask(worker.clone(), &caller, "/next")).transpose()?;
    if let Some(ask) = next.as_mut().filter(|ask| caller.waits(ask.wait).is_err()) {
        // The reports count all the same.
        ask.wait = Duration::ZERO;
    }
    let (names, reports) = reports(given, app.engine.env())?;
    if reports.len() > MOST_LEASES {
        return Err(ApiError::bad("INVALID_REQUEST", "a call reports 1,024 attempts at the most"));
    }
    let asks = next.is_some();
    let (recorded, assigned) = app.engine.report(worker, reports, next).await?;
    if !asks && !recorded.is_empty() && recorded.iter().all(|one| *one == Recorded::Lost) {
        let fault = lost().argument(names.join(", "));
        return Err(ApiError::new(StatusCode::CONFLICT, fault));
    }
    let mut json = Json::new(128 + 64 * names.len() + 512 * assigned.leases.len());
    json.object(|json| {
        json.key("results").list(names.iter().zip(&recorded), |json, (name, one)| result(json, name, one));
        members(json, &assigned);
    });
    Ok(respond::json(StatusCode::OK, json.finish()))
}

fn reports(given: ReportSpec, env: &Env) -> Result<(Vec<String>, Vec<WorkerReport>), ApiError> {
    let most = given.completed.len() + given.failed.len() + given.released.len();
    let (mut names, mut reports) = (Vec::with_capacity(most), Vec::with_capacity(most));
    let mut add = |name: String, pointer: String, ending: Ending, log: Vec<LineSpec>| {
        let lease = spec::lease(&name, &pointer)?;
        reports.push(WorkerReport { lease, ending, log: spec::lines(log, env) });
        names.push(name);
        Ok::<(), ApiError>(())
    };
    for (n, one) in given.completed.into_iter().enumerate() {
        add(one.lease, format!("/completed/{n}"), Ending::Completed { output: one.output }, one.log)?;
    }
    for (n, one) in given.failed.into_iter().enumerate() {
        let pointer = format!("/failed/{n}");
        let (lease, ending, log) = one.ending(&pointer)?;
        add(lease, pointer, ending, log)?;
    }
    for (n, one) in given.released.into_iter().enumerate() {
        add(one.lease, format!("/released/{n}"), Ending::Released, Vec::new())?;
    }
    Ok((names, reports))
}

fn result(json: &mut Json, name: &str, recorded: &Recorded) {
    let (status, fault) = match recorded {
        Recorded::Yes => (200, None),
        Recorded::Lost => (409, Some(lost())),
        Recorded::TooLarge(size) => {
            let message =
                format!("the output is {size} bytes of JSON as it is stored, and 1 MiB is the most");
            let fault = Fault::new("OUTPUT_TOO_LARGE", message);
            (413, Some(fault.remedy("Report less, or a failure; the lease lives on")))
        }
        Recorded::Unreadable(why) => {
            let message = format!("nothing of the report is kept, as the task cannot be read: {why}");
            let remedy = "Stop the work: an operator ends the task, with `longhaul task cancel`";
            (409, Some(Fault::new("TASK_UNREADABLE", message).remedy(remedy)))
        }
    };
    json.object(|json| {
        json.key("lease").value(name);
        json.key("status").value(&status);
        if let Some(fault) = &fault {
            json.key("error").value(fault);
        }
    });
}

fn lost() -> Fault {
    Fault::new("LEASE_LOST", "the lease is not this worker's live one; nothing changed")
        .remedy("Stop the work: it expired, its time was over, or the task went on without it")
}
