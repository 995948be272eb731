//! `GET /v1/tasks`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::{Damaged, EngineError, Stored, TaskQuery};

use super::{query, view};
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request::Parameters;
use crate::respond;
use crate::wire::{self, Extras};

/// Maximum number of children of `forEach` sub-tasks in one page.
const MOST_CHILDREN: u32 = 1_000;

/// A page of tasks and the exact total.
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    RawQuery(text): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let asked = query::read(&parameters, caller.wire())?;
    let shown = view::shown(&parameters, caller.wire(), true)?;
    let children = if shown.children { MOST_CHILDREN } else { 0 };
    let (tasks, total) = rows(&app, TaskQuery { children, ..asked.query }, shown.labels).await?;
    let total = asked.cap.map_or(total, |cap| total.min(cap));
    let body = wire::page(&tasks, asked.number, asked.size, total, |json, (task, extras)| {
        wire::stored(json, task, shown.view, extras);
    });
    Ok(respond::json(StatusCode::OK, body))
}

/// Returns the tasks of a page, with their labels if these are asked for, and the exact total.
pub(super) async fn rows(
    app: &App,
    query: TaskQuery,
    labels: bool,
) -> Result<(Vec<(Stored, Extras)>, u64), ApiError> {
    let page = app.engine.list(query).await?;
    let mut tasks = Vec::with_capacity(page.tasks.len());
    for mut task in page.tasks {
        let mut extras = Extras { is_paused: app.engine.is_paused(), ..Extras::default() };
        if let (true, Stored::Own(record)) = (labels, &task) {
            match app.engine.spec(record).await {
                // It costs its own place in the list only.
                Err(EngineError::Unreadable { why, .. }) => {
                    task = Stored::Damaged(Box::new(Damaged::beside(record, why)));
                }
                spec => extras.labels = spec?,
            }
        }
        tasks.push((task, extras));
    }
    Ok((tasks, page.total))
}
