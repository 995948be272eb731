//! `GET /v1/nodes`: nodes, with those that were lost.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::{KnownNode, NodeState};

use crate::api::App;
use crate::error::ApiError;
use crate::respond;
use crate::wire::{self, Json};

/// Returns all nodes, by name; a server on its own files is the only one.
pub(crate) async fn list(State(app): State<App>) -> Result<Response, ApiError> {
    let mut nodes = app.engine.nodes().await?;
    if nodes.is_empty() {
        let (node, seen_at) = ((*app.node).clone(), app.engine.env().now());
        nodes.push(KnownNode { node, state: NodeState::Active, seen_at });
    }
    let count = nodes.len();
    let body = wire::page(&nodes, 1, u32::try_from(count).unwrap_or(u32::MAX), count as u64, write);
    Ok(respond::json(StatusCode::OK, body))
}

fn write(json: &mut Json, known: &KnownNode) {
    json.object(|json| {
        json.key("name").value(&known.node.name);
        json.key("state").plain(match known.state {
            NodeState::Active => "ACTIVE",
            NodeState::Silent => "SILENT",
        });
        json.key("address").value(&known.node.address);
        json.key("version").value(&known.node.version);
        json.key("startTimestamp").time(known.node.started_at);
        json.key("seenTimestamp").time(known.seen_at);
    });
}
