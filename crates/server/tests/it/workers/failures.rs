//! Reliability F15: a failure of every kind at every place, of workers and of built-in actions, and its
//! retry.

use serde_json::{Value, json};

use super::{Worker, ended, start, task, workflow};
use crate::it::support::Running;

/// Way in which an attempt fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Error,
    Timeout,
    Unknown,
    LostAnswer,
    Silent,
}

const KINDS: [Kind; 5] = [Kind::Error, Kind::Timeout, Kind::Unknown, Kind::LostAnswer, Kind::Silent];
const LONGEST: usize = 6;

async fn put(server: &Running, name: &str, subs: Vec<Value>) {
    let definition =
        json!({ "name": name, "type": "T", "title": "T", "input": { "type": "object" }, "subTasks": subs });
    let put = server.send("PUT", &format!("/v1/workflows/{name}"), Some(definition)).await;
    assert!(put.status.is_success(), "{put:?}");
}

fn statuses(task: &Value) -> Vec<&str> {
    task["subTasks"].as_array().unwrap().iter().map(|sub| sub["status"].as_str().unwrap()).collect()
}

/// Checks that all before the failing place succeeded, and nothing behind it began.
fn assert_failed_at(task: &Value, at: usize, length: usize, what: &str) {
    let wanted: Vec<&str> = (0..length)
        .map(|n| match n.cmp(&at) {
            std::cmp::Ordering::Less => "SUCCESSFUL",
            std::cmp::Ordering::Equal => "FAILED",
            std::cmp::Ordering::Greater => "PENDING",
        })
        .collect();
    assert_eq!(statuses(task), wanted, "{what}: {task}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_that_fails_in_any_way_at_any_place_is_found_there_and_retried() {
    let server = Running::start().await;
    let worker = Worker::new(&server, "a");
    for length in 1..=LONGEST {
        let step = |n: usize| json!({ "name": format!("S{n}"), "description": "x", "timeout": "700ms", "repeatable": true, "action": { "worker": { "queue": "q" } } });
        put(&server, "work", (0..length).map(step).collect()).await;
        for at in 0..length {
            for kind in KINDS {
                // Kinds that take time are tried at the ends only.
                let slow = matches!(kind, Kind::Timeout | Kind::Silent);
                if slow && (length > 2 || at > 0) {
                    continue;
                }
                one(&server, &worker, length, at, kind).await;
            }
        }
    }
}

async fn one(server: &Running, worker: &Worker<'_>, length: usize, at: usize, kind: Kind) {
    let what = format!("{kind:?} at {at} of {length}");
    let id = start(server).await;
    for n in 0..at {
        assert_eq!(worker.complete(&worker.lease_one().await, json!(n)).await.0, 200, "{what}");
    }
    let lease = worker.lease_one().await;
    match kind {
        Kind::Error => assert_eq!(worker.fail(&lease, json!({ "retryable": false })).await.0, 200),
        Kind::Unknown => assert_eq!(worker.fail(&lease, json!({ "outcomeUnknown": true })).await.0, 200),
        // Without a report, its timeout ends the attempt.
        Kind::Timeout | Kind::Silent => {}
        Kind::LostAnswer => {
            for _ in 0..3 {
                assert_eq!(worker.complete(&lease, json!(at)).await.0, 200, "{what}");
            }
        }
    }
    if kind != Kind::LostAnswer {
        let failed = ended(server, &id).await;
        assert_failed_at(&failed, at, length, &what);
        assert_eq!(server.send("PATCH", &format!("/v1/tasks/{id}"), None).await.status, 200, "{what}");
        assert_eq!(worker.complete(&worker.lease_one().await, json!(at)).await.0, 200, "{what}");
    }
    for n in at + 1..length {
        assert_eq!(worker.complete(&worker.lease_one().await, json!(n)).await.0, 200, "{what}");
    }
    let done = ended(server, &id).await;
    assert_eq!(done["status"], "Successful", "{what}");
    for n in 0..length {
        assert_eq!(done["outputs"][format!("S{n}")], n, "{what}");
    }
    let attempts = server.get(&format!("/v1/tasks/{id}/attempts")).await.json();
    let wanted = length + usize::from(kind != Kind::LostAnswer);
    assert_eq!(attempts["pageMetadata"]["totalElements"], wanted, "{what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn action_that_fails_at_any_place_is_found_there_and_retried() {
    let server = Running::start().await;
    for length in 1..=LONGEST {
        for at in 0..length {
            for slow in [false, true] {
                let step = |n: usize| {
                    let mut simulate = json!({ "output": n });
                    if n == at && slow {
                        simulate["duration"] = "{{ '5s' if task.name == 'first' else '0ms' }}".into();
                    } else if n == at {
                        simulate["failAttempts"] = json!([1]);
                    }
                    json!({ "name": format!("S{n}"), "description": "x", "timeout": "60ms", "action": { "simulate": simulate } })
                };
                // A timeout each is enough once.
                if slow && length > 2 {
                    continue;
                }
                put(&server, "work", (0..length).map(step).collect()).await;
                let body = json!({ "workflow": "work", "name": "first" });
                let task = server.send("POST", "/v1/tasks?wait=10s", Some(body)).await.json();
                let what = format!("slow {slow} at {at} of {length}");
                assert_failed_at(&task, at, length, &what);
                if slow {
                    assert_eq!(task["subTasks"][at]["errors"][0]["errorCode"], "SUB_TASK_TIMEOUT", "{what}");
                    continue;
                }
                let id = task["id"].as_str().unwrap();
                assert_eq!(
                    server.send("PATCH", &format!("/v1/tasks/{id}"), None).await.status,
                    200,
                    "{what}"
                );
                let done = ended(&server, id).await;
                assert_eq!(done["status"], "Successful", "{what}");
                assert_eq!(done["subTasks"][at]["attempt"], 2, "{what}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_of_unknown_outcome_are_decided_in_one_call() {
    let server = Running::start().await;
    let each = json!({ "forEach": "{{ [1, 2, 3, 4, 5] }}", "parallel": 5, "repeatable": false,
        "action": { "worker": { "queue": "q", "input": "{{ item }}" } } });
    workflow(&server, vec![each, json!({ "action": { "simulate": {} } })]).await;
    let worker = Worker::new(&server, "a");
    let mut parked = Vec::new();
    for _ in 0..3 {
        let id = start(&server).await;
        let leases = worker.lease(json!({ "wait": "5s" })).await;
        assert_eq!(leases.len(), 5);
        let failed = |one: &Value| json!({ "lease": one["lease"], "outcomeUnknown": true, "error": { "code": "GONE", "message": "gone" } });
        let failed: Vec<Value> = leases.iter().map(failed).collect();
        assert_eq!(worker.call("fail", json!({ "failed": failed })).await.0, 200);
        assert_eq!(ended(&server, &id).await["status"], "Failed");
        parked.push(id);
    }
    let resolve = |id: &str, body: Value| {
        let path = format!("/v1/tasks/{id}/resolve");
        let server = &server;
        async move { server.send("POST", &path, Some(body)).await }
    };
    // Some by name, refused as a whole if one of them cannot be decided; the rest by their parent.
    let first = task(&server, &parked[0]).await;
    let names = ["Step0[1]", "Step0[3]"];
    let wrong = json!({ "reason": "seen", "outcome": "done", "subTasks": [names[0], "Step1"] });
    assert_eq!(resolve(&parked[0], wrong).await.status, 409);
    let unknown = json!({ "reason": "seen", "outcome": "done", "subTasks": [names[0], "nobody"] });
    assert_eq!(resolve(&parked[0], unknown).await.status, 404);
    assert_eq!(task(&server, &parked[0]).await["version"], first["version"], "nothing changed");
    let some = json!({ "reason": "seen", "outcome": "done", "subTasks": names });
    assert_eq!(resolve(&parked[0], some).await.status, 200);
    let all = json!({ "reason": "seen", "outcome": "done", "all": true, "subTask": "Step0" });
    assert_eq!(resolve(&parked[0], all).await.status, 200);
    assert_eq!(ended(&server, &parked[0]).await["status"], "Successful");
    // Not done: all run again. Skipped: the task goes on without them.
    assert_eq!(
        resolve(&parked[1], json!({ "reason": "seen", "outcome": "notDone", "all": true })).await.status,
        200
    );
    assert_eq!(worker.lease(json!({ "wait": "5s" })).await.len(), 5);
    assert_eq!(
        resolve(&parked[2], json!({ "reason": "seen", "outcome": "skipped", "all": true })).await.status,
        200
    );
    assert_eq!(ended(&server, &parked[2]).await["status"], "Completed With Warning");
    for (id, body) in [
        (&parked[0], json!({ "reason": "r", "all": true })),
        (&parked[0], json!({ "reason": "r", "outcome": "done", "subTasks": [] })),
        (&parked[0], json!({ "reason": "r", "outcome": "done", "all": true, "output": 1 })),
        (&parked[0], json!({ "reason": "r", "outcome": "done", "subTask": "a", "subTasks": ["b"] })),
    ] {
        assert_eq!(resolve(id, body.clone()).await.status, 400, "{body}");
    }
}
