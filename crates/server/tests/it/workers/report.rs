//! Reports: recorded once, whoever sends them and however often; the next lease in the same call; logs;
//! secrets.

use serde_json::{Value, json};

use super::{Worker, ended, start, task, workflow};
use crate::it::support::Running;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_call_completes_and_leases_the_next() {
    let server = Running::start().await;
    workflow(&server, vec![json!({}), json!({}), json!({})]).await;
    let (first, second) = (start(&server).await, start(&server).await);
    let worker = Worker::new(&server, "a");
    let mut leases = worker.lease(json!({ "max": 2 })).await;
    let mut calls = 0;
    while !leases.is_empty() {
        let completed: Vec<Value> =
            leases.iter().map(|one| json!({ "lease": one["lease"], "output": one["subTask"] })).collect();
        let count = completed.len();
        let body = json!({ "completed": completed, "next": { "queues": ["q"], "max": 2 } });
        let (status, answer) = worker.call("complete", body).await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["results"].as_array().unwrap().iter().all(|one| one["status"] == 200), "{answer}");
        assert_eq!(answer["results"].as_array().unwrap().len(), count);
        leases = answer["leases"].as_array().unwrap().clone();
        calls += 1;
    }
    assert_eq!(calls, 3, "a call for each step of both tasks");
    for id in [first, second] {
        assert_eq!(ended(&server, &id).await["status"], "Successful");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_report_again_is_accepted_and_another_one_refused() {
    let server = Running::start().await;
    workflow(&server, vec![json!({}), json!({})]).await;
    let id = start(&server).await;
    let (worker, other) = (Worker::new(&server, "a"), Worker::new(&server, "b"));
    let lease = worker.lease_one().await;
    assert_eq!(other.complete(&lease, json!(1)).await.0, 409, "not its lease");
    assert_eq!(worker.complete(&lease, json!(1)).await.0, 200);
    let version = task(&server, &id).await["version"].clone();
    assert_eq!(worker.complete(&lease, json!(1)).await.0, 200);
    for (status, answer) in [
        worker.complete(&lease, json!(2)).await,
        worker.fail(&lease, json!({})).await,
        other.complete(&lease, json!(1)).await,
    ] {
        assert_eq!((status, answer["errorCode"].as_str()), (409, Some("LEASE_LOST")));
    }
    assert_eq!(task(&server, &id).await["version"], version, "nothing changed");
    assert_eq!(task(&server, &id).await["outputs"]["Step0"], 1);
    // Beside others, each result is for itself.
    let next = worker.lease_one().await;
    let both = json!({ "completed": [{ "lease": lease, "output": 2 }, { "lease": next }] });
    let (status, answer) = worker.call("complete", both).await;
    assert_eq!(
        (status, &answer["results"][0]["status"], &answer["results"][1]["status"]),
        (200, &json!(409), &json!(200))
    );
}

/// Reliability F11: of parallel reports one wins, and there is one result.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_in_parallel_are_recorded_once() {
    let server = Running::start().await;
    workflow(&server, vec![json!({})]).await;
    let worker = Worker::new(&server, "a");
    for round in 0..20 {
        let id = start(&server).await;
        let lease = worker.lease_one().await;
        let done = (0..10).map(|_| worker.complete(&lease, json!("done")));
        let failed = (0..10).map(|_| worker.fail(&lease, json!({ "retryable": false })));
        let (done, failed) =
            tokio::join!(futures_util::future::join_all(done), futures_util::future::join_all(failed));
        let accepted = |all: &[(u16, Value)]| all.iter().filter(|(status, _)| *status == 200).count();
        let counts = (accepted(&done), accepted(&failed));
        assert!(counts == (10, 0) || counts == (0, 10), "round {round}: {counts:?}");
        let wanted = if counts.0 == 10 { "Successful" } else { "Failed" };
        assert_eq!(ended(&server, &id).await["status"], wanted);
        let attempts = server.get(&format!("/v1/tasks/{id}/attempts")).await.json();
        assert_eq!(attempts["pageMetadata"]["totalElements"], 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_retried_unless_the_worker_says_no() {
    let server = Running::start().await;
    workflow(&server, vec![json!({ "retry": { "attempts": 3, "backoff": "1ms", "jitter": false } })]).await;
    let id = start(&server).await;
    let worker = Worker::new(&server, "a");
    assert_eq!(worker.fail(&worker.lease_one().await, json!({})).await.0, 200);
    let error = json!({ "code": "NO_DISK", "message": "no disk", "remediation": "add one",
        "causes": [{ "type": "IO", "message": "read" }], "context": { "slot": 3 } });
    assert_eq!(
        worker.fail(&worker.lease_one().await, json!({ "retryable": false, "error": error })).await.0,
        200
    );
    let failed = ended(&server, &id).await;
    let shown = &failed["subTasks"][0]["errors"][0];
    assert_eq!(
        (&shown["errorCode"], &shown["remediationMessage"], &shown["context"]),
        (&json!("NO_DISK"), &json!("add one"), &json!({ "slot": "3" }))
    );
    assert_eq!(shown["causes"], json!([{ "type": "IO", "message": "read" }]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_outcome_waits_for_an_operator_and_a_released_one_costs_nothing() {
    let server = Running::start().await;
    workflow(&server, vec![json!({ "repeatable": false, "retry": { "attempts": 2 } })]).await;
    let id = start(&server).await;
    let worker = Worker::new(&server, "a");
    for _ in 0..4 {
        let lease = worker.lease_one().await;
        // The answer may be lost: a lease that is handed back twice is handed back.
        for _ in 0..2 {
            assert_eq!(worker.call("complete", json!({ "released": [{ "lease": lease }] })).await.0, 200);
        }
    }
    let lease = worker.lease_one().await;
    assert_eq!(worker.fail(&lease, json!({ "outcomeUnknown": true })).await.0, 200);
    let parked = ended(&server, &id).await;
    assert_eq!(parked["subTasks"][0]["errors"][0]["errorCode"], "OUTCOME_UNKNOWN");
    assert_eq!(parked["waitingFor"]["type"], "DECISION");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stopping_worker_gives_up_is_taken_over_without_a_retry() {
    let server = Running::start().await;
    workflow(&server, vec![json!({})]).await;
    let id = start(&server).await;
    let (first, second) = (Worker::new(&server, "a"), Worker::new(&server, "b"));
    let lease = first.lease_one().await;
    for _ in 0..2 {
        assert_eq!(first.fail(&lease, json!({ "abandoned": true })).await.0, 200);
    }
    assert_eq!(second.complete(&second.lease_one().await, json!("done")).await.0, 200);
    assert_eq!(ended(&server, &id).await["status"], "Successful");
    let attempts = server.get(&format!("/v1/tasks/{id}/attempts")).await.json();
    let outcomes: Vec<_> =
        attempts["elements"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(outcomes, ["LOST", "SUCCESSFUL"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_that_is_too_large_leaves_the_lease_alive() {
    let server = Running::start().await;
    workflow(&server, vec![json!({})]).await;
    let id = start(&server).await;
    let worker = Worker::new(&server, "a");
    let lease = worker.lease_one().await;
    let (status, answer) = worker.complete(&lease, json!("x".repeat(1 << 20))).await;
    assert_eq!((status, &answer["results"][0]["status"]), (200, &json!(413)));
    assert_eq!(answer["results"][0]["error"]["errorCode"], "OUTPUT_TOO_LARGE");
    assert_eq!(worker.complete(&lease, json!("small")).await.0, 200);
    assert_eq!(ended(&server, &id).await["status"], "Successful");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_read_in_pages_and_followed() {
    let server = Running::start().await;
    workflow(&server, vec![json!({}), json!({})]).await;
    let id = start(&server).await;
    let worker = Worker::new(&server, "a");
    let lease = worker.lease_one().await;
    let log = json!(["one", { "text": "two", "stream": "stderr", "at": "2026-01-31T12:00:00.000Z" }]);
    let stages = json!([{ "name": "Evacuate", "status": "IN_PROGRESS" }]);
    worker.call("heartbeat", json!({ "leases": [{ "lease": lease, "log": log, "stages": stages }] })).await;
    let page = server.get(&format!("/v1/tasks/{id}/logs?limit=1")).await.json();
    assert_eq!((&page["lines"][0]["text"], &page["next"]), (&json!("one"), &json!(1)));
    let rest = server.get(&format!("/v1/tasks/{id}/logs?after=1&subTask=Step0")).await.json();
    let line = &rest["lines"][0];
    assert_eq!(
        (&line["text"], &line["stream"], &line["timestamp"]),
        (&json!("two"), &json!("stderr"), &json!("2026-01-31T12:00:00.000Z"))
    );
    assert_eq!(task(&server, &id).await["subTasks"][0]["stages"][0]["name"], "Evacuate");

    let path = format!("/v1/tasks/{id}/logs?after=2&wait=10s");
    let reading = server.get(&path);
    let body = json!({ "completed": [{ "lease": lease, "log": ["three"] }] });
    let writing = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        worker.call("complete", body.clone()).await
    };
    let (followed, _) = tokio::join!(reading, writing);
    assert_eq!(followed.json()["lines"][0]["text"], "three");
    assert_eq!(worker.call("complete", body).await.0, 200);
    let lines = server.get(&format!("/v1/tasks/{id}/logs")).await.json()["lines"].as_array().unwrap().len();
    assert_eq!(lines, 3, "the same report again writes nothing again");
    assert_eq!(server.get(&format!("/v1/tasks/{id}/logs?subTask=Nope")).await.code(), "SUB_TASK_NOT_FOUND");
}

/// Starts a task of two sub-tasks of a worker with a password.
async fn with_password(server: &Running, password: &str) -> String {
    let definition = json!({
        "name": "work", "type": "T", "title": "T",
        "input": { "type": "object", "properties": { "host": {}, "password": { "type": "string", "writeOnly": true } } },
        "subTasks": [
            { "name": "Step0", "description": "x", "action": { "worker": { "queue": "q", "input": { "p": "{{ input.password }}" } } } },
            { "name": "Step1", "description": "x", "action": { "worker": { "queue": "q", "input": { "p": "{{ input.password }}" } } } }
        ]
    });
    assert_eq!(server.send("PUT", "/v1/workflows/work", Some(definition)).await.status, 201);
    let body = json!({ "workflow": "work", "input": { "password": password } });
    server.send("POST", "/v1/tasks", Some(body)).await.json()["id"].as_str().unwrap().to_owned()
}

/// An output is judged as it is stored: without secrets, in whose place a longer or a shorter text stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_is_judged_by_its_size_without_secrets() {
    const MOST: usize = 1 << 20;
    let long = "correct-horse-battery-staple-7";
    for password in ["abcd", long] {
        let server = Running::start().await;
        let id = with_password(&server, password).await;
        let worker = Worker::new(&server, "a");
        let lease = worker.lease_one().await;
        // Outputs of so many secrets, each with a space behind it; stored, each takes eleven bytes.
        let output = |count: usize| json!(format!("{password} ").repeat(count));
        let most = (MOST - 2) / 11;
        let (status, answer) = worker.complete(&lease, output(most + 1)).await;
        assert_eq!((status, &answer["results"][0]["status"]), (200, &json!(413)), "{password}");
        assert_eq!(answer["results"][0]["error"]["errorCode"], "OUTPUT_TOO_LARGE");
        assert_eq!(task(&server, &id).await["subTasks"][0]["status"], "IN_PROGRESS");
        let (status, answer) = worker.complete(&lease, output(most)).await;
        assert_eq!((status, &answer["results"][0]["status"]), (200, &json!(200)), "{password}");
        assert_eq!(worker.complete(&worker.lease_one().await, json!("small")).await.0, 200);
        assert_eq!(ended(&server, &id).await["status"], "Successful");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_reach_the_worker_and_nothing_that_it_says() {
    let server = Running::start().await;
    let id = with_password(&server, "correct-horse-7").await;
    let worker = Worker::new(&server, "a");
    let leases = worker.lease(json!({})).await;
    assert_eq!(leases[0]["input"]["p"], "correct-horse-7");
    let lease = leases[0]["lease"].as_str().unwrap();
    let stages = json!([{ "name": "S", "description": "uses correct-horse-7", "status": "PENDING" }]);
    worker
        .call(
            "heartbeat",
            json!({ "leases": [{ "lease": lease, "stages": stages, "log": ["as correct-horse-7"] }] }),
        )
        .await;
    for _ in 0..2 {
        assert_eq!(worker.complete(lease, json!({ "used": "correct-horse-7" })).await.0, 200);
    }
    let lease = worker.lease_one().await;
    let error = json!({ "code": "X", "message": "not correct-horse-7", "causes": [{ "type": "Y", "message": "correct-horse-7" }] });
    assert_eq!(worker.fail(&lease, json!({ "error": error, "retryable": false })).await.0, 200);
    for path in ["?include=all", "/attempts", "/logs"] {
        let text = server.get(&format!("/v1/tasks/{id}{path}")).await.text;
        assert!(!text.contains("correct-horse-7") && text.contains("<redacted>"), "{path}: {text}");
    }
}
