//! Requests that need long computations, and everybody else meanwhile. Each test has a runtime of one thread:
//! a computation that keeps it to itself stops the whole server, so that the number of answers beside it
//! tells.

use std::future::Future;

use longhaul_auth::Role;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::it::support::{Running, service};

/// Answers that others must have had while a request was at work. A server that stands still gives those that
/// were on their way before.
const ANSWERS: usize = 30;

/// A text of some hundred bytes with something to decode in it, as logs have.
const ORDINARY: &str = "path=/api?x=%20y {\"a\": \"b\\n\"} &amp; id 4711 deadbeefdeadbeef aGVsbG8gd29ybGQK ";

/// Counts the answers that others have until a request is answered.
async fn beside<T: Send + 'static>(
    server: &Running,
    request: impl Future<Output = T> + Send + 'static,
) -> (usize, T) {
    let request: JoinHandle<T> = tokio::spawn(request);
    let (nobody, mut answers) = (server.nobody(), 0);
    while !request.is_finished() {
        assert_eq!(nobody.get(server.url("/health/live")).send().await.unwrap().status(), 200);
        answers += 1;
    }
    (answers, request.await.unwrap())
}

async fn apply(server: &Running, name: &str, input: Value) {
    let definition = json!({ "name": name, "type": "T", "title": "T", "input": input,
        "subTasks": [{ "name": "S", "description": "d", "action": { "worker": { "queue": "q" } } }] });
    let put = server.send("PUT", &format!("/v1/workflows/{name}"), Some(definition)).await;
    assert_eq!(put.status, 201, "{put:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn others_are_answered_while_a_report_is_searched_for_secrets() {
    let server = Running::start().await;
    let input =
        json!({ "type": "object", "properties": { "password": { "type": "string", "writeOnly": true } } });
    apply(&server, "secret", input).await;
    let start = json!({ "workflow": "secret", "input": { "password": "correct-horse-battery" } });
    assert_eq!(server.send("POST", "/v1/tasks", Some(start)).await.status, 202);
    let key = service(&server.parts.auth, "worker", Role::Worker).await;
    let worker = "w-0123456789abcdef";
    let ask = json!({ "worker": worker, "queues": ["q"], "wait": "5s", "lease": "1s" });
    let leased = server.send_as(&key, "POST", "/v1/workers/lease", Some(ask)).await.json();
    let lease = leased["leases"][0]["lease"].clone();
    let log: Vec<Value> = (0..3_000).map(|_| json!({ "text": ORDINARY })).collect();
    let report = json!({ "worker": worker, "completed": [{ "lease": lease, "log": log }] });
    let sent = server.client_with(&key).post(server.url("/v1/workers/complete"));
    let sent = sent.header("content-type", "application/json").body(report.to_string());
    let (answers, answer) =
        beside(&server, async move { sent.send().await.unwrap().text().await.unwrap() }).await;
    assert!(answers > ANSWERS, "{answers} answers beside the report");
    // The search took longer than the lease, which the report kept alive.
    assert!(answer.contains("\"status\":200"), "{answer}");
    let done = server.get("/v1/tasks").await.json();
    assert_eq!(done["elements"][0]["status"], "Successful", "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn input_that_doubles_the_work_of_its_check_with_each_level_is_refused() {
    let server = Running::start().await;
    let either = |name: &str| {
        json!({ "type": "object", "required": ["of"], "properties": {
        "of": { "$ref": "#/$defs/condition" }, "key": { "type": "string", "writeOnly": true }, name: {} } })
    };
    let schema = json!({ "type": "object", "properties": { "q": { "$ref": "#/$defs/condition" } }, "$defs": {
        "and": either("and"), "or": either("or"),
        "condition": { "anyOf": [{ "$ref": "#/$defs/and" }, { "$ref": "#/$defs/or" }, { "type": "string" }] } } });
    apply(&server, "conditions", schema).await;
    for leaf in [json!("leaf"), json!(5)] {
        let nested = (0..50).fold(leaf.clone(), |inner, _| json!({ "of": inner }));
        for path in ["/v1/tasks", "/v1/tasks?dryRun=true"] {
            let start = json!({ "workflow": "conditions", "input": { "q": nested } });
            let answer = server.send("POST", path, Some(start)).await;
            assert_eq!(answer.status, 422, "{leaf}: {answer:?}");
            assert!(answer.text.contains("takes too long"), "{answer:?}");
        }
    }
    let shallow = json!({ "workflow": "conditions", "input": { "q": { "of": { "of": "leaf" } } } });
    assert_eq!(server.send("POST", "/v1/tasks", Some(shallow)).await.status, 202);
}
