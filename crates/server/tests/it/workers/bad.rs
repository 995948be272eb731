//! What is wrong in a worker's call is named, and nothing changes.

use serde_json::{Value, json};

use super::{Worker, start, task, workflow};
use crate::it::support::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_calls_are_refused_by_member_and_change_nothing() {
    let server = Running::start().await;
    workflow(&server, vec![json!({})]).await;
    let id = start(&server).await;
    let worker = Worker::new(&server, "a");
    let lease = worker.lease_one().await;
    let before = task(&server, &id).await;
    let name = "w-0123456789abcdef";
    let ask = |more: Value| {
        let mut body = json!({ "worker": name, "queues": ["q"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let many: Vec<Value> = (0..1_025).map(|_| json!({ "lease": lease })).collect();
    let stages: Vec<Value> =
        (0..101).map(|n| json!({ "name": n.to_string(), "status": "PENDING" })).collect();
    for (verb, body, pointer) in [
        ("lease", json!({ "worker": "short", "queues": ["q"] }), "/worker"),
        ("lease", json!({ "worker": "a name with spaces in it", "queues": ["q"] }), "/worker"),
        ("lease", json!({ "worker": "a".repeat(201), "queues": ["q"] }), "/worker"),
        ("lease", ask(json!({ "queues": [] })), "/queues"),
        ("lease", ask(json!({ "queues": vec!["q"; 33] })), "/queues"),
        ("lease", ask(json!({ "queues": ["a b"] })), "/queues"),
        ("lease", ask(json!({ "queues": [""] })), "/queues"),
        ("lease", ask(json!({ "max": 0 })), "/max"),
        ("lease", ask(json!({ "max": 257 })), "/max"),
        ("lease", ask(json!({ "max": -1 })), "/max"),
        ("lease", ask(json!({ "wait": "61s" })), "/wait"),
        ("lease", ask(json!({ "wait": 5 })), "/wait"),
        ("lease", ask(json!({ "lease": "999ms" })), "/lease"),
        ("lease", ask(json!({ "lease": "2h" })), "/lease"),
        ("lease", ask(json!({ "queue": "q" })), "/queue"),
        ("heartbeat", json!({ "worker": name, "leases": [{ "lease": "nonsense" }] }), "/leases/0/lease"),
        (
            "heartbeat",
            json!({ "worker": name, "leases": [{ "lease": lease, "progress": 101 }] }),
            "/leases/0/progress",
        ),
        (
            "heartbeat",
            json!({ "worker": name, "leases": [{ "lease": lease, "stages": stages }] }),
            "/leases/0/stages",
        ),
        ("heartbeat", json!({ "worker": name, "leases": many }), "/leases"),
        (
            "heartbeat",
            json!({ "worker": name, "leases": [{ "lease": lease, "stages": [{ "name": "x", "status": "DONE" }] }] }),
            "/leases/0/stages/0/status",
        ),
        ("complete", json!({ "worker": name, "completed": [{ "lease": "1.2.3" }] }), "/completed/0/lease"),
        (
            "complete",
            json!({ "worker": name, "completed": [{ "lease": lease, "result": 1 }] }),
            "/completed/0/result",
        ),
        ("complete", json!({ "worker": name, "next": { "queues": [] } }), "/next/queues"),
        ("complete", json!({ "worker": name, "next": { "worker": name, "queues": ["q"] } }), "/next/worker"),
        ("fail", json!({ "worker": name, "failed": [{ "lease": lease }] }), "/failed/0"),
        (
            "fail",
            json!({ "worker": name, "failed": [{ "lease": lease, "error": { "code": "X" } }] }),
            "/failed/0/error",
        ),
        (
            "fail",
            json!({ "worker": name, "failed": [{ "lease": "x", "error": { "code": "X", "message": "y" } }] }),
            "/failed/0/lease",
        ),
    ] {
        let answer = server.send("POST", &format!("/v1/workers/{verb}"), Some(body.clone())).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "INVALID_REQUEST"),
            "{verb} {body}"
        );
        assert_eq!(answer.json()["context"]["pointer"], pointer, "{verb}: {}", answer.text);
    }
    for (body, code) in [
        (json!({ "rate": "fast" }), "INVALID_REQUEST"),
        (json!({ "rate": "0/1s" }), "INVALID_REQUEST"),
        (json!({ "maxRunning": -1 }), "INVALID_REQUEST"),
    ] {
        assert_eq!(server.send("PUT", "/v1/queues/q", Some(body)).await.code(), code);
    }
    assert_eq!(server.send("PUT", "/v1/queues/a%20b", Some(json!({}))).await.code(), "INVALID_QUEUE");
    for query in ["after=-1", "after=x", "limit=0", "limit=10001", "wait=soon"] {
        assert_eq!(
            server.get(&format!("/v1/tasks/{id}/logs?{query}")).await.code(),
            "INVALID_PARAMETER",
            "{query}"
        );
    }
    assert_eq!(task(&server, &id).await, before);
    assert_eq!(worker.complete(&lease, json!(1)).await.0, 200, "the lease lives");
}
