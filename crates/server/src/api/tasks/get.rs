//! `GET /v1/tasks/{id}`.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{self, HeaderValue};
use longhaul_engine::Stored;
use longhaul_model::workflow::CompiledAction;
use longhaul_model::{StatusStyle, TaskId, TaskStatus, WaitingFor};

use super::view::{self, Shown};
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{Id, IfNoneMatch, Parameters};
use crate::respond;
use crate::wire::{self, Extras, Json};

/// Returns one task; with `wait`, as soon as it has ended or the time is over.
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Id(id): Id,
    RawQuery(text): RawQuery,
    known: IfNoneMatch,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let shown = view::shown(&parameters, caller.wire(), false)?;
    let task = match view::wait(&parameters)? {
        None => app.engine.get(id)?,
        Some(limit) => {
            caller.waits(limit)?;
            app.engine.wait(id, limit).await?
        }
    };
    let tag = tag(&task, &shown, app.engine.is_paused());
    if known.has(&tag) {
        return Ok(tagged(respond::empty(StatusCode::NOT_MODIFIED), &tag));
    }
    let extras = extras(&app, &task, &shown).await?;
    let mut json = Json::new(2048);
    wire::stored(&mut json, &task, shown.view, &extras);
    Ok(tagged(respond::json(StatusCode::OK, json.finish()), &tag))
}

/// Returns a task as it is now.
pub(super) async fn body(app: &App, id: TaskId, shown: &Shown) -> Result<Vec<u8>, ApiError> {
    let task = app.engine.get(id)?;
    let extras = extras(app, &task, shown).await?;
    let mut json = Json::new(2048);
    wire::stored(&mut json, &task, shown.view, &extras);
    Ok(json.finish())
}

async fn extras(app: &App, task: &Stored, shown: &Shown) -> Result<Extras, ApiError> {
    let mut extras = Extras { is_paused: app.engine.is_paused(), ..Extras::default() };
    let Stored::Own(record) = task else { return Ok(extras) };
    if shown.input || shown.labels {
        let spec = app.engine.spec(record).await?;
        extras.input = spec.clone().filter(|_| shown.input);
        extras.labels = spec.filter(|_| shown.labels);
    }
    if shown.view.waiting_for {
        match app.engine.waiting_for(record) {
            Some(WaitingFor::Lock) => extras.locks = app.engine.blockers(task.id()).await?,
            Some(WaitingFor::Worker(index, _)) => {
                if let CompiledAction::Worker(work) = &record.definition(index).action {
                    extras.workers = Some(app.engine.serving(&work.queue));
                }
            }
            Some(WaitingFor::Capacity(..)) => extras.limit = Some(app.engine.line().most),
            _ => {}
        }
    }
    if shown.outputs {
        extras.outputs = Some(app.engine.outputs(task.id()).await?);
    }
    Ok(extras)
}

/// Tag of the shown task, which changes whenever the task may have changed: its revision, and the members
/// that are shown; a server that is paused shows other ones.
fn tag(task: &Stored, shown: &Shown, is_paused: bool) -> String {
    match task {
        Stored::Own(record) => {
            let view = &shown.view;
            let bits = [
                view.summary,
                view.progress,
                view.waiting_for,
                view.workflow,
                view.attempt,
                view.version,
                view.sub_tasks,
                view.style == StatusStyle::Constant,
                shown.input,
                shown.labels,
                shown.outputs,
                is_paused,
            ];
            let bits = bits.iter().fold(0_u32, |all, bit| all << 1 | u32::from(*bit));
            format!("\"{}-{bits:x}\"", record.state.revision)
        }
        Stored::Damaged(damaged) => {
            let mut hasher = DefaultHasher::new();
            (&damaged.why, damaged.status.map(TaskStatus::code)).hash(&mut hasher);
            format!("\"d{:x}\"", hasher.finish())
        }
        Stored::Imported { json, .. } => {
            let mut hasher = DefaultHasher::new();
            json.hash(&mut hasher);
            format!("\"i{:x}\"", hasher.finish())
        }
    }
}

fn tagged(mut response: Response, tag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}
