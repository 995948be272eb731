//! `GET /v1/resources/locks`: locks and slots of tasks, with those that wait.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::{Lock, LockQuery, Stored};

use crate::api::App;
use crate::error::ApiError;
use crate::request::{Paging, Parameters};
use crate::respond;
use crate::wire::{self, Json};

const DEFAULT_SIZE: u32 = 50;

/// Returns a page of locks and slots, in order of resource and arrival.
pub(crate) async fn list(State(app): State<App>, RawQuery(text): RawQuery) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let Paging { number, size, offset } = Paging::read(&parameters, DEFAULT_SIZE)?;
    let text = |name: &str| parameters.get(name).map(str::to_owned);
    let query = LockQuery { kind: text("resourceType"), name: text("resourceId"), offset, limit: size };
    let page = app.engine.locks(query).await?;
    let holders = page.locks.iter().filter(|lock| lock.held).map(|lock| lock.task).collect();
    let holders = app.engine.in_short(holders).await?;
    let body = wire::page(&page.locks, number, size, page.total, |json, lock| {
        json.object(|json| write(json, lock, holders.get(&lock.task)));
    });
    Ok(respond::json(StatusCode::OK, body))
}

/// Writes one lock, with the status of its holder.
fn write(json: &mut Json, lock: &Lock, holder: Option<&Stored>) {
    wire::lock(json, lock);
    let Some(Stored::Own(record)) = holder else { return };
    json.key("taskStatus").plain(record.state.status.constant());
    if record.awaits_decision() {
        json.key("awaitsDecision").value(&true);
    }
}
