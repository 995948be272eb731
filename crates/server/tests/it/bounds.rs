//! Limits of callers before they are known, and of what each account may keep waiting.

use std::time::Duration;

use longhaul_server::{Limits, ServerConfig};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::{Answer, Running};

async fn limited(limits: Limits) -> Running {
    Running::with(ServerConfig { limits, ..ServerConfig::default() }).await
}

/// Sends a text as it is and returns the answer.
async fn raw(server: &Running, text: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test]
async fn request_names_one_host() {
    let server = Running::start().await;
    let status = async |head: &str| {
        let answer =
            raw(&server, &format!("GET /health/live HTTP/1.1\r\nConnection: close\r\n{head}\r\n")).await;
        answer.get(9..12).unwrap_or_default().to_owned()
    };
    assert_eq!(status("Host: x:8080\r\n").await, "200");
    for bad in ["", "Host: a\r\nHost: b\r\n", "Host: a\r\nhost: a\r\n", "Host: a b\r\n", "Host: a/b\r\n"] {
        assert_eq!(status(bad).await, "400", "{bad:?}");
    }
    let old = raw(&server, "GET /health/live HTTP/1.0\r\n\r\n").await;
    assert!(old.contains(" 200 "), "{old}");
}

#[tokio::test]
async fn bodies_of_those_whom_nobody_knows_are_small() {
    let server = Running::start().await;
    for (method, path) in [
        ("POST", "/v1/tokens"),
        ("PATCH", "/v1/tokens/access-token/refresh"),
        ("DELETE", "/v1/tokens/refresh-token"),
    ] {
        let body = json!({ "username": "u", "password": "p".repeat(20_000) });
        let method = method.parse().unwrap();
        let request = server.nobody().request(method, server.url(path)).json(&body);
        assert_eq!(Answer::of(request).await.status, 413, "{path}");
    }
}

#[tokio::test]
async fn body_of_somebody_unknown_does_not_keep_its_place() {
    let server = limited(Limits { public_body_time: Duration::from_millis(100), ..Limits::default() }).await;
    let answer = raw(
        &server,
        "POST /v1/tokens HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n{\"username\":",
    );
    assert!(answer.await.contains("REQUEST_TIMEOUT"));
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let limits = Limits { connections: 20, per_address: Some(10), beyond: 1, ..Limits::default() };
    let server = limited(limits).await;
    let mut idle = Vec::new();
    for n in 0..60 {
        idle.push(TcpStream::connect(server.address).await.unwrap());
        let answer = raw(&server, "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(answer.contains(" 200 "), "after {n}: {answer}");
    }
}

#[tokio::test]
async fn paths_of_workflows_are_not_told_without_a_credential() {
    let server = Running::start().await;
    let definition = json!({
        "name": "hidden", "type": "T_X", "title": "t", "route": "POST /v1/hidden/{host}",
        "subTasks": [{ "name": "S", "description": "d", "action": { "simulate": {} } }]
    });
    assert_eq!(server.send("PUT", "/v1/workflows/hidden", Some(definition)).await.status, 201);
    let mut answers = Vec::new();
    for (method, path) in [
        ("POST", "/v1/hidden/a"),
        ("GET", "/v1/hidden/a"),
        ("POST", "/v1/other/a"),
        ("GET", "/x"),
        ("PUT", "/"),
    ] {
        let request = server.nobody().request(method.parse().unwrap(), server.url(path));
        let answer = Answer::of(request).await;
        let mut body = answer.json();
        body.as_object_mut().unwrap().remove("referenceToken");
        answers.push((answer.status.as_u16(), body));
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(server.send("POST", "/v1/other/a", None).await.code(), "ROUTE_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_of_an_account_are_counted() {
    let server = limited(Limits { waits: 3, in_flight: 2, ..Limits::default() }).await;
    server.workflow("slow", vec![json!({ "action": { "simulate": { "duration": "1h" } } })]).await;
    let started =
        server.send("POST", "/v1/tasks", Some(json!({ "workflow": "slow", "input": { "host": "a" } }))).await;
    let id = started.json()["id"].as_str().unwrap().to_owned();
    let poll = || {
        let request = server.client.get(server.url(&format!("/v1/tasks/{id}?wait=30s")));
        // One that is refused, as the looks below take a place for a moment, asks again.
        tokio::spawn(
            async move { while request.try_clone().unwrap().send().await.unwrap().status() == 429 {} },
        )
    };
    let waiting: Vec<_> = (0..3).map(|_| poll()).collect();
    let refused = loop {
        // The three may not have begun to wait yet.
        let answer = server.get(&format!("/v1/tasks/{id}?wait=10ms")).await;
        if answer.status == 429 {
            break answer;
        }
    };
    assert_eq!(
        (refused.code(), refused.headers.contains_key("retry-after")),
        ("TOO_MANY_WAITS".to_owned(), true)
    );
    assert_eq!(
        server.get(&format!("/v1/tasks/{id}")).await.status,
        200,
        "a poll without a wait is never refused"
    );
    assert_eq!(server.get("/v1/tasks").await.status, 200, "nor does it take from other requests");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    for one in waiting {
        let _ = one.await;
    }
    while server.get(&format!("/v1/tasks/{id}?wait=10ms")).await.status != 200 {}
}

#[tokio::test]
async fn what_a_role_does_not_allow_is_noted_with_its_reference() {
    let server = Running::start().await;
    let viewer = super::support::service(&server.parts.auth, "viewer", longhaul_auth::Role::Viewer).await;
    let refused: Vec<Answer> = [
        server.send_as(&viewer, "DELETE", "/v1/workflows/w", None).await,
        server.send_as(&viewer, "DELETE", "/v1/workflows/w", None).await,
        server.send_as(&viewer, "GET", "/v1/users", None).await,
    ]
    .into();
    let audit = server.get("/v1/audit?outcome=REFUSED&user=viewer").await.json();
    let noted: Vec<_> = audit["elements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| (&note["action"], &note["referenceToken"]))
        .collect();
    let of = |n: usize| refused[n].json()["referenceToken"].clone();
    assert_eq!(noted, [(&json!("getUsers"), &of(2)), (&json!("deleteWorkflow"), &of(0))], "{audit}");
    assert_eq!(server.send("PUT", "/v1/queues/q", Some(json!({ "paused": true }))).await.status, 200);
    let accepted = server.get("/v1/audit?action=limitQueue").await.json();
    assert_eq!(accepted["elements"][0]["referenceToken"].as_str().map(str::len), Some(6), "{accepted}");
}

#[tokio::test]
async fn asking_makes_no_queue_and_has_its_bounds() {
    let server = Running::start().await;
    let key = super::support::service(&server.parts.auth, "worker", longhaul_auth::Role::Worker).await;
    let ask = async |worker: u32, from: u32| {
        let queues: Vec<String> = (from..from + 32).map(|n| format!("q{n}")).collect();
        let body = json!({ "worker": format!("worker-{worker:016}"), "queues": queues });
        server.send_as(&key, "POST", "/v1/workers/lease", Some(body)).await
    };
    for n in 0..32 {
        assert_eq!(ask(n, n * 32).await.status, 200);
    }
    let refused = ask(32, 32 * 32).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (429, "TOO_MANY_QUEUES".to_owned()));
    assert_eq!(ask(0, 0).await.status, 200, "those that are known already");
    let listed = server.get("/v1/queues").await.json();
    assert_eq!(listed["elements"], json!([]));
    assert!(!server.get("/metrics").await.text.contains("queue=\"q0\""));
}
