//! Mistakes in a worker's call are named, and change nothing.

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
        ("heartbeat", json!({ "worker": name, "leases": many }), "/leases"),
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
        (
            "fail",
            json!({ "worker": name, "failed": [{ "lease": lease, "error": { "code": " ", "message": "y" } }] }),
            "/failed/0/error/code",
        ),
        (
            "complete",
            json!({ "worker": name, "failed": [{ "lease": lease, "error": { "code": "X", "message": "" } }] }),
            "/failed/0/error/message",
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

/// A bad lease in a heartbeat costs only itself: whatever stands in its place, the others live on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeat_judges_each_lease_alone() {
    let server = Running::start().await;
    workflow(&server, vec![json!({})]).await;
    start(&server).await;
    let worker = Worker::new(&server, "a");
    let lease = worker.lease_one().await;
    let stages: Vec<Value> =
        (0..101).map(|n| json!({ "name": n.to_string(), "status": "PENDING" })).collect();
    for (bad, pointer) in [
        (json!({ "lease": "nonsense" }), "/leases/1/lease"),
        (json!({ "lease": 7 }), "/leases/1/lease"),
        (json!({}), "/leases/1"),
        (json!("text"), "/leases/1"),
        (json!([]), "/leases/1"),
        (json!(null), "/leases/1"),
        (json!({ "lease": lease, "progress": 101 }), "/leases/1/progress"),
        (json!({ "lease": lease, "progress": -1 }), "/leases/1/progress"),
        (json!({ "lease": lease, "progress": 1.5 }), "/leases/1/progress"),
        (json!({ "lease": lease, "stages": stages }), "/leases/1/stages"),
        (
            json!({ "lease": lease, "stages": [{ "name": "x", "status": "DONE" }] }),
            "/leases/1/stages/0/status",
        ),
        (json!({ "lease": lease, "stages": [{ "status": "PENDING" }] }), "/leases/1/stages/0"),
        (json!({ "lease": lease, "log": [7] }), "/leases/1/log/0"),
        (json!({ "lease": lease, "unknown": 1 }), "/leases/1/unknown"),
    ] {
        let leases = json!([{ "lease": lease, "progress": 40 }, bad, { "lease": lease }]);
        let body = json!({ "worker": worker.name, "leases": leases });
        let answer = server.send("POST", "/v1/workers/heartbeat", Some(body)).await;
        assert_eq!(answer.status, 200, "{bad}: {answer:?}");
        let told = answer.json()["leases"].clone();
        for n in [0, 2] {
            assert_eq!((&told[n]["state"], told[n].get("error")), (&json!("live"), None), "{bad}: {told}");
        }
        // An entry that names a lease extends it, whatever else it has.
        let names_it = bad["lease"] == json!(lease);
        assert_eq!(told[1]["state"], if names_it { "live" } else { "lost" }, "{bad}: {told}");
        assert_eq!(told[1]["error"]["errorCode"], "INVALID_REQUEST", "{told}");
        assert_eq!(told[1]["error"]["context"]["pointer"], pointer, "{told}");
    }
}
