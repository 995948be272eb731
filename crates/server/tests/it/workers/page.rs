//! A worker written from docs/workers.md alone, in a language without a client library, does its work.

use std::process::{Command, Stdio};

use longhaul_auth::Role;
use serde_json::json;

use crate::it::support::{Running, service};

const WORKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/workers/worker.pl");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_of_the_page_alone_does_its_work() {
    let server = Running::start().await;
    let action = json!({ "worker": { "queue": "perl", "input": { "host": "{{ input.host }}" } } });
    server.workflow("work", vec![json!({ "action": action }), json!({ "action": action })]).await;
    let mut ids = Vec::new();
    for host in ["esx1", "bad", "slow", "größe"] {
        let body = json!({ "workflow": "work", "input": { "host": host } });
        ids.push(
            server.send("POST", "/v1/tasks", Some(body)).await.json()["id"].as_str().unwrap().to_owned(),
        );
    }
    let key = service(&server.parts.auth, "perl", Role::Worker).await;
    let (url, key) = (server.url(""), key.clone());
    let worked = tokio::task::spawn_blocking(move || {
        Command::new("perl").args([WORKER, &url, &key]).stdin(Stdio::null()).output().unwrap()
    });
    let output = worked.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (id, status) in ids.iter().zip(["Successful", "Failed", "Successful", "Successful"]) {
        let task = server.get(&format!("/v1/tasks/{id}?wait=10s&include=all")).await.json();
        assert_eq!(task["status"], status, "{task}");
        if status == "Failed" {
            assert_eq!(task["errors"][0]["errorCode"], "HOST_BAD");
            assert_eq!(task["errors"][0]["context"]["exitCode"], "7");
        }
    }
    let slow = server.get(&format!("/v1/tasks/{}/attempts", ids[2])).await.json();
    assert_eq!(slow["elements"].as_array().map(Vec::len), Some(2), "heartbeats kept its leases: {slow}");
    let log = server.get(&format!("/v1/tasks/{}/logs", ids[3])).await.json();
    assert!(log.to_string().contains("done with größe"), "{log}");
}
