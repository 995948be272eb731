//! `GET /v1/task-ids/{part}`: tasks by the beginning or the end of their ID, as people write it.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::api::App;
use crate::error::ApiError;
use crate::request::Named;
use crate::respond;
use crate::wire::{self, Extras, View};

/// Page size that shows an ambiguous prefix: one more than anybody reads, so that a full page asks for more
/// digits.
const MOST: u32 = 11;

/// Returns the matching tasks, without sub-tasks; several if the part is ambiguous.
pub(crate) async fn ids(State(app): State<App>, names: Named) -> Result<Response, ApiError> {
    let digits: String =
        names.get("part").chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    if !(4..=32).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let allowed =
            "It takes 4 to 32 hexadecimal digits, the first or the last ones of an ID; hyphens are ignored";
        return Err(ApiError::parameter("part", allowed));
    }
    let tasks = app.engine.tasks_like(digits, MOST).await?;
    let view = View { summary: true, ..View::documented(app.dialects.common().status_style) };
    let body = wire::page(&tasks, 1, MOST, tasks.len() as u64, |json, task| {
        wire::stored(json, task, view, &Extras::default());
    });
    Ok(respond::json(StatusCode::OK, body))
}
