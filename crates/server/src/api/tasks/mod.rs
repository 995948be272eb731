//! Tasks.

pub(crate) mod attempts;
pub(crate) mod cancel;
mod cursor;
pub(crate) mod feed;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod ids;
pub(crate) mod import;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod query;
pub(crate) mod release;
pub(crate) mod resolve;
pub(crate) mod retry;
pub(crate) mod settings;
pub(crate) mod skip;
pub(crate) mod submit;
pub(crate) mod task_events;
pub(crate) mod told;
pub(crate) mod view;
pub(crate) mod why;

use axum::response::Response;
use http::StatusCode;
use longhaul_engine::Stored;

use crate::access::Caller;
use crate::api::App;
use crate::respond;
use crate::wire::{self, Extras, Json, View};

/// Renders a task as JSON, with the members that a single task shows by default.
pub(crate) fn body(app: &App, caller: &Caller, task: &Stored) -> Vec<u8> {
    let wire = caller.wire();
    let view =
        if wire.extensions { View::extended(wire.status_style) } else { View::documented(wire.status_style) };
    let mut json = Json::new(2048);
    let extras = Extras { is_paused: app.engine.is_paused(), ..Extras::default() };
    wire::stored(&mut json, task, view, &extras);
    json.finish()
}

/// 200 with the task.
pub(crate) fn answer(app: &App, caller: &Caller, task: &Stored) -> Response {
    respond::json(StatusCode::OK, body(app, caller, task))
}
