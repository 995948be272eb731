//! `POST /v1/workers/heartbeat`: for many leases at once, each of which is judged alone. A mistake in one
//! entry is named beside it, and costs no other lease its life.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{Request, StatusCode};
use longhaul_engine::{Beat, Beats, LeaseState};
use longhaul_model::{Fault, Span};
use serde::Deserialize;
use serde_json::value::RawValue;

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
    leases: Vec<Box<RawValue>>,
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

/// Extends leases, and answers with the state of each.
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
    let read: Vec<Read> = given.leases.iter().enumerate().map(|(n, one)| read(&app, n, one)).collect();
    let leases = read.iter().filter_map(|one| one.beat.clone()).collect();
    let mut states = app.engine.heartbeat(Beats { worker, leases, wait }).await?.into_iter();
    let mut json = Json::new(64 + 96 * read.len());
    json.object(|json| {
        json.key("leases").list(read, |json, one| {
            let state = one.beat.as_ref().and_then(|_| states.next()).unwrap_or(LeaseState::Lost);
            told(json, &one.name, state, one.wrong.as_ref());
        });
    });
    Ok(respond::json(StatusCode::OK, json.finish()))
}

/// Entry of a heartbeat, as far as it can be read.
struct Read {
    /// The lease as it was written.
    name: String,
    /// Heartbeat of the lease; `None` if the entry names no lease. If other members are wrong, only the
    /// extension counts.
    beat: Option<Beat>,
    /// The problem with the entry, if there is one.
    wrong: Option<Fault>,
}

fn read(app: &App, n: usize, given: &RawValue) -> Read {
    #[derive(Deserialize)]
    struct Named {
        lease: String,
    }
    let name = serde_json::from_str(given.get()).map_or_else(|_| String::new(), |Named { lease }| lease);
    let pointer = format!("/leases/{n}");
    let whole = request::parsed::<BeatSpec>(given.get().as_bytes()).map_err(|e| e.below(&pointer));
    match whole.and_then(|spec| beat(app, &pointer, spec)) {
        Ok(beat) => Read { name, beat: Some(beat), wrong: None },
        Err(e) => {
            let plain = |lease| Beat { lease, progress: None, stages: None, log: Vec::new() };
            Read { beat: name.parse().ok().map(plain), name, wrong: Some(*e.fault) }
        }
    }
}

fn beat(app: &App, pointer: &str, given: BeatSpec) -> Result<Beat, ApiError> {
    if given.progress.is_some_and(|percent| percent > 100) {
        return Err(ApiError::field(&format!("{pointer}/progress"), "progress is a percentage, 0 to 100"));
    }
    let env = app.engine.env();
    Ok(Beat {
        lease: spec::lease(&given.lease, pointer)?,
        progress: given.progress,
        stages: given.stages.map(|stages| spec::stages(stages, pointer, env)).transpose()?,
        log: spec::lines(given.log, env),
    })
}

fn told(json: &mut Json, name: &str, state: LeaseState, wrong: Option<&Fault>) {
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
        if let Some(fault) = wrong {
            json.key("error").value(fault);
        }
    });
}
