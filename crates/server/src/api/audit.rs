//! `GET /v1/audit`: the audit log, newest first.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::{AuditEntry, AuditQuery};
use longhaul_model::Timestamp;

use crate::api::App;
use crate::error::ApiError;
use crate::request::{Paging, Parameters};
use crate::respond;
use crate::wire::{self, Json};

const DEFAULT_SIZE: u32 = 50;

/// A page of the audit log, and the exact total.
pub(crate) async fn list(State(app): State<App>, RawQuery(text): RawQuery) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(text.as_deref(), &app.config.limits)?;
    let Paging { number, size, offset } = Paging::read(&parameters, DEFAULT_SIZE)?;
    let text = |name: &str| parameters.get(name).map(str::to_owned);
    let query = AuditQuery {
        by: text("user"),
        action: text("action"),
        target: text("target"),
        accepted: outcome(&parameters)?,
        since: since(&parameters)?,
        offset,
        limit: size,
    };
    let page = app.engine.audit(query).await?;
    let body = wire::page(&page.entries, number, size, page.total, entry);
    Ok(respond::json(StatusCode::OK, body))
}

fn outcome(parameters: &Parameters) -> Result<Option<bool>, ApiError> {
    match parameters.get("outcome") {
        None => Ok(None),
        Some(text) if text.eq_ignore_ascii_case("accepted") => Ok(Some(true)),
        Some(text) if text.eq_ignore_ascii_case("refused") => Ok(Some(false)),
        Some(_) => Err(ApiError::parameter("outcome", "It takes ACCEPTED or REFUSED")),
    }
}

fn since(parameters: &Parameters) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = parameters.get("since") else { return Ok(None) };
    let at = text
        .parse()
        .map_err(|_| ApiError::parameter("since", "It takes an instant such as 2026-01-31T12:00:00.000Z"))?;
    Ok(Some(at))
}

fn entry(json: &mut Json, entry: &AuditEntry) {
    json.object(|json| {
        json.key("id").value(&entry.seq);
        json.key("timestamp").time(entry.at);
        json.key("user").value(&entry.by);
        if let Some(from) = &entry.from {
            json.key("from").value(from);
        }
        json.key("action").value(&entry.action);
        if let Some(target) = &entry.target {
            json.key("target").value(target);
        }
        if let Some(detail) = &entry.detail {
            json.key("detail").value(detail);
        }
        if let Some(reference) = &entry.reference {
            json.key("referenceToken").value(reference);
        }
        json.key("outcome").plain(if entry.accepted { "ACCEPTED" } else { "REFUSED" });
    });
}
