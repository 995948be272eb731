//! `GET /v1/tasks/{id}/logs`: logs of sub-tasks, in pages that can be followed while they run.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::{LogChunk, LogQuery, LogStream, Stored};

use super::view;
use crate::api::App;
use crate::error::ApiError;
use crate::request::{Id, Parameters};
use crate::respond;
use crate::wire::Json;

const USUAL: usize = 1_000;
const MOST: usize = 10_000;

/// Lines of a task's log.
pub(crate) async fn logs(
    State(app): State<App>,
    Id(id): Id,
    RawQuery(text): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let Stored::Own(record) = app.engine.get(id)? else {
        return Ok(respond::json(StatusCode::OK, r#"{"lines":[],"next":0}"#));
    };
    let after =
        match parameters.get("after") {
            None => 0,
            Some(text) => text.parse().ok().filter(|n| *n <= i64::MAX as u64).ok_or_else(|| {
                ApiError::parameter("after", "It takes the `next` of the page before, or 0")
            })?,
        };
    let limit = match parameters.get("limit") {
        None => USUAL,
        Some(text) => text
            .parse()
            .ok()
            .filter(|n| (1..=MOST).contains(n))
            .ok_or_else(|| ApiError::parameter("limit", "It takes 1 to 10000"))?,
    };
    let sub_task = match parameters.get("subTask") {
        None => None,
        Some(name) => Some(
            record
                .find_sub_task(name)
                .ok_or_else(|| longhaul_engine::EngineError::no_sub_task(&record, name.to_owned()))?,
        ),
    };
    let wait = view::wait(&parameters)?.unwrap_or_default();
    let chunks = app.engine.logs(id, LogQuery { after, sub_task, limit }, wait).await?;
    // Read again: under `forEach` sub-tasks may have been added since.
    let Stored::Own(record) = app.engine.get(id)? else {
        return Ok(respond::json(StatusCode::OK, r#"{"lines":[],"next":0}"#));
    };
    // A chunk of a sub-task that does not exist is damage, and costs the others nothing.
    let known = |chunk: &&LogChunk| (chunk.sub_task as usize) < record.sub_tasks.len();
    let lines =
        chunks.iter().filter(known).flat_map(numbered).filter(|(number, ..)| *number > after).take(limit);
    let mut next = after;
    let mut json = Json::new(4096);
    json.object(|json| {
        json.key("lines").list(lines, |json, (number, chunk, line)| {
            next = number;
            json.object(|json| {
                json.key("number").value(&number);
                json.key("timestamp").time(line.at);
                json.key("subTask").value(record.sub_task_name(chunk.sub_task));
                json.key("attempt").value(&chunk.attempt);
                json.key("stream").plain(match line.stream {
                    LogStream::Out => "stdout",
                    LogStream::Err => "stderr",
                });
                json.key("text").value(&line.text);
            });
        });
        json.key("next").value(&next);
    });
    Ok(respond::json(StatusCode::OK, json.finish()))
}

fn numbered(chunk: &LogChunk) -> impl Iterator<Item = (u64, &LogChunk, &longhaul_engine::LogLine)> {
    (chunk.number..).zip(&chunk.lines).map(move |(number, line)| (number, chunk, line))
}
