//! `POST /v1/workers/heartbeat`.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::{Beat, Beats, LeaseState};
use longhaul_model::Span;
use serde::Deserialize;

use super::spec::{self, LineSpec, MOST_LEASES, StageSpec};
use crate::access::Caller;
use crate::api::App;
use crate::error::ApiError;
use crate::request;
use crate::respond;
use crate::wire::Json;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeartbeatSpec {
    worker: String,
    leases: Vec<BeatSpec>,
    #[serde(default)]
    wait: Span,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeatSpec {
    lease: String,
    #[serde(default)]
    progress: Option<u8>,
    #[serde(default)]
    stages: Option<Vec<StageSpec>>,
    #[serde(default)]
    log: Vec<LineSpec>,
}

/// Leases last longer, and the worker learns how each stands.
pub(crate) async fn heartbeat(
    State(app): State<App>,
    caller: Caller,
    request: Request<Body>,
) -> Result<Response, ApiError> {
    let bytes = super::body(&app, request).await?;
    let given: HeartbeatSpec = request::parsed(&bytes)?;
    let worker = spec::worker(&given.worker, &caller)?;
    if given.leases.len() > MOST_LEASES {
        return Err(ApiError::field("/leases", "a heartbeat is for 1,024 leases at the most"));
    }
    let wait = spec::wait(given.wait, "/wait")?;
    caller.waits(wait)?;
    let names: Vec<String> = given.leases.iter().map(|one| one.lease.clone()).collect();
    let leases = given.leases.into_iter().enumerate().map(|(n, one)| beat(&app, n, one));
    let leases = leases.collect::<Result<Vec<_>, _>>()?;
    let states = app.engine.heartbeat(Beats { worker, leases, wait }).await?;
    let mut json = Json::new(64 + 96 * states.len());
    json.object(|json| {
        json.key("leases").list(names.iter().zip(states), |json, (name, state)| told(json, name, state));
    });
    Ok(respond::json(StatusCode::OK, json.finish()))
}

fn beat(app: &App, n: usize, given: BeatSpec) -> Result<Beat, ApiError> {
    let pointer = format!("/leases/{n}");
    if given.progress.is_some_and(|percent| percent > 100) {
        return Err(ApiError::field(&format!("{pointer}/progress"), "progress is a percentage, 0 to 100"));
    }
    let env = app.engine.env();
    Ok(Beat {
        lease: spec::lease(&given.lease, &pointer)?,
        progress: given.progress,
        stages: given.stages.map(|stages| spec::stages(stages, &pointer, env)).transpose()?,
        log: spec::lines(given.log, env),
    })
}

fn told(json: &mut Json, name: &str, state: LeaseState) {
    let (word, span) = match state {
        LeaseState::Live(span) => ("live", Some(span)),
        LeaseState::Cancelled(span) => ("cancelled", Some(span)),
        LeaseState::Lost => ("lost", None),
    };
    json.object(|json| {
        json.key("lease").value(name);
        json.key("state").plain(word);
        if let Some(span) = span {
            json.key("expiresInMs").value(&span.0);
        }
    });
}
