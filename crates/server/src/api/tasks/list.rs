//! `GET /v1/tasks`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use super::{query, view};
use crate::api::App;
use crate::error::ApiError;
use crate::request::Parameters;
use crate::respond;
use crate::wire::{self, Extras};

/// A page of tasks and the exact total.
pub(crate) async fn list(State(app): State<App>, RawQuery(text): RawQuery) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let asked = query::read(&parameters, &app.config.wire)?;
    let shown = view::shown(&parameters, &app.config.wire, true)?;
    let page = app.engine.list(asked.query).await?;
    let total = asked.cap.map_or(page.total, |cap| page.total.min(cap));
    let extras = Extras::default();
    let body = wire::page(&page.tasks, asked.number, asked.size, total, |json, task| {
        wire::stored(json, task, shown.view, &extras);
    });
    Ok(respond::json(StatusCode::OK, body))
}
