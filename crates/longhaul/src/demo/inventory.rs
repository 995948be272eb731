//! Inventory service of the demonstration, on this machine, for the workflow that does real work: it answers
//! over HTTP in the place of a data centre.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{self, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Hosts of the inventory.
const HOSTS: [(&str, &str, &str); 3] = [
    ("e43b90cd-e635-4f30-ae49-5d3e72d15212", "sfo01-m01-esx01.rainpole.io", "ASSIGNED"),
    ("a7dd8cbf-7afa-4cd6-9b85-05c5a61c007e", "sfo01-m01-esx02.rainpole.io", "ASSIGNED"),
    ("d74692f3-27da-468e-b3a7-bfc37c1d7d87", "sfo01-m01-esx03.rainpole.io", "UNASSIGNED_USEABLE"),
];

/// Starts the service on a free port of the loopback interface; it ends with the process. The port is kept
/// with the data, so that tasks which were given it find the service again after a restart.
pub(super) async fn start(data_dir: &Path) -> std::io::Result<SocketAddr> {
    let memory = data_dir.join("demo-inventory-port");
    let before = std::fs::read_to_string(&memory).ok().and_then(|text| text.trim().parse::<u16>().ok());
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, before.unwrap_or(0))).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
    };
    let address = listener.local_addr()?;
    std::fs::create_dir_all(data_dir)?;
    std::fs::write(&memory, address.port().to_string())?;
    let reports = Arc::new(AtomicU64::new(0));
    let service = Router::new()
        .route("/hosts", get(hosts))
        .route("/hosts/{id}", get(host))
        .route("/reports", post(report))
        .with_state(reports);
    tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, service).await {
            tracing::error!(error = %e, "the demonstration's inventory service ended");
        }
    });
    Ok(address)
}

fn shown((id, fqdn, status): (&str, &str, &str)) -> Value {
    json!({ "id": id, "fqdn": fqdn, "status": status, "cpu": { "cores": 32 }, "memory": { "totalGb": 512 } })
}

async fn hosts() -> Json<Value> {
    let hosts: Vec<Value> = HOSTS.into_iter().map(shown).collect();
    Json(json!({ "elements": hosts }))
}

async fn host(extract::Path(id): extract::Path<String>) -> Result<Json<Value>, StatusCode> {
    HOSTS
        .into_iter()
        .find(|(known, ..)| *known == id)
        .map(|host| Json(shown(host)))
        .ok_or(StatusCode::NOT_FOUND)
}

async fn report(
    State(reports): State<Arc<AtomicU64>>,
    Json(report): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let number = reports.fetch_add(1, Ordering::Relaxed) + 1;
    (StatusCode::CREATED, Json(json!({ "number": number, "received": report })))
}
