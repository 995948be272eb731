//! `GET /v1/credentials/tasks`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;

use crate::api::App;
use crate::error::ApiError;
use crate::request::{Parameters, whole_number};
use crate::respond;
use crate::wire;

/// Page size without a `limit`, and the largest with one: clients look for their task among all.
const MOST: u32 = 1000;

/// The newest credentials tasks.
pub(crate) async fn list(State(app): State<App>, RawQuery(text): RawQuery) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let limit =
        whole_number(&parameters, "limit")?.map_or(MOST, |limit| u32::try_from(limit).unwrap_or(MOST));
    let page = app.engine.credentials_tasks(limit.min(MOST)).await?;
    let size = u32::try_from(page.tasks.len()).unwrap_or(MOST);
    let body = wire::page(&page.tasks, 1, size, page.total, |json, task| {
        wire::credentials_task(json, task);
    });
    Ok(respond::json(StatusCode::OK, body))
}
