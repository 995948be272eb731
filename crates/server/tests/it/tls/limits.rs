//! Clients who are slow or silent, and those beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_server::{Limits, ServerConfig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::support::Running;
use super::{ask, connect, self_signed, trusting};

const SHORT: Duration = Duration::from_millis(300);
/// Time long enough for a loaded machine, and far shorter than the limits that are not meant.
const PATIENCE: Duration = Duration::from_secs(20);

async fn server(limits: Limits) -> (tempfile::TempDir, Running) {
    let directory = tempfile::tempdir().unwrap();
    let config = ServerConfig { limits, ..self_signed(directory.path()) };
    let running = Running::with(config).await;
    (directory, running)
}

/// Opens a connection that begins a handshake and does not go on.
async fn half_open(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00").await.unwrap();
    stream
}

/// Waits until the other side has ended a connection.
async fn closed(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_stalls_is_given_up() {
    let (_directory, server) = server(Limits { handshake_time: SHORT, ..Limits::default() }).await;
    let begun = Instant::now();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut stalled = half_open(&server).await;
    closed(&mut silent).await;
    closed(&mut stalled).await;
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    // A byte now and then does not put the end off.
    let mut trickling = half_open(&server).await;
    let begun = Instant::now();
    while trickling.write_all(b"x").await.is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it is closed");
        tokio::time::sleep(SHORT / 5).await;
    }
    assert_eq!(server.get("/health/live").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_hinder_nobody() {
    let (_directory, server) = server(Limits { handshake_time: PATIENCE * 3, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(half_open(&server).await);
    }
    let config = Arc::new(trusting(server.certificate.as_ref().unwrap().path()));
    let begun = Instant::now();
    for _ in 0..20 {
        let mut stream = timeout(PATIENCE, connect(server.address, &config)).await.unwrap().unwrap();
        ask(&mut stream).await;
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    for stream in &held {
        let mut byte = [0];
        let e = stream.try_read(&mut byte).unwrap_err();
        assert_eq!(e.kind(), std::io::ErrorKind::WouldBlock, "it was open all the time");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_count_as_connections_and_make_room() {
    let (_directory, server) = server(Limits { connections: 1, ..Limits::default() }).await;
    assert_eq!(
        server.client.get(server.url("/health/live")).send().await.unwrap().headers().get("connection"),
        None
    );
    let fresh = || reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    // The idle connection of the client's pool makes room for it, and it for the next.
    let mut held = half_open(&server).await;
    let answer = fresh().get(server.url("/health/live")).send().await.unwrap();
    assert_eq!(answer.headers().get("connection"), None);
    closed(&mut held).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_headers_are_given_up_over_tls_too() {
    let (_directory, server) = server(Limits { header_time: SHORT, ..Limits::default() }).await;
    let config = Arc::new(trusting(server.certificate.as_ref().unwrap().path()));
    let mut stream = connect(server.address, &config).await.unwrap();
    let begun = Instant::now();
    // Each byte is a TLS record of its own.
    while stream.write_all(b"G").await.is_ok() && stream.flush().await.is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it is closed");
        tokio::time::sleep(SHORT / 5).await;
    }
    let mut idle = connect(server.address, &config).await.unwrap();
    closed(&mut idle).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_waits_for_requests_and_not_for_handshakes() {
    let limits = Limits { handshake_time: PATIENCE * 3, drain: PATIENCE * 3, ..Limits::default() };
    let (_directory, server) = server(limits).await;
    server.workflow("slow", vec![json!({ "action": { "simulate": { "duration": "1500ms" } } })]).await;
    let start = json!({ "workflow": "slow", "input": { "host": "a" } });
    let id = server.send("POST", "/v1/tasks", Some(start)).await.json()["id"].as_str().unwrap().to_owned();
    let mut stalled = half_open(&server).await;
    let asked = server.client.get(server.url(&format!("/v1/tasks/{id}?wait=30s")));
    let asked = tokio::spawn(asked.send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.stop.cancel();
    closed(&mut stalled).await;
    let answer = timeout(PATIENCE, asked).await.unwrap().unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["status"], "Successful");
}
